/// How much an archive may unpack to, so that a small file cannot fill the disk or the day.
///
/// The defaults are far above what real images hold. All of them are enforced while streaming, before the byte or entry
/// that is one too many reaches the disk.
public struct ArchiveLimits: Hashable, Sendable {
    /// Uncompressed bytes of one archive, and the largest size one of its files may claim.
    public var bytes: Int64 = 64 << 30
    /// Entries of one archive.
    public var entries = 1_000_000
    /// Uncompressed bytes for each compressed one. Programs and libraries compress to a quarter, zeros with gzip to a
    /// thousandth.
    public var ratio: Int64 = 200
    /// Uncompressed bytes below which the ratio does not matter.
    public var ratioFloor: Int64 = 256 << 20
    /// Bytes of one JSON document.
    public var documentBytes = 4 << 20
    /// Layers of one image.
    public var layers = 127

    public init() {}
}
