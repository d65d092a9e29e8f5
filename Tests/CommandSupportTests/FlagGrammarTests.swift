import CommandSupport
import Testing

@Suite struct FlagGrammarTests {
    let grammar = FlagGrammar(
        [
            .init("detach", short: "d", help: ""), .init("interactive", short: "i", help: ""),
            .init("tty", short: "t", help: ""), .init("rm", help: ""),
            .init("name", value: "NAME", help: ""), .init("network", "net", value: "NETWORK", help: ""),
            .init("publish", short: "p", value: "PORT", help: ""), .init("env", short: "e", value: "VALUE", help: ""),
        ], interspersed: false)

    @Test func flagsEndAtTheImage() throws {
        let parsed = try grammar.parse(["-it", "--rm", "busybox", "ls", "-d", "--rm=false", "--nonsense"])
        #expect(parsed.isOn("interactive") && parsed.isOn("tty") && parsed.isOn("rm") && !parsed.isOn("detach"))
        #expect(parsed.arguments == ["busybox", "ls", "-d", "--rm=false", "--nonsense"])
    }

    @Test func twoDashesEndTheFlags() throws {
        #expect(try grammar.parse(["-d", "--", "-i", "x"]).arguments == ["-i", "x"])
        #expect(try grammar.parse(["-"]).arguments == ["-"])
    }

    @Test(arguments: [
        ["-p", "80:80"], ["-p80:80"], ["-p=80:80"], ["--publish", "80:80"], ["--publish=80:80"], ["-dp", "80:80"],
        ["-itdp80:80"],
    ])
    func everyWayToGiveAValue(_ arguments: [String]) throws {
        #expect(try grammar.parse(arguments).values("publish") == ["80:80"])
    }

    @Test func valuesRepeatAndTheLastOfOneCounts() throws {
        let parsed = try grammar.parse(["-e", "A=1", "--env=B=2=3", "--name", "a", "--name=b", "--net=x"])
        #expect(parsed.values("env") == ["A=1", "B=2=3"])
        #expect(parsed.value("name") == "b")
        #expect(parsed.value("network") == "x")
    }

    @Test func contradictionsAreRefusedWhereThatIsWanted() throws {
        var grammar = FlagGrammar([
            .init("name", short: "n", value: "NAME", help: ""), .init("rm", help: ""),
            .init("env", value: "VALUE", isRepeatable: true, help: ""),
        ])
        let words = ["--name", "a", "-n", "b", "--env=1", "--env=2"]
        #expect(try grammar.parse(words).value("name") == "b")
        grammar.refusesContradictions = true
        let error = #expect(throws: FlagError.self) { try grammar.parse(words) }
        #expect(error?.description == "'a' and 'b' for --name contradict each other")
        #expect(throws: FlagError.self) { try grammar.parse(["--rm", "--rm=false"]) }
        let same = try grammar.parse(["--name", "a", "-na", "--rm", "--rm=1", "--env=1", "--env=2"])
        #expect(same.value("name") == "a" && same.isOn("rm") && same.values("env") == ["1", "2"])
    }

    @Test func aValueMayLookLikeAFlag() throws {
        #expect(try grammar.parse(["-e", "-d", "--name", "--rm"]).value("name") == "--rm")
    }

    @Test func switchesCanBeTurnedOff() throws {
        #expect(try !grammar.parse(["--rm", "--rm=false"]).isOn("rm"))
        #expect(try grammar.parse(["-d=1"]).isOn("detach"))
    }

    @Test(arguments: [
        (["--restart=always", "x"], "unknown flag: --restart"), (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["-itz"], "unknown shorthand flag: 'z' in -itz"), (["--name"], "flag needs an argument: --name"),
        (["-p"], "flag needs an argument: 'p' in -p"),
        (["--rm=maybe"], "invalid argument \"maybe\" for \"--rm\" flag: not a truth value"),
        (["--="], "unknown flag: --"),
    ])
    func badOnesAreNamed(_ arguments: [String], _ message: String) {
        #expect(throws: FlagError(message)) { try grammar.parse(arguments) }
    }

    @Test func interspersedFlagsMayFollow() throws {
        let parsed = try FlagGrammar([.init("all", short: "a", help: "")]).parse(["x", "-a", "y"])
        #expect(parsed.arguments == ["x", "y"])
        #expect(parsed.isOn("all"))
    }
}
