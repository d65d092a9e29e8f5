import Netlink

extension MessageBuilder {
    /// Appends an attribute for a setting that is there; nil is as the kernel has it and appends nothing.
    mutating func put(_ attribute: Int, optional value: Bool?) { if let value { put(attribute, value) } }
    mutating func put(_ attribute: Int, optional value: UInt8?) { if let value { put(attribute, value) } }
    mutating func put(_ attribute: Int, optional value: UInt16?) { if let value { put(attribute, value) } }
    mutating func put(_ attribute: Int, optional value: UInt32?) { if let value { put(attribute, value) } }
    mutating func put(_ attribute: Int, optional value: UInt64?) { if let value { put(attribute, value) } }
    mutating func put(_ attribute: Int, optional value: Int32?) { if let value { put(attribute, value) } }
}
