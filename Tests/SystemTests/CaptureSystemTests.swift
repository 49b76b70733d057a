import Glibc
import Programs
import Testing

extension SystemTests {
    /// `quell capture` as a responder runs it, when things go wrong half way.
    @Suite("capture", .kernel(.root, .cgroup2, .program("python3"), .program("unshare")))
    struct CaptureSystemTests {
        @Test("a disk that a capture fills ends it in a sealed bundle that says so, the session stays frozen", .sandbox)
        func fullDisk() throws {
            let scene = try CaptureScene(in: try Sandbox.of())
            defer { scene.clean() }
            #expect(try scene.sh("head -c 16777216 /dev/urandom > w/noise").status == 0)
            // A mount namespace of its own: whatever happens here, the mount goes with its last process.
            let result = try scene.shell(
                """
                mount -t tmpfs -o size=8m,mode=700 tmpfs store && quell init && cp agents.yaml store/ || exit 70
                quell freeze agent:bench; echo "freeze $?"
                quell capture agent:bench; echo "capture $?"
                quell bundle verify store/cases/*/bundles/*-1; echo "verify $?"
                quell case journal $(basename store/cases/*) --verify; echo "journal $?"
                """,
                through: ["/usr/bin/unshare", "--mount", "--propagation", "private"]
            ).run(within: .seconds(60))
            let said = "\(result.text)\n\(result.errorText)"
            #expect(result.text.contains("freeze 0\n"), "\(said)")
            #expect(result.text.contains("capture 3\n"), "\(said)")
            #expect(result.text.contains("verify 0\n"), "\(said)")
            #expect(result.text.contains("journal 0\n"), "\(said)")
            #expect(said.contains("no room was left where the bundle goes"), "\(said)")
            #expect(try scene.isFrozen())
        }

        @Test("Ctrl-C seals what is there as partial, and the session stays frozen", .sandbox)
        func interrupted() throws {
            let scene = try CaptureScene(in: try Sandbox.of(), roots: ["w", "later"])
            defer { scene.clean() }
            #expect(Files.write("held back", to: scene.folder + "/w/leased") == 0)
            #expect(Files.write("never reached", to: scene.folder + "/later/file") == 0)
            #expect(try scene.sh("quell init && cp agents.yaml store/ && quell freeze agent:bench").status == 0)
            // The capture comes to a file with a lease and waits for its holder: a moment that both sides know.
            let holder = try scene.sandbox.start(
                Program(
                    "/usr/bin/python3",
                    [
                        "-c",
                        """
                        import fcntl, os, signal
                        signal.signal(signal.SIGIO, lambda *_: print('asked', flush=True))
                        lease = os.open('w/leased', os.O_RDWR)
                        fcntl.fcntl(lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                        print('ready', flush=True)
                        while True: signal.pause()
                        """,
                    ],
                    directory: scene.folder
                )
            )
            _ = try holder.line { $0 == "ready" }
            let capture = try scene.sandbox.start(scene.quell(["capture", "agent:bench"]))
            _ = try holder.line { $0 == "asked" }
            capture.signal(SIGINT)
            let result = try capture.finish(within: .seconds(20))
            let said = "\(result.text)\n\(result.errorText)"
            #expect(result.status == 130, "\(said)")
            #expect(result.text.contains("capture partial\n"), "\(said)")
            #expect(result.text.contains("workspace leased is failed: somebody holds a lease on it"), "\(said)")
            #expect(result.text.contains("workspace-2 \(scene.folder)/later is skipped: cancelled"), "\(said)")
            let check = try scene.sh("quell bundle verify store/cases/*/bundles/*-1")
            #expect(check.status == 0, "\(check.text) \(check.errorText)")
            #expect(try scene.isFrozen())
        }
    }
}

/// A store, a workspace and an inventory in one folder, and one sleeping process in the sandbox's group.
private struct CaptureScene {
    let sandbox: Sandbox
    /// Not below /tmp: a store there would be refused, everybody may write it.
    let folder: String
    private let binary: String

    init(in sandbox: Sandbox, roots: [String] = ["w"]) throws {
        self.sandbox = sandbox
        folder = try #require(Files.makeTemporaryFolder("/var/lib/\(sandbox.name)-XXXXXX"))
        binary = try Sandbox.testkitPath().split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        try sandbox.testkit("sleepers", "1", in: .unified)
        for name in roots + ["store"] { #expect(mkdir("\(folder)/\(name)", 0o700) == 0) }
        let inventory = """
            agents:
              - name: bench
                owner: test
                locator: "cgroup:/\(sandbox.name)"
                workspace: [\(roots.map { "\(folder)/\($0)" }.joined(separator: ", "))]

            """
        #expect(Files.write(inventory, to: folder + "/agents.yaml") == 0)
    }

    func clean() { _ = Files.removeTree(folder) }

    func isFrozen() throws -> Bool {
        let group = try #require(sandbox.unified)
        return try #require(Files.text(group.path + "/cgroup.events")).contains("frozen 1")
    }

    func quell(_ arguments: [String]) -> Program {
        Program("\(binary)/quell", arguments, environment: environment, directory: folder)
    }

    func sh(_ script: String) throws -> Program.Result { try shell(script).run(within: .seconds(60)) }

    func shell(_ script: String, through words: [String] = []) -> Program {
        let whole = words + ["/bin/sh", "-c", script]
        return Program(whole[0], Array(whole.dropFirst()), environment: environment, directory: folder)
    }

    private var environment: [String: String] {
        [
            "PATH": "\(binary):/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "QUELL_STORE": "\(folder)/store",
            "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
        ]
    }
}
