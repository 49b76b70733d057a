import Glibc
import Programs
import Testing

extension SystemTests {
    @Suite("sandbox", .kernel(.root, .cgroup2))
    struct SandboxSystemTests {
        @Test("a child stands in the sandbox's group before it says ready", .sandbox)
        func placed() throws {
            let sandbox = try Sandbox.of()
            let child = try sandbox.testkit("sleepers", "3")
            let unified = try #require(sandbox.unified)
            #expect(unified.processes.contains(child.id))
            #expect(unified.processes.count == 4)
        }

        @Test("a frozen group is thawed, emptied and removed by the teardown", .sandbox)
        func frozen() throws {
            let sandbox = try Sandbox.of()
            try sandbox.testkit("sleepers", "2")
            let unified = try #require(sandbox.unified)
            #expect(unified.setFrozen(true) == 0)
            #expect(eventually { unified.isFrozen })
            let below = unified.subgroup("below")
            #expect(Files.isFolder(below.path))
        }

        @Test("the v1 freezer is thawed too", .kernel(.v1freezer), .sandbox)
        func frozenInVersionOne() throws {
            let sandbox = try Sandbox.of()
            try sandbox.testkit("sleepers", "2", "--threads", "2")
            let freezer = try #require(sandbox.freezer)
            #expect(freezer.setFrozen(true) == 0)
            #expect(eventually { freezer.isFrozen })
        }

        @Test("a folder with names that are no text is removed", .sandbox)
        func names() throws {
            let folder = try Sandbox.of().folder
            let result = try Program(
                "/bin/sh",
                [
                    "-c",
                    "mkdir \"$1/$(printf '\\377')\" && touch \"$1/$(printf '\\377/\\376\\n')x\" && ln -s /etc $1/link",
                    "sh", folder,
                ]
            ).run()
            #expect(result.status == 0, "\(result.errorText)")
        }

        @Test("a program that outlives its deadline is killed and told")
        func deadline() throws {
            #expect(throws: Program.Problem.self) {
                try Program("/bin/sleep", ["30"]).run(within: .milliseconds(100))
            }
        }
    }
}
