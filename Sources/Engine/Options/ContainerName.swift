import LinuxSystem

/// Names of containers and volumes: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, as docker has them.
public enum ContainerName {
    public static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128, isAlphanumeric(first) else { return false }
        return text.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
    }

    /// - Throws: `EngineError` that says what is allowed.
    public static func check(_ text: String) throws(EngineError) {
        guard isValid(text) else {
            throw EngineError(
                .invalid,
                "invalid container name '\(text)' (letters, digits, '_', '.', '-'; the first a letter or digit; at most 128)"
            )
        }
    }

    /// A name for a container that was given none: an adjective and a word of the sea.
    public static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let adjective = adjectives.randomElement(using: &generator) ?? "calm"
        let noun = nouns.randomElement(using: &generator) ?? "harbor"
        return "\(adjective)_\(noun)"
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }

    private static let adjectives = """
        able agile amber ample apt azure bold brave breezy brief bright brisk calm candid careful cheery civil clean \
        clear clever cobalt coral cosy crisp curious daring deft dusky eager early earnest easy even exact fair fast \
        fine firm fleet fluent fond frank free fresh gentle glad golden grand hardy hazel humble ivory jolly keen kind \
        late level light lively lucid lucky mellow merry mild modest neat nimble noble olive orderly patient placid \
        plain polite proud prompt quick quiet rapid ready rosy round rustic sandy serene sharp silver simple sleek \
        smart snug sober solid spry stable steady still stout sunny swift tidy tough trim trusty upbeat vivid warm \
        wary wise witty young zesty
        """.split(separator: " ")

    private static let nouns = """
        anchor atoll ballast barge bay beacon berth boom bow breaker brig buoy cabin canal canoe cape captain cargo \
        channel coast compass coral cove crane crest crew current cutter deck delta derrick dinghy dock dolphin drift \
        eddy estuary ferry fjord flagship fleet foghorn galleon galley gangway gull halyard harbor haven headland helm \
        hull inlet island jetty jib kayak keel ketch knot lagoon launch lighthouse lock longboat mainsail marina \
        mariner mast moorage narwhal navigator oar ocean osprey otter packet pelican pier pilot pinnace port prow quay \
        raft reef rigging rudder sail sandbar schooner seal sextant shoal skiff sloop sound spar stern strait surf \
        tanker tender tide tiller trawler tugboat vessel voyage wake wharf whale winch yacht
        """.split(separator: " ")
}
