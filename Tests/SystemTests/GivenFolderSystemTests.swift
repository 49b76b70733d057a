import Base
import Glibc
import Programs
import Testing

extension SystemTests {
    /// Folders of the host's that a runtime mounts into a session: most agents work in one.
    @Suite("given folders", .kernel(.root, .cgroup2, .podman, .program("bwrap"), .program("setpriv")))
    struct GivenFolderSystemTests {
        private static let view = [
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--symlink",
            "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev",
        ]

        @Test("RT16 a folder that bubblewrap binds into a session is captured", .sandbox, arguments: [true, false])
        func bubblewrap(isAlone: Bool) throws {
            try CaptureDesk.with { desk in
                let work = "\(desk.sandbox.folder)/work"
                #expect(mkdir(work, 0o700) == 0 && Files.write("x", to: "\(work)/mine") == 0)
                // With all of the host bound, no mount tells which folder is the session's: where it works does.
                let words = isAlone ? Self.view + ["--bind", work, "/ws"] : ["--bind", "/", "/", "--dev", "/dev"]
                let session = try Self.start(words + ["--chdir", isAlone ? "/ws" : work], in: desk.sandbox)
                let (account, volumes) = try desk.capture("pid:\(session.id)", and: "data/volumes.jsonl")
                #expect(account.outcome(ofTree: isAlone ? "/ws" : work) == "collected", "\(account)")
                #expect(account.about("mine").first?["outcome"]?.string == "collected")
                guard isAlone else { return }
                let told = volumes.first { $0["mountPoint"]?.string == "/ws" }
                #expect(told?["hostPath"]?.string == work && told?["tree"]?.string == "volume")
                let shared = volumes.first { $0["mountPoint"]?.string == "/usr" }
                #expect(shared?["notTaken"]?.string == "the session cannot write it")
            }
        }

        @Test("RT16 a volume of podman's is captured, and a single file is told to be lacking", .sandbox)
        func podman() throws {
            try CaptureDesk.with { desk in
                let work = "\(desk.sandbox.folder)/work"
                let note = "\(desk.sandbox.folder)/note"
                #expect(mkdir(work, 0o700) == 0 && Files.write("x", to: note) == 0)
                try PodmanContainer.with(
                    "-v",
                    "\(work):/ws",
                    "-v",
                    "\(note):/note",
                    command: "sh",
                    "-c",
                    "echo y >/ws/mine; exec sleep 1000"
                ) { container in
                    #expect(eventually { Files.exists("\(work)/mine") })
                    let (account, volumes) = try desk.capture("podman:\(container.name)", and: "data/volumes.jsonl")
                    #expect(account.outcome(ofTree: "/ws") == "collected", "\(account)")
                    #expect(account.about("mine").first?["outcome"]?.string == "collected")
                    let lacking = account.first { $0["item"]?.string == "volumes" }
                    #expect(lacking?["outcome"]?.string == "partial")
                    #expect(
                        lacking?["reason"]?.string?.contains("/note, a file") == true,
                        "\(String(describing: lacking))"
                    )
                    #expect(lacking?["reason"]?.string?.contains("/etc/hosts") == false)
                    #expect(volumes.contains { $0["mountPoint"]?.string == "/ws" && $0["tree"] != nil })
                }
            }
        }

        @Test("RT24 a folder of another user's that a user binds into a session is told and not read", .sandbox)
        func others() throws {
            try CaptureDesk.with { desk in
                let (theirs, secret) = ("\(desk.sandbox.folder)/theirs", "\(desk.sandbox.folder)/theirs/secret")
                #expect(chmod(desk.sandbox.folder, 0o755) == 0 && mkdir(theirs, 0o711) == 0)
                #expect(Files.write("x", to: secret) == 0 && chmod(theirs, 0o733) == 0)
                let user = [try #require(Program.find("setpriv")), "--reuid=65534", "--regid=65534", "--clear-groups"]
                let session = try Self.start(Self.view + ["--bind", theirs, "/ws"], in: desk.sandbox, as: user)
                let (account, _) = try desk.capture("pid:\(session.id)")
                #expect(account.about("secret").isEmpty && account.outcome(ofTree: "/ws") == nil, "\(account)")
                let lacking = account.first { $0["item"]?.string == "volumes" }
                #expect(lacking?["outcome"]?.string == "partial")
                #expect(lacking?["reason"]?.string?.contains("belongs to uid 0") == true)
            }
        }

        @Test("RT16 a session whose root is an overlay that it mounted in place is captured as it sees it", .sandbox)
        func overlay() throws {
            try CaptureDesk.with { desk in
                let script = """
                    cd "$0" && mkdir lower upper work merged && cp \(PodmanContainer.busybox) lower/busybox && mkdir lower/proc &&
                    mount -t tmpfs none work && mkdir work/upper work/work &&
                    mount -t overlay o -o "lowerdir=lower,upperdir=work/upper,workdir=work/work" merged &&
                    echo y >merged/mine && exec chroot merged /busybox sh -c 'echo ready; exec /busybox sleep 1000'
                    """
                let folder = "\(desk.sandbox.folder)/own"
                #expect(mkdir(folder, 0o700) == 0)
                let program = Program("/usr/bin/unshare", ["-m", "/bin/sh", "-c", script, folder])
                let session = try desk.sandbox.start(program, in: .unified)
                _ = try session.line { $0 == "ready" }
                let (account, _) = try desk.capture("cgroup:/\(desk.sandbox.name)")
                #expect(account.outcome(ofTree: "/") == "collected", "\(account)")
                #expect(account.about("mine").contains { $0["outcome"]?.string == "collected" })
                let changes = account.first { $0["item"]?.string == "changes" }
                #expect(changes?["reason"]?.string?.contains("no verified upper layer") == true)
            }
        }

        private static func start(_ words: [String], in sandbox: Sandbox, as user: [String] = []) throws -> Child {
            let all =
                user + [try #require(Program.find("bwrap"))] + words + ["sh", "-c", "echo ready; exec sleep 1000"]
            let session = try sandbox.start(Program(all[0], Array(all.dropFirst())))
            _ = try session.line { $0 == "ready" }
            return session
        }
    }

    /// A session on a file system that nobody serves any more.
    @Suite(
        "mute file servers",
        .kernel(.root, .cgroup2, .device("/dev/fuse"), .program("nsenter"), .program("python3"))
    )
    struct MuteServerSystemTests {
        /// Its home and working directory, or its root.
        enum Place: String, CaseIterable, Sendable { case home, root }

        @Test("RT7 a plan and a capture ask nothing of a mute file server", .sandbox, arguments: Place.allCases)
        func asked(place: Place) throws {
            try CaptureDesk.with { desk in
                let mount = "\(desk.sandbox.folder)/served"
                #expect(mkdir(mount, 0o700) == 0)
                let server = try desk.sandbox.testkit("servefile", mount, in: .none)
                defer { server.signal(SIGKILL) }
                let script = """
                    import os, sys, time
                    os.chdir(sys.argv[1])
                    if sys.argv[2] == 'root': os.chroot('.')
                    print('ready', flush=True)
                    time.sleep(1000)
                    """
                var program = Program(
                    "/usr/bin/nsenter",
                    ["-t", "\(server.id)", "-m", "--", "/usr/bin/python3", "-c", script, mount, place.rawValue]
                )
                program.environment["HOME"] = mount
                let session = try desk.sandbox.start(program, in: .unified)
                _ = try session.line { $0 == "ready" }
                server.signal(SIGUSR2)
                _ = try server.line { $0 == "mute" }
                func requests() throws -> String {
                    server.signal(SIGUSR1)
                    return try server.line { $0.hasPrefix("requests ") }
                }
                _ = try requests()
                let locator = "cgroup:/\(desk.sandbox.name)"
                let plan = try desk.quell("capture", locator, "--plan", within: .seconds(15))
                #expect(plan.errorText.contains("not touched"), "\(plan.status) \(plan.text) \(plan.errorText)")
                let (account, _) = try desk.capture(locator)
                let lost = account.filter { $0["outcome"]?.string == "failed" && $0["item"]?.string == "tree" }
                #expect(lost.contains { $0["reason"]?.string?.contains("is not touched") == true }, "\(account)")
                #expect(try requests() == "requests 0")
            }
        }
    }
}
