import CLinux
import CMnl
import Glibc
import Testing

/// The functions of libmnl that we bring along, against the library's own.
@Suite struct MnlTests {
    private typealias Callback = @convention(c) (UnsafePointer<nlattr>?, UnsafeMutableRawPointer?) -> Int32

    /// A function of the library; its users link it, so it is there wherever these tests run.
    private static func library<Function>(_ name: String, as type: Function.Type) throws -> Function {
        let library = try #require(dlopen("libmnl.so.0", RTLD_NOW | RTLD_LOCAL))
        return unsafeBitCast(try #require(dlsym(library, name)), to: Function.self)
    }

    /// A message with everything in it that can be put into one.
    private static func message(
        _ header: (UnsafeMutableRawPointer?) -> UnsafeMutablePointer<nlmsghdr>?,
        _ extra: (UnsafeMutablePointer<nlmsghdr>?, Int) -> UnsafeMutableRawPointer?,
        _ put: (UnsafeMutablePointer<nlmsghdr>?, UInt16, Int, UnsafeRawPointer?) -> Void,
        _ word: (UnsafeMutablePointer<nlmsghdr>?, UInt16, UInt32) -> Void,
        _ long: (UnsafeMutablePointer<nlmsghdr>?, UInt16, UInt64) -> Void,
        _ byte: (UnsafeMutablePointer<nlmsghdr>?, UInt16, UInt8) -> Void,
        _ text: (UnsafeMutablePointer<nlmsghdr>?, UInt16, UnsafePointer<CChar>?) -> Void,
        _ start: (UnsafeMutablePointer<nlmsghdr>?, UInt16) -> UnsafeMutablePointer<nlattr>?,
        _ end: (UnsafeMutablePointer<nlmsghdr>?, UnsafeMutablePointer<nlattr>?) -> Void
    ) -> [UInt8] {
        // Zeroes, because only newer libraries write them behind a value.
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            let message = header(bytes.baseAddress)
            message?.pointee.nlmsg_type = 17
            // A fixed part that does not end where an attribute may begin.
            extra(message, 6)?.storeBytes(of: 0x0102, as: UInt16.self)
            word(message, 1, 0x0102_0304)
            let outer = start(message, 2)
            long(message, 3, .max - 5)
            byte(message, 4, 7)
            let inner = start(message, 5)
            text(message, 6, "published4")
            text(message, 7, "")
            end(message, inner)
            put(message, 8, 0, nil)
            put(message, 9, 5, [1, 2, 3, 4, 5] as [UInt8])
            end(message, outer)
            end(message, start(message, 10))
            return Int(message?.pointee.nlmsg_len ?? 0)
        }
        return Array(buffer.prefix(count))
    }

    @Test func whatIsWrittenIsTheSame() throws {
        typealias Message = UnsafeMutablePointer<nlmsghdr>?
        let theirs = Self.message(
            try Self.library(
                "mnl_nlmsg_put_header",
                as: (@convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutablePointer<nlmsghdr>?).self),
            try Self.library(
                "mnl_nlmsg_put_extra_header", as: (@convention(c) (Message, Int) -> UnsafeMutableRawPointer?).self),
            try Self.library(
                "mnl_attr_put", as: (@convention(c) (Message, UInt16, Int, UnsafeRawPointer?) -> Void).self),
            try Self.library("mnl_attr_put_u32", as: (@convention(c) (Message, UInt16, UInt32) -> Void).self),
            try Self.library("mnl_attr_put_u64", as: (@convention(c) (Message, UInt16, UInt64) -> Void).self),
            try Self.library("mnl_attr_put_u8", as: (@convention(c) (Message, UInt16, UInt8) -> Void).self),
            try Self.library(
                "mnl_attr_put_strz", as: (@convention(c) (Message, UInt16, UnsafePointer<CChar>?) -> Void).self),
            try Self.library(
                "mnl_attr_nest_start", as: (@convention(c) (Message, UInt16) -> UnsafeMutablePointer<nlattr>?).self),
            try Self.library(
                "mnl_attr_nest_end", as: (@convention(c) (Message, UnsafeMutablePointer<nlattr>?) -> Void).self))
        let ours = Self.message(
            mnl_nlmsg_put_header, mnl_nlmsg_put_extra_header, mnl_attr_put, mnl_attr_put_u32, mnl_attr_put_u64,
            mnl_attr_put_u8, mnl_attr_put_strz, mnl_attr_nest_start, mnl_attr_nest_end)
        #expect(ours == theirs)
        #expect(ours.count > 100)
    }

    @Test func valuesOfEveryLengthAreJudgedTheSame() throws {
        let theirs = try Self.library(
            "mnl_attr_validate", as: (@convention(c) (UnsafePointer<nlattr>?, mnl_attr_data_type) -> Int32).self)
        for type in 0...MNL_TYPE_MAX.rawValue + 1 {
            for length in 0...12 {
                for last in [UInt8(0), 1] {
                    var bytes = [UInt8](repeating: last, count: 16)
                    bytes.replaceSubrange(0..<4, with: [UInt8(4 + length), 0, 1, 0])
                    bytes.withUnsafeBytes { bytes in
                        let attribute = bytes.baseAddress?.assumingMemoryBound(to: nlattr.self)
                        let kind = mnl_attr_data_type(rawValue: type)
                        #expect(
                            mnl_attr_validate(attribute, kind) == theirs(attribute, kind), "type \(type), \(length)")
                    }
                }
            }
        }
    }

    /// Lengths that lie: what is cut short, shorter than its own header or longer than the rest ends the reading.
    @Test func garbageIsReadTheSame() throws {
        let theirs = try Self.library(
            "mnl_attr_parse_nested",
            as: (@convention(c) (UnsafePointer<nlattr>?, Callback?, UnsafeMutableRawPointer?) -> Int32).self)
        let note: Callback = { attribute, data in
            guard let attribute, let seen = data?.assumingMemoryBound(to: [UInt16].self) else { return -1 }
            let type = mnl_attr_get_type(attribute)
            seen.pointee += [type, mnl_attr_get_payload_len(attribute)]
            // Some refuse, some have seen enough.
            return type == 3 ? -1 : type == 5 ? 0 : 1
        }
        var generator = SystemRandomNumberGenerator()
        var longest = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...12, using: &generator) * 4
            var bytes: [UInt8] = []
            while bytes.count < 4 + count {
                let length = UInt8.random(in: 0...24, using: &generator)
                bytes += [length, 0, UInt8.random(in: 0...40, using: &generator), 0]
                bytes += [UInt8](repeating: 0, count: Int(length) & ~3 > 4 ? Int(length) & ~3 - 4 : 0)
            }
            bytes.replaceSubrange(0..<4, with: [UInt8(4 + count), 0, 1, 0])
            bytes.withUnsafeBytes { bytes in
                let attribute = bytes.baseAddress?.assumingMemoryBound(to: nlattr.self)
                var (ours, expected): ([UInt16], [UInt16]) = ([], [])
                let own = withUnsafeMutablePointer(to: &ours) { mnl_attr_parse_nested(attribute, note, $0) }
                let wanted = withUnsafeMutablePointer(to: &expected) { theirs(attribute, note, $0) }
                #expect(own == wanted)
                #expect(ours == expected)
                longest = max(longest, ours.count / 2)
            }
        }
        #expect(longest > 2)
    }
}
