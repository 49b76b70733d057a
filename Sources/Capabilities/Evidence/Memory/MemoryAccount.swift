import Base
import Bundles
import Kernel

/// What is told of the memory of one process: in data/memory.jsonl, in the core itself, and in the account of the capture.
struct MemoryAccount {
    /// Threads that are told one by one; of more, how many there are.
    private static let mostThreads = 16_384

    private let look: MemoryLook
    private let choice: MemoryChoice
    private let mode: MemoryMode

    init(_ look: MemoryLook, _ choice: MemoryChoice, mode: MemoryMode) {
        self.look = look
        self.choice = choice
        self.mode = mode
    }

    /// The note of our own in the core.
    var remark: String {
        var told = JSONObject()
        told["mode"] = .string(mode.rawValue)
        told["moment"] = .string(
            look.standsStill ? "the process stood still" : "the process ran: registers and pages are not of one moment"
        )
        told["pages"] = "what is not in the core was absent, or is told in data/memory.jsonl"
        if choice.layout.blankBytes > 0 {
            told["blank"] = "pages of nothing but zeros: their segments lead to one place, the first of the content"
        }
        told["threads"] = threads
        return CanonicalJSON.text(of: .object(told))
    }

    /// Why the memory is not whole; empty when it is.
    func shortfalls(_ written: CoreWriter.Written) -> [String] {
        var reasons: [String] = []
        let wanted = choice.layout.bytes
        switch written.end {
        case .whole: break
        case .vanished: reasons.append("the process ended after \(written.bytes) of \(wanted) bytes: the core is cut")
        case .stuck: reasons.append("no answer after \(written.bytes) of \(wanted) bytes: the core is cut")
        case .stopped: reasons.append("stopped after \(written.bytes) of \(wanted) bytes: the core is cut")
        }
        if written.holeBytes > 0 { reasons.append("\(written.holeBytes) bytes could not be read and are zeros") }
        if choice.swappedBytes > 0 {
            reasons.append("\(choice.swappedBytes) bytes are in swap and were not brought in")
        }
        let without = look.threads.filter { !$0.areWhole }
        if let first = without.first {
            let why = first.reason ?? "not told"
            reasons.append("\(without.count) of \(look.threads.count) threads have not all registers: \(why)")
        }
        if choice.layout.bytesLeftOut > 0 || look.runsLeftOut > 0 {
            reasons.append("too many stretches of pages: \(choice.layout.bytesLeftOut) bytes were left out")
        }
        if look.mapsLeftOut > 0 { reasons.append("\(look.mapsLeftOut) mappings were left out") }
        return reasons
    }

    /// What else is to be known of memory that is whole.
    func note(after: Result<ResidentSize, Failure>) -> String? {
        var notes: [String] = []
        if case .failure(let failure) = after {
            notes.append("its resident size afterwards is not known: \(failure.reason)")
        }
        if !look.standsStill { notes.append("the process ran: registers and pages are not of one moment") }
        if case .success(let after) = after, after.resident != look.before.resident, look.standsStill {
            notes.append("its resident size went from \(look.before.resident) to \(after.resident) bytes")
        }
        // The kernel saves them apart, and gives them only of a thread that may be stopped.
        let without = look.threads.count { $0.areWhole && $0.floating == nil }
        if without > 0 {
            notes.append("\(without) of \(look.threads.count) threads without floating-point and vector registers")
        }
        return notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    /// The line of data/memory.jsonl.
    func line(
        _ written: CoreWriter.Written,
        after: Result<ResidentSize, Failure>,
        of pin: ProcessPin
    ) -> JSONValue {
        var line = JSONObject()
        line["pid"] = .integer(Int64(pin.pid))
        line["startTicks"] = .integer(Int64(clamping: pin.startTicks))
        line["comm"] = look.facts.stat.name.json
        line["stream"] = .string(written.receipt.name.text)
        line["volumes"] = .integer(Int64(written.receipt.volumes.count))
        line["size"] = .integer(Int64(clamping: written.receipt.size))
        line["sha256"] = .string(written.receipt.digest.hex)
        line["mode"] = .string(mode.rawValue)
        line["stoodStill"] = .bool(look.standsStill)
        line["before"] = look.before.json
        switch after {
        case .success(let size): line["after"] = size.json
        case .failure(let failure): line["afterUnknown"] = .string(failure.description)
        }
        line["mappings"] = .integer(Int64(look.maps.count))
        line["segments"] = .integer(Int64(choice.layout.segments.count))
        line["threads"] = threads
        line["threadCount"] = .integer(Int64(look.threads.count))
        line["pageBytes"] = .integer(Int64(clamping: written.bytes))
        line["namedFileBytes"] = .integer(Int64(clamping: choice.namedFileBytes))
        line["blankBytes"] = .integer(Int64(clamping: choice.layout.blankBytes))
        line["blankStretches"] = .integer(Int64(choice.layout.blankStretches))
        line["zeroBytes"] = .integer(Int64(clamping: choice.zeroBytes))
        line["swappedBytes"] = .integer(Int64(clamping: choice.swappedBytes))
        line["elsewhereBytes"] = .integer(Int64(clamping: choice.elsewhereBytes))
        line["deviceMappings"] = .integer(Int64(choice.deviceMaps))
        line["unreadableBytes"] = .integer(Int64(clamping: written.holeBytes))
        line["unreadable"] = .array(written.holes.map(\.json))
        return .object(line)
    }

    private var threads: JSONValue {
        .array(
            look.threads.prefix(Self.mostThreads).map { thread in
                var told = JSONObject()
                told["tid"] = .integer(Int64(thread.thread))
                told["registers"] = .string(thread.source.rawValue)
                told["floatingPoint"] = .bool(thread.floating != nil)
                told["reason"] = thread.reason.map(JSONValue.string)
                return .object(told)
            }
        )
    }
}

extension PageHole {
    /// Where it begins, in hexadecimal, and how many bytes it has.
    fileprivate var json: JSONValue {
        [
            "address": .string("0x" + String(address, radix: 16)), "size": .integer(Int64(clamping: size)),
            "errno": .integer(Int64(errno)),
        ]
    }
}
