import Base
import Bundles
import Glibc
import Kernel
import Sessions
import Sealing
import Synchronization
import Testing

@testable import Evidence

@Suite("Acquisition")
struct AcquisitionTests {
    @Test("every class that is planned ends, and the sums agree")
    func everyClass() throws {
        let scene = try Scene()
        try scene.write("notes", "work")
        mkdir(scene.folder + "/transcripts", 0o755)
        var request = scene.request()
        request.subjects = [try Scene.ourselves(marks: ["test"])]
        request.trees.append(
            PlannedTree(name: "transcripts", path: BytePath(scene.folder + "/transcripts"), role: .transcripts)
        )
        request.logs = [BytePath(scene.workspace + "/notes"), BytePath("/nonexistent/log")]
        request.containment = ["verdict": "confirmed"]
        request.hostLogs = [PlannedLog(path: BytePath(scene.workspace + "/notes"), kind: .system)]
        request.container = ContainerFiles(runtime: .podman, id: "a")
        request.changes = .notPossible("it has no layers")
        let mounts = MountTable(parsing: "1 0 8:1 /a /b rw - ext4 /dev/sda1 rw\n".utf8)
        request.volumes = mounts.entries.map { PlannedVolume(mount: $0, source: nil) }
        let captured = try scene.capture(request)
        captured.expectBalanced()
        let classes = Set(captured.items.compactMap { $0["item"]?.string })
        for wanted in CollectionItem.Class.allCases where ![.deletedFile, .processMemory].contains(wanted) {
            #expect(classes.contains(wanted.rawValue), "\(wanted)")
        }
        #expect(captured.items(of: "log").map { $0["outcome"]?.string } == ["collected", "failed"])
        #expect(captured.items(of: "log").last?["errno"]?.integer == Int64(ENOENT))
        #expect(try captured.text(of: "data/logs/1") == "work")
        #expect(try captured.text(of: "data/containment.json") == "{\"verdict\":\"confirmed\"}\n")
        #expect(captured.bundle.statement.checkpoint?.sequence == 3)
    }

    @Test("processes are told with their threads, files and the names of their environment, without its values")
    func processes() throws {
        let scene = try Scene()
        setenv("QUELL_TEST_SECRET", "hunter2-in-the-environment", 1)
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves(marks: ["test"])]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        let line = try #require(try captured.lines(of: "data/processes.jsonl").first)
        #expect(line["pid"]?.integer == Int64(getpid()))
        #expect(line["argv"]?.array?.isEmpty == false)
        #expect(line["threads"]?.array?.contains { $0["tid"]?.integer == Int64(getpid()) } == true)
        #expect(line["environNames"]?.array?.contains("PATH") == true)
        #expect(try !captured.text(of: "data/processes.jsonl").contains("hunter2"))
        #expect(line["membership"]?.string == "member" && line["marks"]?.array == ["test"])
        #expect(try captured.lines(of: "data/mounts.jsonl").contains { $0["mountPoint"]?.string == "/" })
    }

    @Test("a process that is gone, and one whose pid was used again, are failed items")
    func gone() throws {
        let scene = try Scene()
        var request = scene.request(.volatile)
        let own = try Scene.ourselves(marks: ["test"]).pin
        request.subjects = [
            CaptureSubject(pin: ProcessPin(pid: own.pid, startTicks: own.startTicks + 1), membership: .member),
            CaptureSubject(pin: ProcessPin(pid: Int32.max, startTicks: 1), membership: .stray),
        ]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        #expect(captured.items(of: "process").map { $0["outcome"]?.string } == ["failed", "failed"])
        #expect(captured.items(of: "processes").first?["outcome"]?.string == "partial")
    }

    @Test("deleted files and memfds are recovered once, whoever holds them; FIFOs and devices are not opened")
    func recovered() throws {
        let scene = try Scene()
        let first = open(scene.workspace + "/gone", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        let second = dup(first)
        mkfifo(scene.workspace + "/pipe", 0o600)
        let pipe = open(scene.workspace + "/pipe", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        defer { for descriptor in [first, second, pipe] { close(descriptor) } }
        #expect(write(first, "the deleted truth", 17) == 17)
        #expect(ftruncate(first, 1 << 40) == 0)
        unlink(scene.workspace + "/gone")
        unlink(scene.workspace + "/pipe")
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves(marks: ["test"])]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        // Other tests of this process may hold deleted files of their own.
        let target = BytePath(scene.workspace + "/gone (deleted)").json
        let records = try captured.lines(of: "data/recovered/index.jsonl").filter { $0["path"] == target }
        #expect(records.count == 1)
        #expect(records.first?["holders"]?.array?.count == 2)
        let member = try #require(records.first?["member"]?.string)
        #expect(try captured.text(of: member).hasPrefix("the deleted truth"))
        #expect(try captured.lines(of: member + ".map.jsonl").first?["offset"]?.integer == 0)
    }

    @Test("a socket is told with who holds it")
    func sockets() throws {
        let scene = try Scene()
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        var facts = Glibc.stat()
        fstat(ends[0], &facts)
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves(marks: ["test"])]
        let captured = try scene.capture(request)
        let inode = String(facts.st_ino)
        let line = try captured.lines(of: "data/sockets.jsonl").first { $0["inode"]?.string == inode }
        #expect(line?["kind"]?.string == "unix")
        #expect(line?["holders"]?.array?.contains { $0["link"]?.string == "fd/\(ends[0])" } == true)
    }

    @Test("R3 the clocks are told at the start and at the seal, in UTC")
    func clocks() throws {
        let captured = try Scene().capture()
        let clock = try JSONReader.read(captured.bundle.bytes(of: PayloadName("data/clock.json")))
        #expect(clock["timezone"]?.string == "UTC")
        for moment in ["began", "sealed"] {
            #expect(clock[moment]?["wall"]?.string?.hasSuffix("Z") == true)
            for field in ["monotonicNanoseconds", "boottimeNanoseconds"] {
                #expect(clock[moment]?[field]?.string.flatMap { UInt64($0) } != nil)
            }
            #expect(clock[moment]?["synchronised"]?.bool != nil)
        }
    }

    @Test("R7 a second capture of an unchanged tree gives the same archive and the same mtree")
    func repeatable() throws {
        let scene = try Scene()
        scene.python(
            """
            for a in range(20):
                os.mkdir('d%d' % a)
                for b in range(20): open('d%d/f%d' % (a, b), 'w').write('content %d %d' % (a, b))
            """
        )
        let one = try scene.capture(as: "one")
        let two = try scene.capture(as: "two")
        let digests = { (captured: Captured) in
            captured.bundle.payload.filter { $0.name.text.hasPrefix("data/files/") }.map {
                [$0.name.text, $0.digest.hex]
            }
        }
        #expect(digests(one).count == 2)
        #expect(digests(one) == digests(two))
    }

    @Test("R4 access, content and inode times of the sources stay as they were")
    func unchangedSources() throws {
        let scene = try Scene()
        scene.python(
            "os.mkdir('d'); open('d/f', 'w').write('x'); os.utime('d/f', (1000, 1000)); os.utime('d', (1000, 1000))"
        )
        let before = try ["d", "d/f"].map { try FileNode.at(BytePath(scene.workspace + "/" + $0)).facts }
        _ = try scene.capture()
        let after = try ["d", "d/f"].map { try FileNode.at(BytePath(scene.workspace + "/" + $0)).facts }
        #expect(before == after)
    }

    @Test("R4 the access time of a link, which reading its target sets, is recorded as it was")
    func accessOfLinks() throws {
        let scene = try Scene()
        scene.python("os.symlink('nowhere', 'link'); os.utime('link', (1000, 1000), follow_symlinks=False)")
        let captured = try scene.capture()
        #expect(try captured.item("link")["accessed"]?.string == "1970-01-01T00:16:40.000000000Z")
    }

    enum Meanwhile: String, CaseIterable {
        case grown, shrunk, rewritten, unlinked, replaced
    }

    @Test("a file that changes while it is read is told as torn", arguments: Meanwhile.allCases)
    func torn(_ what: Meanwhile) throws {
        let scene = try Scene()
        try scene.write("file", String(repeating: "x", count: 100_000))
        try scene.write("still", "quiet")
        let path = scene.workspace + "/file"
        let captured = try scene.capture { acquisition in
            acquisition.opened = { name in
                guard name == BytePath("file") else { return }
                switch what {
                case .grown: _ = run("/bin/sh", "-c", "echo more >> \(path)")
                case .shrunk: truncate(path, 10)
                case .rewritten: _ = run("/bin/sh", "-c", "echo y | dd of=\(path) conv=notrunc status=none")
                case .unlinked: unlink(path)
                case .replaced: rename(scene.workspace + "/still", path)
                }
            }
        }
        captured.expectBalanced()
        let item = try captured.item("file")
        #expect(item["outcome"]?.string == "partial")
        #expect(item["reason"]?.string?.hasPrefix("torn: ") == true)
        #expect(item["sha256"]?.string != nil)
        #expect(captured.sealed.stillness.isUnbroken == false)
        #expect(captured.sealed.shortfalls.contains { $0.path == BytePath("file") })
    }

    @Test("a name that vanishes after it was listed is a failed item")
    func vanished() throws {
        let scene = try Scene()
        try scene.write("a", "first")
        try scene.write("b", "second")
        let captured = try scene.capture { acquisition in
            acquisition.opened = { name in if name == BytePath("a") { unlink(scene.workspace + "/b") } }
        }
        captured.expectBalanced()
        #expect(try captured.item("b")["outcome"]?.string == "failed")
        #expect(try captured.item("b")["errno"]?.integer == Int64(ENOENT))
    }

    @Test("RT36 junk in the workspace crowds out neither transcripts nor logs")
    func budget() throws {
        let scene = try Scene()
        scene.python("[open('junk%d' % n, 'wb').write(os.urandom(100000)) for n in range(20)]")
        mkdir(scene.folder + "/transcripts", 0o755)
        scene.python("open('../transcripts/t.jsonl', 'w').write('{}' * 50000); open('../log', 'w').write('l' * 50000)")
        var request = scene.request()
        request.budget = 1_000_000
        request.trees.append(
            PlannedTree(name: "transcripts", path: BytePath(scene.folder + "/transcripts"), role: .transcripts)
        )
        request.logs = [BytePath(scene.folder + "/log")]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        #expect(try captured.item("t.jsonl", root: "transcripts")["outcome"]?.string == "collected")
        #expect(captured.items(of: "log").first?["outcome"]?.string == "collected")
        let junk = captured.items(of: "file").filter { $0["type"]?.string == "file" }
        #expect(junk.count == 20)
        let skipped = junk.filter { $0["outcome"]?.string == "skipped" }
        #expect(skipped.count > 10 && skipped.count < 20)
        #expect(skipped.first?["reason"]?.string?.hasPrefix("over the budget") == true)
        #expect(captured.sealed.wasCut && !captured.sealed.hasRequiredClasses)
    }

    @Test("RT16 a whole capture has the required classes, an empty workspace and one odd file among others too")
    func requiredClasses() throws {
        let scene = try Scene()
        #expect(try scene.capture().sealed.hasRequiredClasses)
        scene.python("open('kept', 'w').write('x'); open('linked', 'w').write('y'); os.link('linked', '../outside')")
        let captured = try scene.capture(as: "second")
        #expect(try captured.item("linked")["outcome"]?.string == "skipped")
        #expect(captured.sealed.hasRequiredClasses && !captured.sealed.isComplete)
    }

    @Test("RT16 transcripts do not make up for a workspace that could not be entered")
    func lostWorkspace() throws {
        let scene = try Scene()
        try scene.write("t.jsonl", "{}")
        symlink(scene.workspace, scene.folder + "/link")
        var request = scene.request()
        request.trees = [
            PlannedTree(name: "workspace", path: BytePath(scene.folder + "/link"), role: .workspace),
            PlannedTree(name: "transcripts", path: BytePath(scene.workspace), role: .transcripts),
        ]
        let captured = try scene.capture(request)
        #expect(captured.sealed.lostRoots == ["workspace"])
        #expect(!captured.sealed.hasRequiredClasses)
    }

    @Test("RT16 transcripts that a session hid behind second names outside their root are not collected")
    func hiddenTranscripts() throws {
        let scene = try Scene()
        scene.python("open('t.jsonl', 'w').write('{}'); os.link('t.jsonl', '../elsewhere')")
        var request = scene.request()
        request.trees = [PlannedTree(name: "transcripts", path: BytePath(scene.workspace), role: .transcripts)]
        let captured = try scene.capture(request)
        #expect(captured.sealed.lostRoots == ["transcripts"])
        #expect(!captured.sealed.hasRequiredClasses)
    }

    @Test("a process whose arguments are cut is partial, and so is what is found through processes")
    func longArguments() throws {
        var process: pid_t = 0
        let long = String(repeating: "x", count: 120_000)
        let script = ["/usr/bin/python3", "-c", "import signal; signal.pause()"] + [String](repeating: long, count: 10)
        var arguments: [UnsafeMutablePointer<CChar>?] = script.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let status = posix_spawn(&process, "/usr/bin/python3", nil, nil, &arguments, nil)
        try #require(status == 0)
        defer {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
        }
        let scene = try Scene()
        var request = scene.request(.volatile)
        request.subjects = [
            CaptureSubject(pin: try ProcessDirectory(process, on: Host()).stat().pin, membership: .member, marks: [])
        ]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        #expect(captured.items(of: "process").first?["reason"]?.string?.contains("cut") == true)
        for item in ["processes", "sockets", "mounts", "deletedFiles"] {
            #expect(captured.items(of: item).first?["outcome"]?.string == "partial", "\(item)")
        }
    }

    @Test("RT24 a named log with a second name may be another's file: metadata only")
    func linkedLog() throws {
        let scene = try Scene()
        scene.python("open('../canary', 'w').write('CANARY'); os.link('../canary', '../agent.log')")
        var request = scene.request()
        request.logs = [BytePath(scene.folder + "/agent.log")]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        let item = try #require(captured.items(of: "log").first)
        #expect(item["outcome"]?.string == "skipped" && item["links"]?.integer == 2)
        #expect(item["member"] == nil)
        #expect(!captured.bundle.payload.contains { $0.name.text.hasPrefix("data/logs/") })
    }

    @Test("a cancelled capture is sealed with what it has, as partial")
    func cancelled() throws {
        let scene = try Scene()
        scene.python("[open('f%03d' % n, 'w').write('x') for n in range(500)]")
        let asked = Atomic<Int>(0)
        let control = CaptureControl(isCancelled: { asked.add(1, ordering: .relaxed).newValue > 200 })
        let captured = try scene.capture(control: control)
        captured.expectBalanced()
        #expect(captured.sealed.wasCancelled && !captured.sealed.isComplete && !captured.sealed.hasRequiredClasses)
        #expect(captured.items(of: "tree").first?["outcome"]?.string == "partial")
        #expect(captured.items(of: "file").count > 50 && captured.items(of: "file").count < 500)
    }

    @Test("progress tells phases in the order of falling volatility")
    func progress() throws {
        let scene = try Scene()
        try scene.write("f", "x")
        let phases = Mutex<[String]>([])
        _ = try scene.capture(
            control: CaptureControl(report: { told in
                phases.withLock { if $0.last != told.phase { $0.append(told.phase) } }
            })
        )
        #expect(
            phases.withLock { $0 } == [
                "session", "containment", "processes", "sockets", "network", "parked data", "mounts", "memory",
                "deleted files", "workspace", "logs", "facts", "clock", "journal", "seal",
            ]
        )
    }

    @Test("a root that is missing, a symbolic link or no directory is an item, not an error")
    func oddRoots() throws {
        let scene = try Scene()
        try scene.write("file", "just a file")
        symlink(scene.workspace, scene.folder + "/link")
        var request = scene.request()
        request.trees = [
            PlannedTree(name: "workspace", path: BytePath("/nonexistent/root"), role: .workspace),
            PlannedTree(name: "workspace-2", path: BytePath(scene.folder + "/link"), role: .workspace),
            PlannedTree(name: "workspace-3", path: BytePath(scene.workspace + "/file"), role: .workspace),
        ]
        let captured = try scene.capture(request)
        captured.expectBalanced()
        #expect(captured.items(of: "tree").map { $0["outcome"]?.string } == ["failed", "failed", "failed"])
        #expect(
            captured.items(of: "tree").map { $0["errno"]?.integer } == [Int64(ENOENT), Int64(ELOOP), Int64(ENOTDIR)]
        )
    }

    @Test("an account with a planned item that never ended is refused")
    func unbalanced() throws {
        let scene = try Scene()
        let writer = try BundleWriter(creating: BytePath(scene.folder + "/bundle"))
        let log = CollectionLog(writing: try writer.stream(PayloadName("data/collection.jsonl")))
        log.plan(.sockets)
        let failure = #expect(throws: Failure.self) { try log.close() }
        #expect(failure?.code == .refused)
    }

    @Test("RT28 a process that runs between the start and the seal breaks the stillness")
    func notStill() throws {
        let scene = try Scene()
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves(marks: ["test"])]
        let captured = try scene.capture(request)
        #expect(captured.sealed.stillness.isUnbroken == false)
        #expect(captured.sealed.stillness.breaks.contains { $0.contains(" of process \(getpid())") })
    }
}

@Suite("Impatient reader")
struct ImpatientReaderTests {
    @Test("RT7 a read that hangs is left behind, and after too many nothing more is tried")
    func hangs() throws {
        let reader = ImpatientReader(patience: .milliseconds(5))
        var ends: [Int32] = [-1, -1]
        #expect(pipe(&ends) == 0)
        let source = ends[0]
        for _ in 0..<ImpatientReader.mostLost {
            let failure = #expect(throws: Failure.self) {
                try reader.read("read", on: "a pipe") { () -> Int in
                    var byte: UInt8 = 0
                    return Glibc.read(source, &byte, 1)
                }
            }
            #expect(failure?.code == .timedOut)
        }
        #expect(throws: Failure.self) { try reader.read("read", on: "anything") { 1 } }
        #expect(reader.lost == ImpatientReader.mostLost)
        close(ends[1])
    }

    @Test("an answer in time comes back")
    func answers() throws {
        #expect(try ImpatientReader().read("count", on: "nothing") { 42 } == 42)
    }
}
