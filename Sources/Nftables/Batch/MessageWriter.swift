import CLinux
import CNftnl

/// Lays out messages one after another. libnftnl writes each into scratch memory, from where it is copied.
@safe struct MessageWriter: ~Copyable {
    /// libnftnl does not ask how much room there is: a list of elements takes 64 KiB and up to one element more, a rule
    /// of at most 128 expressions less. Pages that nobody touches cost nothing.
    private static let capacity = 256 << 10

    private let scratch: UnsafeMutableRawBufferPointer
    private(set) var bytes: [UInt8] = []

    init() {
        unsafe scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.capacity, alignment: 16)
    }

    deinit { unsafe scratch.deallocate() }

    /// The marks between which the kernel takes everything or nothing.
    mutating func begin(sequence: UInt32) { unsafe mark(sequence, nftnl_batch_begin) }
    mutating func end(sequence: UInt32) { unsafe mark(sequence, nftnl_batch_end) }

    private mutating func mark(
        _ sequence: UInt32, _ build: (UnsafeMutablePointer<CChar>?, UInt32) -> UnsafeMutablePointer<nlmsghdr>?
    ) {
        unsafe scratch.withMemoryRebound(to: CChar.self) { buffer in
            _ = unsafe build(buffer.baseAddress, sequence)
        }
        finish()
    }

    /// Lays out one message of nftables. `type` is an `NFT_MSG_*`, `flags` are `NLM_F_*`.
    mutating func append(
        _ type: nf_tables_msg_types, _ family: Family, flags: Int32, sequence: UInt32,
        _ body: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        unsafe scratch.withMemoryRebound(to: CChar.self) { buffer in
            guard
                let header = unsafe nftnl_nlmsg_build_hdr(
                    buffer.baseAddress, UInt16(type.rawValue), UInt16(family.rawValue), UInt16(flags), sequence)
            else { return }
            unsafe body(header)
        }
        finish()
    }

    private mutating func finish() {
        let length = unsafe Int(scratch.load(as: nlmsghdr.self).nlmsg_len)
        unsafe bytes.append(contentsOf: scratch.prefix((length + 3) & ~3))
    }

    /// Has the kernel acknowledge the message that begins at an offset of `bytes`.
    mutating func acknowledge(messageAt offset: Int) {
        let field = offset + 6  // `nlmsg_flags`, behind a length of four bytes and a type of two
        let flags = UInt16(NLM_F_ACK)
        bytes[field] |= UInt8(truncatingIfNeeded: flags.littleEndian == flags ? flags : flags >> 8)
    }
}
