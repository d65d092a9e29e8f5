import JSONCoding
import RuntimeSpec
import TestSupport
import Testing

/// Whatever is in `config.json`, an answer comes out: a document that can be used, or an error with a field.
@Suite("config.json at random")
struct SpecFuzzTests {
    private func answer(_ bytes: [UInt8]) {
        do throws(SpecError) {
            let spec = try Spec(json: bytes)
            try spec.validate()
            // What is taken is kept: it says the same when it is written down.
            #expect(try Spec(json: spec.document) == spec)
        } catch {
            #expect(!error.reason.isEmpty && !error.description.contains("\n"), "\(error)")
        }
    }

    @Test func `the document itself is fine`() throws {
        try Spec(json: Array(RuntimeDocument.text.utf8)).validate()
    }

    @Test(arguments: [#"{"li\nux": {"a" 1}}"#, #"{"root": {"path": "/"}, "ociVersion": "1\u001b[2J"}"#])
    func `names and values of the document cannot break the line`(document: String) {
        answer(Array(document.utf8))
    }

    @Test(arguments: SplitMix.seeds(2, for: "changed documents"))
    func `bytes that are changed, taken out and put in`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        for _ in 0..<1_000 { answer(Mutations.bytes(of: RuntimeDocument.text, using: &generator)) }
    }

    @Test(arguments: Mutations.values)
    func `values that stand where others should`(value: JSONCoding.JSONValue) throws {
        let document = try JSONCoding.JSONValue(parsing: Array(RuntimeDocument.text.utf8))
        for changed in Mutations.replacements(of: document, by: value) { answer(changed.bytes) }
    }
}
