import RuntimeSpec
import Testing

@testable import ContainerRuntime

@Suite("Landlock rules on kernels that know less")
struct LandlockTests {
    private static func spec(_ isRequired: Bool) -> Spec {
        var spec = Spec()
        spec.annotations = [
            Spec.Landlock.annotation: """
            {"ruleset": {"handledAccessFS": ["LANDLOCK_ACCESS_FS_WRITE_FILE", "LANDLOCK_ACCESS_FS_TRUNCATE"],
              "handledAccessNet": ["LANDLOCK_ACCESS_NET_CONNECT_TCP"], "scoped": ["LANDLOCK_SCOPE_SIGNAL"]},
             "rules": {"pathBeneath": [{"allowedAccess": ["LANDLOCK_ACCESS_FS_TRUNCATE"], "paths": ["/a", "/b"]},
                {"allowedAccess": ["LANDLOCK_ACCESS_FS_WRITE_FILE", "LANDLOCK_ACCESS_FS_TRUNCATE"], "paths": ["/c"]}],
              "netPort": [{"allowedAccess": ["LANDLOCK_ACCESS_NET_CONNECT_TCP"], "ports": [80, 443]}]},
             "disableBestEffort": \(isRequired)}
            """
        ]
        return spec
    }

    @Test func `a version that knows everything gets everything`() throws {
        var warnings: [String] = []
        let step = try #require(try LandlockStep(Self.spec(true), version: { 6 }, warn: { warnings.append($0) }))
        #expect(step.files == 1 << 1 | 1 << 14 && step.ports == 1 << 1 && step.scopes == 1 << 1)
        #expect(step.pathRules.map(\.path) == ["/a", "/b", "/c"] && step.portRules.map(\.port) == [80, 443])
        #expect(warnings.isEmpty)
    }

    @Test func `with best effort, what an old version lacks is left out and told`() throws {
        var warnings: [String] = []
        let step = try #require(try LandlockStep(Self.spec(false), version: { 2 }, warn: { warnings.append($0) }))
        #expect(step.files == 1 << 1 && step.ports == 0 && step.scopes == 0)
        // A rule of which nothing is left would be refused by the kernel.
        #expect(step.pathRules.map(\.path) == ["/c"] && step.portRules.isEmpty)
        #expect(warnings.count == 1)
        for name in ["FS_TRUNCATE", "NET_CONNECT_TCP", "SCOPE_SIGNAL", "version 2"] {
            #expect(warnings.first?.contains(name) == true, "\(warnings)")
        }
        #expect(try LandlockStep(Self.spec(false), version: { -1 }, warn: { warnings.append($0) }) == nil)
        #expect(warnings.last?.contains("no Landlock") == true)
    }

    @Test(arguments: [Int32(-1), 0, 2, 5]) func `without best effort it is an error`(version: Int32) throws {
        let error = #expect(throws: SpecError.self) {
            try LandlockStep(Self.spec(true), version: { version }, warn: { _ in })
        }
        #expect(error?.field == "annotations[\(Spec.Landlock.annotation)]")
        #expect(error?.reason.contains("LANDLOCK_SCOPE_SIGNAL") == true)
    }

    @Test func `a document without the annotation is asked nothing`() throws {
        let step = try LandlockStep(
            Spec(),
            version: {
                Issue.record("the kernel was asked")
                return 0
            }, warn: { _ in })
        #expect(step == nil)
    }
}
