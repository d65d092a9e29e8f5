public import JSONCoding

/// An error as a CNI plugin tells it: a number that runtimes act on, and words for people.
public struct CNIError: Error, Hashable, Sendable {
    /// Section 5, Error. 0 to 99 are the specification's, the rest are ours.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public var rawValue: Int

        public init(rawValue: Int) { self.rawValue = rawValue }

        public static let incompatibleVersion = Code(rawValue: 1)
        /// A key that is understood and cannot be done. The message has the key and its value.
        public static let unsupportedField = Code(rawValue: 2)
        /// There is no such container, and nothing of it has to be cleaned up.
        public static let unknownContainer = Code(rawValue: 3)
        /// The message has the names of the variables.
        public static let invalidEnvironment = Code(rawValue: 4)
        public static let inputOutput = Code(rawValue: 5)
        public static let undecodable = Code(rawValue: 6)
        public static let invalidConfiguration = Code(rawValue: 7)
        /// ADD cannot be served.
        public static let unavailable = Code(rawValue: 50)
        /// ADD cannot be served, and containers that are connected may be cut off.
        public static let limited = Code(rawValue: 51)
        /// The kernel or the file system said no.
        public static let failed = Code(rawValue: 100)
        /// An interface, address, port or name that somebody has already.
        public static let taken = Code(rawValue: 101)
        /// CHECK found something missing or different.
        public static let broken = Code(rawValue: 102)
    }

    public var code: Code
    /// Lower case, no full stop.
    public var message: String
    /// What helps, when there is something.
    public var details: String

    public init(_ code: Code, _ message: String, details: String = "") {
        self.code = code
        self.message = message
        self.details = details
    }

    /// - Parameter version: The one in use; the latest as long as that is not known.
    public func json(_ version: CNIVersion = .latest) -> JSONValue {
        JSONValue([
            "cniVersion": .string(version.rawValue), "code": .integer(code.rawValue), "msg": .string(message),
            "details": details.isEmpty ? nil : .string(details),
        ])
    }
}

extension CNIError: CustomStringConvertible {
    public var description: String { details.isEmpty ? message : "\(message); \(details)" }
}
