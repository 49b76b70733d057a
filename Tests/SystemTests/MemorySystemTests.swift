import Base
import Bundles
import Glibc
import Kernel
import Programs
import Testing

@testable import Evidence

extension SystemTests {
    @Suite("memory", .kernel(.root, .cgroup2, .v1freezer, .program("gdb"), .program("eu-readelf")))
    struct MemorySystemTests {
        @Test(
            "a frozen process becomes a core that gdb and eu-readelf open, and nothing of it moved",
            .sandbox,
            arguments: [Sandbox.Placement.unified, .freezer]
        )
        func frozen(_ placement: Sandbox.Placement) throws {
            let scene = try MemoryScene(placement)
            try scene.freeze()
            let captured = try scene.capture(.all)
            #expect(captured.sealed.stillness.breaks == [])
            let line = try captured.only()
            #expect(line["stoodStill"]?.bool == true)
            #expect(line["before"] == line["after"], "\(line)")
            #expect(try captured.registers() == ["saved by the kernel"])
            #expect(captured.item("processMemory")?["outcome"]?.string == "collected", "\(captured.items)")
            #expect((line["size"]?.integer ?? .max) < 64 << 20)
            try captured.expectCore(of: scene)
        }

        @Test("without type information a frozen thread has what its syscall file tells, and that is said", .sandbox)
        func systemCallFile() throws {
            let scene = try MemoryScene(.unified, "--sleepy")
            try scene.freeze()
            let look = try scene.look(registers: RegisterReader(usesIterator: false))
            #expect(look.threads.count == 4 && look.threads.allSatisfy { $0.source == .systemCall })
            #expect(look.threads.allSatisfy { $0.general[16] > 4096 && $0.general[19] > 4096 })
            let whole = try scene.look(registers: RegisterReader())
            for (few, all) in zip(look.threads, whole.threads) {
                #expect(few.thread == all.thread && few.general[16] == all.general[16])
                #expect(few.general[19] == all.general[19] && few.general[14] == all.general[14])
            }
        }

        @Test("a process that runs is stopped for its registers only, goes on, and floating point is had", .sandbox)
        func running() throws {
            let scene = try MemoryScene(.unified)
            let captured = try scene.capture(.all)
            #expect(try captured.registers() == ["ptrace"])
            #expect(try captured.only()["stoodStill"]?.bool == false)
            try captured.expectCore(of: scene)
            #expect(try captured.run("/usr/bin/eu-readelf", "-n").text.contains("FPREGSET"))
            scene.expectFree()
            #expect(scene.states().contains("R"), "\(scene.states())")
        }

        /// Starts a program of 32 bits.
        private func startShort(in sandbox: Sandbox) throws -> Child {
            let path = "\(sandbox.folder)/short"
            // An ELF file of one page that waits for signals: `mov eax, 29; int 0x80; jmp`.
            let head: [UInt8] = [
                0x7F, 0x45, 0x4C, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0, 0x54, 0x80, 4, 8,
                52, 0,
                0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 52, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0, 0,
            ]
            let segment: [UInt8] = [
                1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 4, 8, 0, 0x80, 4, 8, 93, 0, 0, 0, 93, 0, 0, 0, 5, 0, 0, 0, 0, 16, 0, 0,
            ]
            let code: [UInt8] = [0xB8, 29, 0, 0, 0, 0xCD, 0x80, 0xEB, 0xF7]
            #expect(Files.write(head + segment + code, to: path, mode: 0o700) == 0)
            let program = try sandbox.start(Program(path, []))
            #expect(eventually { Files.text("/proc/\(program.id)/maps")?.contains("08048000") == true })
            return program
        }

        @Test("a 32-bit program in a capture: its memory fails with that reason, the rest of it is told", .sandbox)
        func shortCapture() throws {
            try CaptureDesk.with { desk in
                let program = try startShort(in: desk.sandbox)
                let (account, processes) = try desk.capture(
                    "pid:\(program.id)",
                    "--memory",
                    "all",
                    "--plain-memory",
                    and: "data/processes.jsonl"
                )
                let memory = account.filter { $0["item"]?.string == "processMemory" }
                #expect(memory.map { $0["outcome"]?.string } == ["failed"], "\(account)")
                #expect(memory.first?["reason"]?.string == "32-bit processes are not written yet")
                let whole = account.first { $0["item"]?.string == "memory" }
                #expect(whole?["outcome"]?.string == "partial")
                #expect(whole?["reason"]?.string == "the memory of 1 of 1 processes is not whole")
                let told = processes.first { $0["pid"]?.integer == Int64(program.id) }
                #expect(told?["exe"]?.string?.hasSuffix("/short") == true && told?["capabilities"] != nil)
                #expect(told?["threads"]?.array?.first?["systemCall"]?.string?.isEmpty == false)
            }
        }

        @Test("a program of 32 bits is known as one, and no other is", .sandbox)
        func shortPointers() throws {
            let program = try startShort(in: try Sandbox.of())
            let host = try Host()
            let ticks = try ProcessDirectory(program.id, on: host).stat().numbers.startTicks
            let pin = ProcessPin(pid: program.id, startTicks: ticks)
            let look = try MemoryLook(pin, mode: .all, registers: RegisterReader(), on: host)
            #expect(look.hasShortPointers)
            let ours = try MemoryLook(
                ProcessPin(
                    pid: getpid(),
                    startTicks: try ProcessDirectory(getpid(), on: host).stat().numbers.startTicks
                ),
                mode: .dirty,
                registers: RegisterReader(),
                on: host
            )
            #expect(!ours.hasShortPointers)
        }

        @Test("a process that was stopped stays stopped and is not touched", .sandbox)
        func stopped() throws {
            let scene = try MemoryScene(.unified)
            scene.child.signal(SIGSTOP)
            #expect(eventually { scene.states() == ["T"] })
            let captured = try scene.capture(.all)
            #expect(try captured.registers() == ["saved by the kernel"])
            try captured.expectCore(of: scene)
            #expect(scene.states() == ["T"])
            scene.expectFree()
        }

        @Test("who is traced by somebody else keeps its tracer, and that is told", .sandbox)
        func traced() throws {
            let scene = try MemoryScene(.unified, "--sleepy")
            let tracer = try scene.sandbox.testkit("trace", "\(scene.child.id)", in: .none)
            let look = try scene.look(registers: RegisterReader())
            let leader = try #require(look.threads.first)
            #expect(leader.source == .saved, "\(leader)")
            #expect(leader.reason == "process \(tracer.id) traces it")
            let status = Files.text("/proc/\(scene.child.id)/status") ?? ""
            #expect(status.contains("TracerPid:\t\(tracer.id)\n"))
        }

        @Test("only what is the process's own is taken when that is asked for", .sandbox)
        func dirty() throws {
            let named = try Sandbox.of().folder + "/na\nmed"
            let scene = try MemoryScene(.unified, "--sleepy", "--file", named)
            try scene.freeze()
            let captured = try scene.capture(.dirty)
            let line = try captured.only()
            #expect((line["namedFileBytes"]?.integer ?? 0) > 100_000)
            try captured.expectTexts(of: scene)
            // The session was told of by a name with a line feed in it, and gdb finds its text in the file.
            let files = try captured.run("/usr/bin/eu-readelf", "-n")
            #expect(files.text.contains("na\\012med"), "\(files.text.prefix(4000))")
        }

        @Test(
            "pages of zeros stand in the core of who stands still once, and gdb reads them; of who runs all are content",
            .sandbox,
            arguments: [true, false]
        )
        func blank(_ isFrozen: Bool) throws {
            let scene = try MemoryScene(.unified, "--sleepy", "--blank")
            if isFrozen { try scene.freeze() }
            let captured = try scene.capture(.all)
            let line = try captured.only()
            let blank = try #require(line["blankBytes"]?.integer)
            // 6 MiB without 64 KiB that were never there and two cells with a text.
            #expect((isFrozen ? 6_160_384...7 << 20 : 0...0).contains(blank), "\(line)")
            #expect((isFrozen ? 4...64 : 0...0).contains(line["blankStretches"]?.integer ?? -1), "\(line)")
            #expect(line["before"] == line["after"] || !isFrozen)
            #expect(captured.item("processMemory")?["outcome"]?.string == "collected", "\(captured.items)")
            try captured.expectBlank(of: scene)
            try captured.expectTexts(of: scene)
        }

        @Test("memory that two processes share is in one core", .sandbox)
        func shared() throws {
            let scene = try MemoryScene(.unified, "--sleepy", "--twin")
            try scene.freeze()
            let lines = try scene.capture(.all).index
            #expect(lines.count == 2)
            let sizes = lines.compactMap { $0["elsewhereBytes"]?.integer }
            #expect(sizes.count == 2 && sizes.min() == 0)
            let pages = lines.compactMap { $0["pageBytes"]?.integer }
            #expect((pages.min() ?? 0) > 8 << 20)
        }

        @Test(
            "60,000 mappings with more stretches of pages than a header counts are taken, and eu-readelf counts them",
            .sandbox
        )
        func hostileMaps() throws {
            let scene = try MemoryScene(.unified, "--sleepy", "--maps", "60000", "--sieve", "6000")
            try scene.freeze()
            let captured = try scene.capture(.dirty)
            let line = try captured.only()
            #expect((line["mappings"]?.integer ?? 0) > 60_000)
            #expect((line["segments"]?.integer ?? 0) > 65_535)
            #expect(line["before"] == line["after"])
            #expect(captured.item("processMemory")?["outcome"]?.string == "collected", "\(captured.items)")
            let header = try captured.run("/usr/bin/eu-readelf", "-h")
            #expect(header.status == 0 && header.text.contains("65535 ("), "\(header.text)")
            try captured.expectTexts(of: scene)
        }

        @Test(
            "a process that ends while its memory is read leaves a core that is cut, and that is told",
            .sandbox
        )
        func vanishing() throws {
            let scene = try MemoryScene(.unified, "--sleepy")
            let process = scene.child.id
            let control = CaptureControl(report: { progress in
                guard progress.phase.hasPrefix("memory of") else { return }
                kill(process, SIGKILL)
                // What is left of it has no memory any more.
                _ = eventually { (Files.text("/proc/\(process)/statm") ?? "0").hasPrefix("0") }
            })
            let captured = try scene.capture(.all, control: control)
            let item = try #require(captured.item("processMemory"))
            #expect(item["outcome"]?.string == "partial", "\(item)")
            #expect(item["reason"]?.string?.contains("the process ended after") == true, "\(item)")
            #expect(captured.sealed.counts.addUp)
        }

        @Test("a process that is gone before is failed, and one that is cancelled is skipped", .sandbox)
        func gone() throws {
            let scene = try MemoryScene(.unified, "--sleepy")
            let request = try scene.request(.all)
            scene.child.signal(SIGKILL)
            #expect(eventually { (Files.text("/proc/\(scene.child.id)/statm") ?? "0").hasPrefix("0") })
            let captured = try scene.capture(request)
            #expect(captured.item("processMemory")?["outcome"]?.string == "failed", "\(captured.items)")
            #expect(captured.item("memory")?["outcome"]?.string == "partial")
            let cancelled = try scene.capture(request, control: CaptureControl(isCancelled: { true }))
            #expect(cancelled.item("processMemory")?["outcome"]?.string == "skipped")
        }

        @Test("both ways to ask which pages are there agree", .sandbox)
        func pagemap() throws {
            let scene = try MemoryScene(.unified, "--sleepy", "--sieve", "100")
            try scene.freeze()
            let look = try scene.look(registers: RegisterReader())
            let process = try ProcessDirectory(scene.pin, on: scene.host)
            let entries = PageScanner(try process.open("pagemap", O_RDONLY), of: BytePath("pagemap"), usesScan: false)
            for (map, runs) in zip(look.maps, look.runs) where map.isTouched && !map.isDevice {
                var pages = Set<UInt64>()
                try entries.scan(map.start, map.end) { run in
                    pages.formUnion(stride(from: run.start, to: run.end, by: 4096))
                }
                let scanned = runs.flatMap { Array(stride(from: $0.start, to: $0.end, by: 4096)) }
                #expect(pages == Set(scanned), "\(map)")
            }
        }
    }
}

/// One process with known memory in a group of its own.
private final class MemoryScene {
    let sandbox: Sandbox
    let child: Child
    let host: Host
    let pin: ProcessPin
    /// Addresses as the process told them: the pattern, the shared text, the guarded text.
    let addresses: [String]
    private let group: Cgroup

    init(_ placement: Sandbox.Placement, _ arguments: String...) throws {
        sandbox = try Sandbox.of()
        let program = Program(try Sandbox.testkitPath(), ["memory"] + arguments)
        child = try sandbox.start(program, in: placement)
        let line = try child.line { $0.hasPrefix("ready") }
        addresses = line.split(separator: " ").dropFirst().map(String.init)
        host = try Host()
        let hierarchy = placement == .unified ? host.unified : host.freezer
        group = try Cgroup(BytePath("/\(sandbox.name)"), in: try #require(hierarchy))
        pin = try ProcessDirectory(child.id, on: host).stat().pin
    }

    func freeze() throws {
        let control = try FreezerControl(group)
        try control.freeze()
        #expect(try control.wait(for: .frozen, until: Deadline(after: .seconds(5))))
    }

    func look(registers: RegisterReader) throws -> MemoryLook {
        try MemoryLook(pin, mode: .all, registers: registers, on: host)
    }

    func request(_ memory: MemoryMode) throws -> CaptureRequest {
        let leader = SessionPin(bootID: host.bootID, cgroups: [group.pin], leader: pin)
        var request = try CaptureRequest.ofNoCase(
            .volatile,
            members: group.processes(),
            on: host,
            locator: "cgroup:/\(sandbox.name)",
            pins: [leader]
        )
        request.frozenCgroups = [group.pin]
        request.memory = memory
        return request
    }

    func capture(_ memory: MemoryMode, control: CaptureControl = CaptureControl()) throws -> CapturedMemory {
        try capture(try request(memory), control: control)
    }

    func capture(_ request: CaptureRequest, control: CaptureControl = CaptureControl()) throws -> CapturedMemory {
        let folder = try #require(Files.makeTemporaryFolder(sandbox.folder + "/bundle-XXXXXX"))
        let sealed = try Acquisition(request, on: host, control: control)
            .capture(to: BytePath(folder + "/b"), sealedWith: nil)
        return try CapturedMemory(sealed, in: folder)
    }

    /// The states of the threads, each once.
    func states() -> Set<String> {
        let threads = Files.names(in: "/proc/\(child.id)/task") ?? []
        return Set(
            threads.compactMap { thread in
                let stat = Files.text("/proc/\(child.id)/task/\(thread)/stat") ?? ""
                return stat.split(separator: ")").last?.split(separator: " ").first.map(String.init)
            }
        )
    }

    /// Nobody traces it.
    func expectFree() {
        for thread in Files.names(in: "/proc/\(child.id)/task") ?? [] {
            let status = Files.text("/proc/\(child.id)/task/\(thread)/status") ?? ""
            #expect(status.contains("TracerPid:\t0\n"))
        }
    }
}

/// A sealed and verified capture with memory in it, and the core of its first process as a file.
private struct CapturedMemory {
    let sealed: SealedCapture
    let index: [JSONValue]
    let items: [JSONValue]
    private let core: String

    init(_ sealed: SealedCapture, in folder: String) throws {
        self.sealed = sealed
        let bundle: VerifiedBundle
        switch try UnverifiedBundle(at: sealed.path).verify(VerificationPolicy(trusting: [])) {
        case .consistent(let verified): bundle = verified
        case .wrong(let finding): throw finding
        }
        func lines(_ name: String) throws -> [JSONValue] {
            try bundle.bytes(of: PayloadName(name)).split(separator: UInt8(ascii: "\n"))
                .map { try JSONReader.read(Array($0)) }
        }
        index = try lines("data/memory.jsonl")
        items = try lines("data/collection.jsonl")
        core = folder + "/core"
        guard let stream = index.first?["stream"]?.string else { return }
        let file = open(core, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        defer { close(file) }
        try bundle.readVolumes(of: PayloadName(stream)) { bytes in
            #expect(write(file, bytes.baseAddress, bytes.count) == bytes.count)
        }
    }

    func item(_ name: String) -> JSONValue? { items.first { $0["item"]?.string == name } }

    func only() throws -> JSONValue {
        #expect(index.count == 1)
        return try #require(index.first)
    }

    /// Where the registers of the threads came from.
    func registers() throws -> Set<String> {
        let threads = try only()["threads"]?.array ?? []
        #expect(threads.count == 4)
        return Set(threads.compactMap { $0["registers"]?.string })
    }

    func run(_ program: String, _ arguments: String...) throws -> Programs.Program.Result {
        try Program(program, arguments + [core]).run(within: .seconds(60))
    }

    func debug(_ commands: String...) throws -> String {
        let words = commands.flatMap { ["-ex", $0] }
        let result = try Program(
            "/usr/bin/gdb",
            ["-batch", "-nx", "-iex", "set debuginfod enabled off"] + words + [try Sandbox.testkitPath(), core]
        ).run(within: .seconds(60))
        #expect(result.status == 0, "\(result.errorText)")
        return result.text + result.errorText
    }

    func expectTexts(of scene: MemoryScene) throws {
        let pattern = scene.addresses[0]
        let said = try debug(
            "x/s \(pattern)",
            "x/s \(pattern) + 4194304",
            "x/gx \(pattern) + 800",
            "x/s \(scene.addresses[1])",
            "x/s \(scene.addresses[2])"
        )
        #expect(said.contains("\"the pattern begins\""), "\(said)")
        #expect(said.contains("\"the middle of it\""), "\(said)")
        #expect(said.contains(String(UInt64(100) &* 0x9E37_79B9_7F4A_7C15, radix: 16)), "\(said)")
        #expect(said.contains("\"the shared text\""), "\(said)")
        #expect(said.contains("\"the guarded text\""), "\(said)")
    }

    /// gdb reads zeros and the texts between them; the file has what was there, and nothing for what was not.
    func expectBlank(of scene: MemoryScene) throws {
        let place = scene.addresses[3]
        let said = try debug(
            "x/2gx \(place)",
            "x/gx \(place) + 0xFFFF8",
            "x/s \(place) + 0x100000",
            "x/gx \(place) + 0x2FFFF8",
            "x/gx \(place) + 0x310000",
            "x/s \(place) + 0x500000",
            "x/gx \(place) + 0x5FFFF8"
        )
        #expect(said.ranges(of: "0x0000000000000000").count == 6, "\(said)")
        #expect(said.contains("\"after the zeros\"") && said.contains("\"between zeros\""), "\(said)")
        let headers = try run("/usr/bin/eu-readelf", "-l")
        #expect(headers.status == 0 && headers.errorText.isEmpty, "\(headers.errorText)")
        // LOAD, offset, address, physical address, bytes in the file, bytes in memory.
        let inFile = headers.text.split(separator: "\n").compactMap { line -> Range<UInt64>? in
            let words = line.split(separator: " ")
            guard words.first == "LOAD", words.count > 4, let start = UInt64(words[2].dropFirst(2), radix: 16),
                let size = UInt64(words[4].dropFirst(2), radix: 16)
            else { return nil }
            return start..<start + size
        }
        let start = try #require(UInt64(place.dropFirst(2), radix: 16))
        let there = [0, 0xFFFFF, 0x10_0000, 0x2F_FFFF, 0x31_0000, 0x50_0000, 0x5F_FFFF].map { start + UInt64($0) }
        for address in there { #expect(inFile.contains { $0.contains(address) }, "\(address - start)") }
        for address in [start + 0x30_0000, start + 0x30_FFFF] {
            #expect(!inFile.contains { $0.contains(address) }, "\(address - start)")
        }
    }

    /// gdb reads the texts and lists all threads, one with a value in r12 that only it has; eu-readelf is content.
    func expectCore(of scene: MemoryScene) throws {
        try expectTexts(of: scene)
        let threads = try debug("info threads", "thread apply all p/x $r12", "thread apply all bt 2")
        #expect(threads.split(separator: "\n").count { $0.contains("LWP") && $0.contains("Thread") } >= 4, "\(threads)")
        #expect(threads.contains("0x1122334455667788"), "\(threads)")
        #expect(threads.contains("nanosleep"), "\(threads)")
        let notes = try run("/usr/bin/eu-readelf", "-a")
        #expect(notes.status == 0 && notes.errorText.isEmpty, "\(notes.errorText)")
        for name in ["PRSTATUS", "PRPSINFO", "AUXV", "FILE"] { #expect(notes.text.contains(name), "\(name)") }
        let stacks = try Program("/usr/bin/eu-stack", ["--core", core]).run(within: .seconds(60))
        #expect(stacks.text.split(separator: "\n").count { $0.hasPrefix("TID") } == 4, "\(stacks.text)")
    }
}
