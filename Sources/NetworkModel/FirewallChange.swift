public import JSONCoding
/// What one operation changes in the firewall; it is exactly one batch, so all of it happens or nothing.
public struct FirewallChange: Hashable, Sendable {
    public var removed: [FirewallElement]
    public var added: [FirewallElement]

    public init(removed: [FirewallElement] = [], added: [FirewallElement] = []) {
        self.removed = removed
        self.added = added
    }

    /// What makes the one out of the other, and touches nothing that is in both. Each has nothing twice.
    public init(from before: [FirewallElement], to after: [FirewallElement]) {
        (removed, added) = before.changes(to: after)
    }

    public var inverse: FirewallChange { FirewallChange(removed: added, added: removed) }
    public var isEmpty: Bool { removed.isEmpty && added.isEmpty }
}

extension FirewallChange: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        self.init(removed: try json.list("removed"), added: try json.list("added"))
    }

    public var json: JSONValue { JSONValue(["removed": JSONValue(removed), "added": JSONValue(added)]) }
}
