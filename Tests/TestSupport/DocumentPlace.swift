public import JSONCoding

/// A place in a JSON document, written as errors write it: `process.rlimits[2].type`.
public struct DocumentPlace: Hashable, Sendable, CustomStringConvertible {
    enum Step: Hashable, Sendable {
        case member(String)
        case element(Int)
    }
    var steps: [Step]

    init(_ steps: [Step]) { self.steps = steps }

    /// Reads a place whose members have no dots and brackets in their names.
    public init(_ text: String) {
        steps = []
        for part in text.split(separator: ".") {
            let names = part.split(separator: "[")
            if let name = names.first { steps.append(.member(String(name))) }
            for index in names.dropFirst().compactMap({ Int($0.dropLast()) }) { steps.append(.element(index)) }
        }
    }

    public var description: String {
        steps.reduce(into: "") { text, step in
            switch step {
            case .member(let name): text += text.isEmpty ? name : ".\(name)"
            case .element(let index): text += "[\(index)]"
            }
        }
    }

    /// The place of a member or an element of what is here.
    public func appending(_ name: String) -> DocumentPlace { DocumentPlace(steps + [.member(name)]) }
    public func appending(_ index: Int) -> DocumentPlace { DocumentPlace(steps + [.element(index)]) }
}

extension JSONCoding.JSONValue {
    /// Every place below the top with what is there, in the order of the document.
    public var places: [(place: DocumentPlace, value: JSONCoding.JSONValue)] { places(below: DocumentPlace([])) }

    private func places(below place: DocumentPlace) -> [(place: DocumentPlace, value: JSONCoding.JSONValue)] {
        switch self {
        case .object(let members):
            members.flatMap { member in
                let inner = place.appending(member.name)
                return [(inner, member.value)] + member.value.places(below: inner)
            }
        case .array(let elements):
            elements.enumerated().flatMap { index, value in
                let inner = place.appending(index)
                return [(inner, value)] + value.places(below: inner)
            }
        default: []
        }
    }

    /// The document with another value at a place, or without one for nil. What is missing on the way is made.
    public func replacing(_ place: DocumentPlace, by value: JSONCoding.JSONValue?) -> JSONCoding.JSONValue {
        replacing(place.steps[...], by: value) ?? .null
    }

    private func replacing(
        _ steps: ArraySlice<DocumentPlace.Step>, by value: JSONCoding.JSONValue?
    ) -> JSONCoding.JSONValue? {
        guard let step = steps.first else { return value }
        switch step {
        case .member(let name):
            var members: [Member] = if case .object(let present) = self { present } else { [] }
            let index = members.firstIndex { $0.name == name }
            let inner = (index.map { members[$0].value } ?? .null).replacing(steps.dropFirst(), by: value)
            if let index { members.remove(at: index) }
            if let inner { members.insert(Member(name, inner), at: index ?? members.endIndex) }
            return .object(members)
        case .element(let index):
            var elements: [JSONCoding.JSONValue] = if case .array(let present) = self { present } else { [] }
            let isThere = elements.indices.contains(index)
            let inner = (isThere ? elements[index] : .null).replacing(steps.dropFirst(), by: value)
            if isThere { elements.remove(at: index) }
            if let inner { elements.insert(inner, at: min(index, elements.endIndex)) }
            return .array(elements)
        }
    }
}
