import CommandSupport
import JSONCoding
import Testing

@Suite struct TextTableTests {
    @Test func `dictionaries are written in the order of their names, wherever they are`() throws {
        let numbers = Dictionary(uniqueKeysWithValues: (10..<40).map { ("n\($0)", $0) })
        let line = "{" + (10..<40).map { "\"n\($0)\":\($0)" }.joined(separator: ",") + "}"
        let layout = JSONEncoding.Layout(isIndented: false)
        func text(_ value: some Encodable) throws -> String {
            String(decoding: try JSONEncoding.encode(value, layout: layout), as: UTF8.self)
        }
        #expect(try text(numbers) == line)
        #expect(try text([numbers]) == "[\(line)]")
        struct Holder: Encodable {
            var z = 1
            var a: [String: Int]?
        }
        #expect(try text(Holder(a: numbers)) == "{\"z\":1,\"a\":\(line)}")
    }

    @Test func alignsLikeDocker() {
        var table = TextTable(["NAME", "DRIVER", "SUBNET"])
        table.add(["bridge", "bridge", "10.88.0.0/16"])
        table.add(["a-longer-name", "", "-"])
        #expect(
            table.text == """
                NAME            DRIVER   SUBNET
                bridge          bridge   10.88.0.0/16
                a-longer-name            -

                """)
    }

    @Test func aTableWithoutRowsIsItsHeading() {
        #expect(TextTable(["A", "B"]).text == "A   B\n")
    }

    @Test func cellsCannotBreakTheTable() {
        var table = TextTable(["A"])
        table.add(["x\ny\u{1b}[31m", "surplus"])
        #expect(table.text == "A\nx\\x0ay\\x1b[31m\n")
    }
}

@Suite struct PrintableTests {
    @Test(arguments: [
        ("plain text", "plain text"), ("naïve ✓", "naïve ✓"), ("a\tb\r\n", "a\\x09b\\x0d\\x0a"),
        ("\u{202e}gpj", "\\u{202e}gpj"), ("\u{7f}", "\\x7f"), ("\u{9b}", "\\u{9b}"),
    ])
    func escapesWhatWouldActOnATerminal(_ text: String, _ shown: String) {
        #expect(text.printable == shown)
    }
}

@Suite struct JSONOutputTests {
    struct Value: Encodable {
        var name = "a : \"b\" : c\\"
        var path = "/x/y"
        var list = [1, 2]
    }

    @Test func isPrettyAndSorted() throws {
        #expect(
            try JSONOutput.text(Value()) == """
                {
                  "list": [
                    1,
                    2
                  ],
                  "name": "a : \\"b\\" : c\\\\",
                  "path": "/x/y"
                }
                """)
    }

    @Test func compactIsOneLine() throws {
        #expect(try JSONOutput.text([1, 2], pretty: false) == "[1,2]")
    }
}

@Suite struct OutputFormatTests {
    @Test func namesTheChoices() {
        #expect(throws: CommandFailure("unknown format 'yaml' (table or json)", status: .usage)) {
            try OutputFormat(parsing: "yaml")
        }
        #expect((try? OutputFormat(parsing: "json")) == .json)
    }
}
