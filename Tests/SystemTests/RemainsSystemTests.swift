import Base
import Glibc
import Programs
import Testing

extension SystemTests {
    /// What a session left on the disk of the host, as a responder captures it.
    @Suite("remains", .kernel(.root, .cgroup2, .podman, .program("unshare"), .program("python3")))
    struct RemainsSystemTests {
        private static let work = """
            b=/bin/busybox; echo said; echo new >/new; $b rm /bin/kill; echo more >/bin/note; $b mkdir /tmp/old; \
            echo z >/tmp/old/z; echo quick >/scratch/s; $b chmod 700 /etc; $b rm -r /run; $b mkdir /run; exec $b sleep 1000
            """

        @Test("a container's upper layer is kept with its whiteouts, what changed is told as podman tells it", .sandbox)
        func container() throws {
            let place = try Place()
            defer { place.clean() }
            try PodmanContainer.with("--tmpfs", "/scratch", "-e", "API_KEY=hush", command: "sh", "-c", Self.work) {
                it in
                #expect(eventually(within: .seconds(10)) { it.layerHas("tmp/old/z") && it.logHas("said") })
                _ = try place.sh("quell init")
                let captured = try place.sh("quell capture podman:\(it.name)")
                // What the tmpfs hides of the image lies in a mount namespace that Quell does not enter, and is told so.
                #expect(captured.status == 3, "\(captured.text) \(captured.errorText)")
                #expect(captured.text.contains("parked overmounts is partial: /scratch"), "\(captured.text)")
                let bundle = try place.bundle()
                let verified = try place.sh("quell bundle verify \(bundle)")
                #expect(verified.status == 0, "\(verified.text) \(verified.errorText)")

                let changes = try place.lines("\(bundle)/data/changes.jsonl")
                func change(_ path: String) -> String? {
                    changes.first { $0["path"]?.string == path }?["change"]?.string
                }
                #expect(change("new") == "added" && change("tmp/old/z") == "added")
                #expect(change("bin/kill") == "deleted" && change("etc") == "metadata")
                #expect(change("run") == "replaced" || change("run") == nil)
                let told = Set(changes.compactMap { $0["path"]?.string })
                let diff = try PodmanContainer.podman("diff", it.name).text.split(separator: "\n").map(String.init)
                // podman tells of directories on the way, too, which are not changed themselves.
                let ways = ["C /bin", "C /tmp", "C /run", "C /etc"]
                for line in diff where !ways.contains(line) {
                    #expect(told.contains(String(line.dropFirst(3))), "\(line)")
                }
                let listed = try place.sh("cat \(bundle)/data/files/upper.pax.zst.* | zstd -dq | tar -tvf -")
                let whiteout = listed.text.split(separator: "\n").first { $0.hasSuffix("bin/kill") }
                #expect(whiteout?.hasPrefix("c") == true && whiteout?.contains("0,0") == true, "\(listed.text)")

                let account = try place.lines("\(bundle)/data/collection.jsonl")
                let scratch = account.first { $0["item"]?.string == "tree" && $0["path"]?.string == "/scratch" }
                let root = try #require(scratch?["root"]?.string)
                #expect(account.contains { $0["root"]?.string == root && $0["path"]?.string == "s" })
                let log = account.first { $0["path"]?.string?.hasSuffix("/ctr.log") == true }
                let member = try #require(log?["member"]?.string)
                #expect(Files.text("\(bundle)/\(member)")?.contains("said") == true)
                let config = try #require(Files.text("\(bundle)/data/runtime/config.json"))
                #expect(config.contains("API_KEY=<secret") && !config.contains("hush"))
                #expect(Files.text("\(bundle)/data/runtime/digests.json")?.contains("sha256:") == true)

                // The same container after its end: its files, and nothing that only a running one has.
                _ = try PodmanContainer.podman("kill", it.name)
                #expect(eventually(within: .seconds(10)) { (try? it.status().hasPrefix("Exited")) ?? false })
                let dead = try place.sh("quell capture podman:\(it.name)")
                #expect(dead.status == 0, "\(dead.text) \(dead.errorText)")
                let second = try place.bundle(not: bundle)
                let check = try place.sh("quell bundle verify \(second)")
                #expect(check.status == 0, "\(check.text) \(check.errorText)")
                let items = try place.lines("\(second)/data/collection.jsonl")
                for name in ["processes", "sockets", "mounts", "deletedFiles"] {
                    let item = items.first { $0["item"]?.string == name }
                    #expect(item?["outcome"]?.string == "skipped" && item?["reason"]?.string == "the session has ended")
                }
                #expect(items.contains { $0["root"]?.string == "upper" && $0["path"]?.string == "tmp/old/z" })
                #expect(try place.lines("\(second)/data/changes.jsonl").count == changes.count)
                // RT16: it pins nothing, so it is of no running session.
                #expect(Files.text("\(second)/data/session.json")?.contains("\"pins\":[]") == true)
            }
        }

        @Test("RT10 an upperdir= that spells a path of the host's is not opened there", .sandbox)
        func canary() throws {
            let place = try Place()
            defer { place.clean() }
            let canary = "\(place.folder)/canary"
            #expect(mkdir(canary, 0o700) == 0 && Files.write("of the host", to: "\(canary)/secret") == 0)
            // In its own mount namespace the path is a tmpfs of the session's; what mountinfo says names the canary.
            let script = """
                mount -t tmpfs none "$0" && mkdir "$0/canary" "$0/lower" "$0/work" "$0/merged" &&
                mount -t overlay o -o "userxattr,lowerdir=$0/lower,upperdir=$0/canary,workdir=$0/work" "$0/merged" &&
                echo mine >"$0/merged/mine" && grep -q "upperdir=$0/canary" /proc/self/mountinfo && echo ready && exec sleep 1000
                """
            let child = try place.sandbox.start(
                Program("/usr/bin/unshare", ["-Urm", "/bin/sh", "-c", script, place.folder])
            )
            _ = try child.line { $0 == "ready" }
            let watcher = try place.sandbox.start(Program("/usr/bin/python3", ["-c", Self.watch, canary]))
            _ = try watcher.line { $0 == "ready" }
            _ = try place.sh("quell init")
            let captured = try place.sh("quell capture pid:\(child.id)")
            #expect([0, 3].contains(captured.status), "\(captured.text) \(captured.errorText)")
            watcher.signal(SIGTERM)
            #expect(try watcher.finish().text.contains("seen 0"))
            let bundle = try place.bundle()
            let account = try place.lines("\(bundle)/data/collection.jsonl")
            #expect(!account.contains { $0["path"]?.string == "secret" })
            // The merged view inside the session's root is taken instead.
            #expect(account.contains { $0["path"]?.string == "mine" && $0["outcome"]?.string == "collected" })
        }

        @Test("a directory that a session left is captured by its path, and can only be captured", .sandbox)
        func folder() throws {
            let place = try Place()
            defer { place.clean() }
            #expect(mkdir("\(place.folder)/left", 0o700) == 0 && Files.write("x", to: "\(place.folder)/left/x") == 0)
            _ = try place.sh("quell init")
            let captured = try place.sh("quell capture path:\(place.folder)/left --since 1h")
            #expect(captured.status == 0, "\(captured.text) \(captured.errorText)")
            let account = try place.lines("\(try place.bundle())/data/collection.jsonl")
            #expect(account.contains { $0["root"]?.string == "files" && $0["path"]?.string == "x" })
            let frozen = try place.sh("quell freeze path:\(place.folder)/left")
            #expect(frozen.status != 0 && frozen.errorText.contains("nothing runs in a directory"), "\(frozen.status)")
            let wrong = try place.sh("quell capture path:\(place.folder)/left --since yesterday")
            #expect(wrong.status == 64 && wrong.errorText.contains("neither a time"), "\(wrong.errorText)")
        }

        /// Counts what is opened or read in a directory, until it is told to end.
        private static let watch = """
            import ctypes, os, select, signal, sys
            libc = ctypes.CDLL(None, use_errno=True)
            events = libc.inotify_init1(os.O_NONBLOCK)
            # IN_ACCESS | IN_OPEN
            assert libc.inotify_add_watch(events, sys.argv[1].encode(), 0x21) >= 0
            done = []
            signal.signal(signal.SIGTERM, lambda *_: done.append(1))
            print('ready', flush=True)
            while not done: select.select([], [], [], 0.05)
            try: seen = len(os.read(events, 65536))
            except BlockingIOError: seen = 0
            print('seen', seen, flush=True)
            """
    }
}

extension PodmanContainer {
    /// Whether the container has written a file over its image.
    fileprivate func layerHas(_ path: String) -> Bool {
        guard let first else { return false }
        return Files.exists("/proc/\(first)/root/\(path)")
    }

    fileprivate func logHas(_ text: String) -> Bool {
        let path = "/var/lib/containers/storage/overlay-containers/\(id)/userdata/ctr.log"
        return Files.text(path)?.contains(text) ?? false
    }
}

/// A store in a folder of its own, and the built binary on the path.
private struct Place {
    let sandbox: Sandbox
    let folder: String
    private let binary: String

    init() throws {
        sandbox = try Sandbox.of()
        // Not below /tmp: a store there would be refused, everybody may write it.
        folder = try #require(Files.makeTemporaryFolder("/var/lib/\(sandbox.name)-XXXXXX"))
        binary = try Sandbox.testkitPath().split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        #expect(mkdir("\(folder)/store", 0o700) == 0)
    }

    func clean() { _ = Files.removeTree(folder) }

    func sh(_ script: String) throws -> Program.Result {
        let environment = [
            "PATH": "\(binary):/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "QUELL_STORE": "\(folder)/store",
            "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
        ]
        return try Program("/bin/sh", ["-c", script], environment: environment, directory: folder)
            .run(within: .seconds(60))
    }

    /// The one bundle there is, or the other one.
    func bundle(not other: String = "") throws -> String {
        let found = try sh("ls -d \(folder)/store/cases/*/bundles/*-[0-9]").text.split(separator: "\n").map(String.init)
        let left = found.filter { $0 != other }
        try #require(left.count == 1, "\(found)")
        return left[0]
    }

    func lines(_ path: String) throws -> [JSONValue] {
        try (Files.read(path) ?? []).split(separator: UInt8(ascii: "\n")).map { try JSONReader.read(Array($0)) }
    }
}
