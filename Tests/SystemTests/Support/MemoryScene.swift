import Base
import Bundles
import Glibc
import Kernel
import Programs
import Testing
@testable import Evidence

/// One process with known memory in a group of its own.
final class MemoryScene {
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
struct CapturedMemory {
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
