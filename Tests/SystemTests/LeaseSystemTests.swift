import Base
import Bundles
import Glibc
import Kernel
import Programs
import Testing

@testable import Evidence

extension SystemTests {
    @Suite("leases", .kernel(.root, .cgroup2, .program("python3")))
    struct LeaseSystemTests {
        @Test("RT30 leased logs and deleted files are read once their holder lets go, else failed", .sandbox)
        func logsAndDeletedFiles() throws {
            let scene = try LeaseScene()
            let items = try scene.capture(patience: .milliseconds(700))
            for name in ["kind.log", "kind (deleted)"] {
                let item = try #require(items.first { $0["path"]?.string?.hasSuffix(name) == true }, "\(name)")
                #expect(item["outcome"]?.string == "collected", "\(item)")
                #expect(item["member"]?.string != nil)
            }
            for name in ["stubborn.log", "stubborn (deleted)"] {
                let item = try #require(items.first { $0["path"]?.string?.hasSuffix(name) == true }, "\(name)")
                #expect(item["outcome"]?.string == "failed", "\(item)")
                #expect(item["errno"]?.integer == Int64(EAGAIN))
                #expect(item["reason"]?.string?.hasPrefix("somebody holds a lease on it") == true)
            }
            let last = try #require(items.first { $0["path"]?.string?.hasSuffix("zzz.log") == true })
            #expect(last["outcome"]?.string == "collected")
            #expect(try scene.recovered().contains("\"kind\":\"deleted\""))
            #expect(try scene.contents(ending: "kind.log", items) == "content of kind.log")
            #expect(try scene.contents(ending: "kind (deleted)", items) == "content of kind")
        }

        @Test("RT30 a capture that must end does not go on waiting for a lease", .sandbox)
        func bounded() throws {
            let scene = try LeaseScene()
            let began = Deadline.monotonicNow()
            let over = Deadline(after: .milliseconds(300))
            _ = try scene.capture(patience: .seconds(600), isCancelled: { over.hasPassed })
            #expect(Deadline.monotonicNow() - began < 60_000_000_000)
        }
    }
}

/// A process of the sandbox that holds leases on two logs and on two deleted files, and lets one of each go when asked.
private struct LeaseScene {
    private let folder: String
    private let holder: Child
    private let host: Host

    init() throws {
        let sandbox = try Sandbox.of()
        folder = sandbox.folder
        host = try Host()
        for name in ["kind.log", "stubborn.log", "zzz.log", "kind", "stubborn"] {
            #expect(Files.write("content of \(name)", to: "\(folder)/\(name)") == 0)
        }
        let script = """
            import fcntl, os, signal
            os.chdir('\(folder)')
            names = ('kind.log', 'stubborn.log', 'kind', 'stubborn')
            files = {name: os.open(name, os.O_RDWR) for name in names}
            def let_go(*_):
                for name in ('kind.log', 'kind'):
                    try: fcntl.fcntl(files[name], fcntl.F_SETLEASE, fcntl.F_UNLCK)
                    except OSError: pass
            signal.signal(signal.SIGIO, let_go)
            for file in files.values(): fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            for name in ('kind', 'stubborn'): os.unlink(name)
            print('ready', flush=True)
            while True: signal.pause()
            """
        holder = try sandbox.start(Program("/usr/bin/python3", ["-c", script]))
        _ = try holder.line { $0 == "ready" }
    }

    /// Gives the items of the account.
    func capture(
        patience: Duration,
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) throws -> [JSONValue] {
        let pin = try ProcessDirectory(holder.id, on: host).stat().pin
        var request = CaptureRequest(
            profile: .standard,
            locator: BytePath("pid:\(holder.id)"),
            pins: [],
            subjects: [CaptureSubject(pin: pin, membership: .member, marks: [])],
            seal: SealParts(
                name: "b",
                caseID: "b",
                number: 1,
                purpose: .incident,
                freeze: nil,
                authority: nil,
                tool: SealStatement.Tool(version: "test", digest: nil),
                responder: "tests",
                host: "here"
            )
        )
        request.logs = ["kind.log", "stubborn.log", "zzz.log"].map { BytePath("\(folder)/\($0)") }
        var acquisition = Acquisition(request, on: host, control: CaptureControl(isCancelled: isCancelled))
        acquisition.leasePatience = patience
        _ = try acquisition.capture(to: BytePath("\(folder)/b"), sealedWith: nil)
        let account = try #require(Files.text("\(folder)/b/data/collection.jsonl"))
        return try account.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
    }

    func recovered() throws -> String { try #require(Files.text("\(folder)/b/data/recovered/index.jsonl")) }

    func contents(ending name: String, _ items: [JSONValue]) throws -> String {
        let item = items.first { $0["path"]?.string?.hasSuffix(name) == true }
        let member = try #require(item?["member"]?.string)
        return try #require(Files.text("\(folder)/b/\(member)"))
    }
}
