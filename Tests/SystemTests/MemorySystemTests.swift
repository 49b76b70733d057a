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
            "pages of zeros stand once in the core of who is frozen, and gdb reads them; of who is not all are content",
            .sandbox,
            arguments: ["frozen", "stopped", "running"]
        )
        func blank(_ state: String) throws {
            let isFrozen = state == "frozen"
            let scene = try MemoryScene(.unified, "--sleepy", "--blank")
            if isFrozen { try scene.freeze() }
            if state == "stopped" { scene.child.signal(SIGSTOP) }
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
