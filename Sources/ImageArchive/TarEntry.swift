/// One header of a tar archive, as the archive has it: nothing in it is trusted yet.
struct TarEntry {
    enum Kind: Hashable {
        case file, directory, symbolicLink, hardLink, fifo
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        /// A type that is no file.
        case other(Int32)
    }

    /// Seconds and nanoseconds since 1970.
    struct Time: Hashable {
        var seconds: Int
        var nanoseconds: Int
    }

    /// Bytes, which need be no text.
    var path: [UInt8]
    var kind: Kind
    var linkTarget: [UInt8]
    /// The permission bits with set-user-id, set-group-id and sticky.
    var mode: UInt32
    var user: Int64
    var group: Int64
    var size: Int64
    var modified: Time
    var extendedAttributes: [(name: [UInt8], value: [UInt8])]
}
