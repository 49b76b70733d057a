import Base
import Glibc
import Programs
import Testing

extension SystemTests {
    /// A session whose arguments nobody can read, because an accomplice keeps the lock on its memory with the help of a
    /// file server that does not answer (docs/decisions/0019), and that holds that server's file open and works in its
    /// folder.
    @Suite("arguments that nobody can read", .kernel(.root, .cgroup2, .device("/dev/fuse"), .program("cat")))
    struct SlowArgumentsSystemTests {
        @Test(
            "RT7 a thousand processes with such arguments are frozen, and their file server is asked nothing",
            .sandbox
        )
        func frozen() throws {
            let scene = try SlowScene(members: 1000)
            defer { scene.clean() }
            let reader = try scene.startPlainReader()
            _ = try scene.requests()
            let freeze = try scene.quell("freeze", "cgroup:/\(scene.sandbox.name)", "--no-hold-restart")
            #expect(freeze.status == 0, "\(freeze.text) \(freeze.errorText)")
            #expect(freeze.text.contains("1001 processes"), "\(freeze.text)")
            #expect(try scene.requests() == 0)
            let sessions = try scene.quell("sessions")
            #expect(sessions.status == 3, "\(sessions.text) \(sessions.errorText)")
            #expect(sessions.errorText.contains("something holds the reader up"), "\(sessions.errorText)")
            #expect(!reader.hasEnded, "whoever reads the arguments waits")
            scene.endServer()
            #expect(try reader.finish().status == 0)
        }

        @Test("RT7 a capture of such a session ends, and has all that can be read", .sandbox)
        func captured() throws {
            let scene = try SlowScene(members: 3)
            defer { scene.clean() }
            let reader = try scene.startPlainReader()
            for words in [["sessions", "--file", "\(scene.mount)/file"], []] {
                let list = try scene.quell(words)
                #expect([2, 3].contains(list.status), "\(words) \(list.text) \(list.errorText)")
                #expect(list.errorText.contains("something holds the reader up"), "\(list.errorText)")
            }
            #expect(try scene.quell("freeze", "cgroup:/\(scene.sandbox.name)", "--no-hold-restart").status == 0)
            let status = try scene.quell("status")
            #expect(status.status == 0, "\(status.text) \(status.errorText)")
            let capture = try scene.quell("capture", "cgroup:/\(scene.sandbox.name)")
            let said = "\(capture.text)\n\(capture.errorText)"
            #expect(capture.status == 3, "\(said)")
            #expect(!reader.hasEnded, "whoever reads the arguments waits")
            let processes = try scene.bundled("data/processes.jsonl")
            #expect(processes.count == 4, "\(said)")
            for process in processes where process["pid"]?.integer != Int64(scene.parent) {
                let files = process["openFiles"]?.array?.compactMap { $0["target"]?.string } ?? []
                #expect(files.contains { $0.hasSuffix("/file") }, "\(process)")
                #expect(process["argv"]?.array?.isEmpty == true)
                #expect(process["gaps"]?.array?.isEmpty == false)
            }
            let items = try scene.bundled("data/collection.jsonl")
            let marked = items.filter {
                $0["outcome"]?.string == "partial"
                    && $0["reason"]?.string?.contains("read the arguments and the environment") == true
            }
            #expect(marked.count == 3, "\(items)")
        }
    }
}

/// A session of the sandbox, the server of its arguments beside it, and the accomplice that makes readers wait. The
/// server ends by itself after two minutes, so that nothing waits for ever whatever becomes of the test.
private struct SlowScene {
    let sandbox: Sandbox
    /// Not below /tmp: a store there would be refused, everybody may write it.
    let folder: String
    let mount: String
    let server: Child
    let parent: Int32
    private let victim: Int32
    private let binary: String

    init(members: Int) throws {
        sandbox = try Sandbox.of()
        folder = try #require(Files.makeTemporaryFolder("/var/lib/\(sandbox.name)-XXXXXX"))
        mount = "\(sandbox.folder)/served"
        binary = try Sandbox.testkitPath().split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        #expect(mkdir(mount, 0o700) == 0 && mkdir("\(folder)/store", 0o700) == 0)
        server = try sandbox.testkit("servefile", mount, in: .none)
        let session = try sandbox.start(
            Program(try Sandbox.testkitPath(), ["slowargs", "\(server.id)", mount, "\(members)"]),
            in: .unified
        )
        let pids = try session.line { $0.hasPrefix("ready") }.split(separator: " ").compactMap { Int32($0) }
        parent = try #require(pids.first)
        victim = try #require(pids.dropFirst().first)
        #expect(try quell("init").status == 0)
        server.signal(SIGUSR2)
        _ = try server.line { $0 == "mute" }
        let accomplice = try sandbox.start(Program(try Sandbox.testkitPath(), ["holdmemory", "\(parent)"]))
        #expect(try accomplice.line(within: .seconds(60)) { $0.hasPrefix("ready") } == "ready \(members)")
    }

    func clean() {
        endServer()
        _ = Files.removeTree(folder)
    }

    /// The kernel then ends every request that it did not answer.
    func endServer() { server.signal(SIGKILL) }

    /// Reads the arguments of a member, and waits.
    func startPlainReader() throws -> Child {
        let reader = try sandbox.start(Program(try #require(Program.find("cat")), ["/proc/\(victim)/cmdline"]))
        let isWaiting = eventually {
            Files.text("/proc/\(reader.id)/stat")?.contains(" (cat) D ") == true
        }
        #expect(isWaiting, "reading the arguments was to make wait")
        return reader
    }

    /// What its server was asked since this was asked last.
    func requests() throws -> Int? {
        server.signal(SIGUSR1)
        return Int(try server.line { $0.hasPrefix("requests ") }.dropFirst("requests ".count))
    }

    func quell(_ words: String...) throws -> Program.Result { try quell(words) }

    func quell(_ words: [String]) throws -> Program.Result {
        let environment = [
            "PATH": "\(binary):/usr/bin:/bin:/usr/sbin:/sbin", "HOME": folder, "QUELL_STORE": "\(folder)/store",
            "NO_COLOR": "1", "LC_ALL": "C.UTF-8",
        ]
        return try Program("\(binary)/quell", words, environment: environment, directory: folder)
            .run(within: .seconds(30))
    }

    /// The lines of a member of the only bundle.
    func bundled(_ member: String) throws -> [JSONValue] {
        let cases = try #require(Files.names(in: "\(folder)/store/cases"))
        let bundles = "\(folder)/store/cases/\(try #require(cases.first))/bundles"
        let bundle = try #require(Files.names(in: bundles)?.first { Files.isFolder("\(bundles)/\($0)") })
        let bytes = try #require(Files.read("\(bundles)/\(bundle)/\(member)"))
        return try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONReader.read(Array($0)) }
    }
}
