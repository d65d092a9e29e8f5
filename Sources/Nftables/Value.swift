public import Addressing

/// A constant of a rule, or a component of an element's key or data.
///
/// A text literal is an interface's name.
public enum Value: Hashable, Sendable {
    case ipv4(IPv4Address)
    case ipv6(IPv6Address)
    /// All addresses of a subnet. In a match, or in a set with the `interval` flag.
    case prefix(IPPrefix)
    /// A transport port: `inet_service`.
    case service(UInt16)
    case proto(InternetProtocol)
    /// At most 15 bytes; the interface need not exist.
    case ifname(String)
    case ether(MACAddress)
    /// A type that is kept in the machine's byte order: a mark, an interface's index, state bits.
    case integer(UInt32)
    /// A value of any type as it lies in a register.
    case bytes([UInt8])
    /// Both ends are part of it. In a match, or in a set with the `interval` flag.
    indirect case range(Value, Value)

    /// A single address of either family.
    public static func address(_ address: IPAddress) -> Value {
        switch address {
        case .v4(let address): .ipv4(address)
        case .v6(let address): .ipv6(address)
        }
    }

    /// Ports first to last; a single port when they are the same.
    public static func services(_ ports: PortRange) -> Value {
        ports.first == ports.last ? .service(ports.first) : .range(.service(ports.first), .service(ports.last))
    }
}

extension Value: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self = .ifname(name) }
}

extension Value {
    /// Whether it stands for more than one value.
    var isInterval: Bool {
        switch self {
        case .range: true
        case .prefix(let prefix): prefix.length < prefix.family.bitWidth
        default: false
        }
    }

    /// The ends of the value, each itself when it is a single one.
    var first: Value {
        switch self {
        case .range(let first, _): first
        case .prefix(let prefix): .address(prefix.network.address)
        default: self
        }
    }

    var last: Value {
        switch self {
        case .range(_, let last): last
        case .prefix(let prefix): .address(prefix.last)
        default: self
        }
    }

    /// Appends a single value as it lies in a register.
    ///
    /// - Returns: false when the value is not of this type; nothing is appended then.
    func append(to bytes: inout [UInt8], as type: DataType) -> Bool {
        switch self {
        case .ipv4(let address):
            guard type == .ipv4Addr else { return false }
            bytes.append(bigEndian: address.rawValue)
        case .ipv6(let address):
            guard type == .ipv6Addr else { return false }
            bytes.append(bigEndian: address.high)
            bytes.append(bigEndian: address.low)
        case .service(let port):
            guard type == .inetService else { return false }
            bytes.append(bigEndian: port)
        case .proto(let number):
            guard type == .inetProto else { return false }
            bytes.append(number.rawValue)
        case .ifname(let name):
            // A zero would end the name early; the kernel compares all 16 bytes.
            let length = name.utf8.count
            guard type == .ifname, length > 0, length < type.length, !name.utf8.contains(0) else { return false }
            bytes.append(contentsOf: name.utf8)
            bytes.append(contentsOf: repeatElement(0, count: type.length - length))
        case .ether(let address):
            guard type == .etherAddr else { return false }
            bytes.append(contentsOf: address.bytes)
        case .integer(let number):
            return bytes.append(number, as: type)
        case .bytes(let own):
            guard own.count == type.length else { return false }
            bytes.append(contentsOf: own)
        case .prefix, .range:
            guard !isInterval else { return false }
            return first.append(to: &bytes, as: type)
        }
        return true
    }

    /// A single value from its bytes in a register.
    init(_ bytes: some Collection<UInt8>, as type: DataType) {
        switch type {
        case .ipv4Addr: self = IPv4Address(bytes: bytes).map(Value.ipv4) ?? .bytes(Array(bytes))
        case .ipv6Addr: self = IPv6Address(bytes: bytes).map(Value.ipv6) ?? .bytes(Array(bytes))
        case .etherAddr: self = MACAddress(bytes: bytes).map(Value.ether) ?? .bytes(Array(bytes))
        case .inetService where bytes.count == 2: self = .service(bytes.reduce(0) { $0 << 8 | UInt16($1) })
        case .inetProto where bytes.count == 1: self = .proto(InternetProtocol(rawValue: bytes.first ?? 0))
        case .ifname: self = .ifname(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
        default:
            guard type.order == .host, bytes.count == 4 else {
                self = .bytes(Array(bytes))
                return
            }
            self = .integer(UInt32(inMachineOrder: bytes))
        }
    }

    /// The values from `first` to `last`: a single one or a prefix where that says the same.
    init(from first: Value, through last: Value) {
        if first == last {
            self = first
        } else if let prefix = IPPrefix(from: first.address, through: last.address) {
            self = .prefix(prefix)
        } else {
            self = .range(first, last)
        }
    }

    private var address: IPAddress? {
        switch self {
        case .ipv4(let address): .v4(address)
        case .ipv6(let address): .v6(address)
        default: nil
        }
    }
}

extension Value: CustomStringConvertible {
    /// As `nft` prints it.
    public var description: String {
        switch self {
        case .ipv4(let address): "\(address)"
        case .ipv6(let address): "\(address)"
        case .prefix(let prefix): "\(prefix)"
        case .service(let port): "\(port)"
        case .proto(let number): "\(number)"
        case .ifname(let name): "\"\(name)\""
        case .ether(let address): "\(address)"
        case .integer(let number): "0x\(String(number, radix: 16))"
        case .bytes(let bytes): "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        case .range(let first, let last): "\(first)-\(last)"
        }
    }
}

extension [Value] {
    /// `1.2.3.4 . tcp . 80`.
    var text: String { map(\.description).joined(separator: " . ") }
}

extension IPPrefix {
    /// The prefix whose addresses are exactly those from `first` to `last`; nil when there is none.
    fileprivate init?(from first: IPAddress?, through last: IPAddress?) {
        guard let first, let last, first.family == last.family else { return nil }
        let common = zip(first.bytes, last.bytes).map { $0 ^ $1 }
        let whole = common.prefix { $0 == 0 }.count
        let length = whole * 8 + (whole < common.count ? common[whole].leadingZeroBitCount : 0)
        self.init(address: first, length: length)
        guard isNetwork, self.last == last else { return nil }
    }
}

extension [UInt8] {
    mutating func append(bigEndian number: some FixedWidthInteger) {
        var shift = number.bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    /// Appends a number in the byte order of its type, when it fits.
    fileprivate mutating func append(_ number: UInt32, as type: DataType) -> Bool {
        guard type.length == 4 || [1, 2].contains(type.length) && number >> (8 * type.length) == 0 else { return false }
        switch type.length {
        case 1: append(UInt8(truncatingIfNeeded: number))
        case 2: append(bigEndian: type.order == .host ? UInt16(number).bigEndian : UInt16(number))
        default: append(bigEndian: type.order == .host ? number.bigEndian : number)
        }
        return true
    }
}

extension UInt32 {
    /// From four bytes in the machine's own order.
    init(inMachineOrder bytes: some Collection<UInt8>) {
        self.init(bigEndian: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    }
}
