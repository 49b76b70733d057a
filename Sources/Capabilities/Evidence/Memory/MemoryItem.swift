import Base
import Bundles
import Kernel

/// data/memory/: the memory of each process of the session as an ELF core, and data/memory.jsonl, which says of each what
/// is in it, what is not, and where the registers came from.
final class MemoryItem {
    /// Why there is no memory in a capture that was not asked for it.
    static let notAsked = "not asked for: memory holds secrets"

    private let request: CaptureRequest
    private let host: Host
    private let writer: BundleWriter
    private let meter: CaptureMeter
    private let budget: CaptureBudget
    /// Maps and pages of a large process take their time; whoever holds its locks is left behind.
    private let reader = ImpatientReader(patience: .seconds(30))
    private let registers = RegisterReader()
    private let shared = SharedPages()

    init(_ request: CaptureRequest, on host: Host, writer: BundleWriter, meter: CaptureMeter, budget: CaptureBudget) {
        self.request = request
        self.host = host
        self.writer = writer
        self.meter = meter
        self.budget = budget
    }

    /// Takes the memory of members and strays, the leader's first.
    func collect(log: CollectionLog) throws(Failure) {
        var whole = CollectionItem(.memory)
        let index = try writer.stream(try PayloadName("data/memory.jsonl"))
        whole.member = index.name.text
        var shortfalls = 0
        for subject in subjects {
            let item = try collect(subject, index)
            if item.outcome != .collected { shortfalls += 1 }
            try log.record(item)
            meter.countObject()
        }
        try index.close()
        if subjects.isEmpty { whole.reason = "no process of the session is left" }
        if shortfalls > 0 {
            whole = whole.partial("the memory of \(shortfalls) of \(subjects.count) processes is not whole")
        }
        try log.end(whole)
    }

    private var subjects: [CaptureSubject] {
        let leaders = Set(request.pins.compactMap(\.leader))
        let mine = request.subjects.filter { $0.membership != .guest }.sorted { $0.pin.pid < $1.pin.pid }
        return mine.filter { leaders.contains($0.pin) } + mine.filter { !leaders.contains($0.pin) }
    }

    private func collect(_ subject: CaptureSubject, _ index: PayloadStream) throws(Failure) -> CollectionItem {
        let pin = subject.pin
        var item = CollectionItem(.processMemory, path: BytePath("/proc/\(pin.pid)"))
        if meter.mustStop() { return item.skipped(meter.stopWord) }
        let look: MemoryLook
        do throws(Failure) {
            look = try self.look(at: pin)
        } catch {
            return item.failed(error)
        }
        if look.hasShortPointers {
            let reason = "32-bit processes are not written yet"
            return item.failed(Failure(.refused, "write the memory", on: "\(pin.pid)", because: reason))
        }
        let choice = MemoryChoice(look, mode: request.memory, shared: shared)
        guard budget.take(choice.layout.bytes + UInt64(choice.layout.segments.count * 56)) else {
            return item.skipped("over the budget: \(choice.layout.bytes) bytes")
        }
        meter.enter("memory of \(pin.pid)", expectedBytes: choice.layout.bytes)
        let account = MemoryAccount(look, choice, mode: request.memory)
        let name = try PayloadName("data/memory/\(pin.pid)-\(pin.startTicks).core.zst")
        let written = try CoreWriter(writer: writer, meter: meter, host: host)
            .write(look, choice, remark: account.remark, of: pin, to: name)
        item.member = written.receipt.first.text
        item.digest = written.receipt.digest
        let after = sizeAfter(pin, look)
        try index.appendLine(account.line(written, after: after, of: pin))
        let reasons = account.shortfalls(written)
        if reasons.isEmpty {
            item.reason = account.note(after: after)
            // What reading did to it is part of what is told of it.
            if case .failure(let failure) = after { item = item.partial(item.reason ?? "", errno: failure.errno) }
            return item
        }
        return item.partial(reasons.joined(separator: "; "), errno: written.holes.first?.errno)
    }

    private func look(at pin: ProcessPin) throws(Failure) -> MemoryLook {
        let host = self.host
        let mode = request.memory
        let registers = self.registers
        return try reader.read("look at the memory", on: "\(pin.pid)") { () -> Result<MemoryLook, Failure> in
            do throws(Failure) {
                return .success(try MemoryLook(pin, mode: mode, registers: registers, on: host))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    private func sizeAfter(_ pin: ProcessPin, _ look: MemoryLook) -> Result<ResidentSize, Failure> {
        let host = self.host
        let prefix = look.prefix
        do throws(Failure) {
            let what = "look at the memory again"
            return try reader.read(what, on: "\(pin.pid)") { () -> Result<ResidentSize, Failure> in
                do throws(Failure) {
                    return .success(try ResidentSize(of: try ProcessDirectory(pin, on: host), through: prefix))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            return .failure(error)
        }
    }
}
