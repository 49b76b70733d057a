import Base
import Glibc
import Kernel

/// Estimates the steps of a plan. Looks at names, sizes and descriptors, opens no content, and shares its time out among
/// the roots that are still to be counted.
final class CaptureForecast {
    /// Stands for the share of what is not taken at all.
    static let noShare = "none"
    /// Bytes of the line of one process, of the rows about one process in tables, and of one small document.
    private static let line: UInt64 = 16_384
    private static let rows: UInt64 = 2048
    private static let document: UInt64 = 4096

    private let request: CaptureRequest
    private let host: Host
    private let deadline: Deadline
    private var treesLeft: Int

    init(_ request: CaptureRequest, on host: Host, until deadline: Deadline) {
        self.request = request
        self.host = host
        self.deadline = deadline
        treesLeft = request.trees.count
    }

    func entries(for step: CollectionPlan.Step) -> [CapturePlan.Entry] {
        switch step {
        case .processes:
            let count = UInt64(request.subjects.count)
            let amount = CaptureAmount(objects: count, bytes: count &* CaptureForecast.line, isAtLeast: true)
            let time = CaptureRates.spend(count, at: CaptureRates.processesPerSecond)
            return [entry(step, amount, time)]
        case .sockets, .network, .parked, .mounts:
            let count = UInt64(max(1, request.subjects.count))
            let amount = CaptureAmount(objects: count, bytes: count &* CaptureForecast.rows, isAtLeast: true)
            return [entry(step, amount, CaptureRates.files(amount) &+ 20_000_000)]
        case .memory: return memory(step)
        case .deletedFiles: return [deletedFiles(step)]
        case .tree(let tree): return [census(tree, step)]
        case .logs(let paths): return paths.map { log($0, step) }
        case .hostLogs(let logs): return logs.map { hostLog($0, step) }
        case .volumes(_, let lacking) where !lacking.isEmpty:
            let objection = "partial: " + lacking.joined(separator: "; ")
            return [entry(step, CaptureAmount(objects: 1, bytes: CaptureForecast.document), 0, objection: objection)]
        default:
            let amount = CaptureAmount(objects: 1, bytes: CaptureForecast.document, isAtLeast: step == .journal)
            return [entry(step, amount, CaptureRates.files(amount))]
        }
    }

    /// What the profile leaves out.
    var omissions: [CapturePlan.Entry] {
        guard request.profile == .volatile else { return [] }
        let reason = "skipped: the profile volatile takes no files that have names"
        let trees = request.trees.map { tree in
            omission("tree", tree.name, tree.path, reason)
        }
        return trees + request.logs.map { omission("log", "log", $0, reason) }
    }

    private func omission(_ item: String, _ name: String, _ path: BytePath?, _ reason: String) -> CapturePlan.Entry {
        CapturePlan.Entry(
            item: item,
            name: name,
            path: path,
            share: CaptureForecast.noShare,
            amount: CaptureAmount(),
            nanoseconds: 0,
            objection: reason
        )
    }

    /// Says of which shares a budget will not take all.
    static func warned(
        _ entries: [CapturePlan.Entry],
        _ shares: [CapturePlan.Share],
        _ budget: UInt64?
    ) -> [CapturePlan.Entry] {
        guard let budget else { return entries }
        var spent: UInt64 = 0
        var short: Set<String> = []
        for (index, share) in shares.enumerated() {
            let kept = shares[(index + 1)...].reduce(0) { $0 &+ ($1.bytes ?? 0) }
            let open = budget - min(budget, kept)
            let left = open - min(open, spent)
            if share.wanted > left { short.insert(share.name) }
            spent &+= min(share.wanted, left)
        }
        return entries.map { entry in
            guard short.contains(entry.share), entry.objection == nil else { return entry }
            return entry.objecting("partial: the budget of its share, \(entry.share), is not enough")
        }
    }

    private func entry(
        _ step: CollectionPlan.Step,
        item: String? = nil,
        path: BytePath? = nil,
        _ amount: CaptureAmount,
        _ time: UInt64,
        objection: String? = nil
    ) -> CapturePlan.Entry {
        CapturePlan.Entry(
            item: item ?? step.word,
            name: step.phase,
            path: path,
            share: step.share.word,
            amount: amount,
            nanoseconds: time,
            objection: objection
        )
    }

    /// What is in RAM of each process, by its status file: none of its locks is asked for.
    private func memory(_ step: CollectionPlan.Step) -> [CapturePlan.Entry] {
        guard request.memory != .nothing else {
            return [omission("memory", "memory", nil, "skipped: \(MemoryItem.notAsked)")]
        }
        var amount = CaptureAmount()
        for subject in request.subjects where subject.membership != .guest {
            do throws(Failure) {
                amount.bytes &+= try ProcessDirectory(subject.pin, on: host).status().residentBytes
                amount.objects += 1
            } catch {
                amount.isAtLeast = true
            }
        }
        return [entry(step, amount, CaptureRates.files(amount))]
    }

    private func hostLog(_ log: PlannedLog, _ step: CollectionPlan.Step) -> CapturePlan.Entry {
        if let failure = log.failure {
            return omission("hostLog", log.kind.rawValue, log.path, "failed: \(failure.reason)")
        }
        if let reason = log.leftOut { return omission("hostLog", log.kind.rawValue, log.path, "skipped: \(reason)") }
        let amount = CaptureAmount(objects: 1, bytes: log.facts?.size ?? 0, isAtLeast: log.facts == nil)
        return entry(step, path: log.path, amount, CaptureRates.files(amount))
    }

    private func log(_ path: BytePath, _ step: CollectionPlan.Step) -> CapturePlan.Entry {
        do throws(Failure) {
            let facts = try ask("look at the log", on: path) { () throws(Failure) in try FileNode.at(path).facts }
            let amount = CaptureAmount(objects: 1, bytes: facts.size)
            let objection = facts.kind == .file ? nil : "failed: it is a \(facts.kind.rawValue)"
            return entry(step, item: step.word, path: path, amount, CaptureRates.files(amount), objection: objection)
        } catch {
            let amount = CaptureAmount()
            return entry(step, item: step.word, path: path, amount, 0, objection: "failed: \(error.reason)")
        }
    }

    private func census(_ tree: PlannedTree, _ step: CollectionPlan.Step) -> CapturePlan.Entry {
        let share = deadline.remaining / max(1, treesLeft)
        treesLeft -= 1
        if let lost = tree.lost { return omission("tree", tree.name, tree.path, "failed: \(lost.reason)") }
        if let reason = tree.leftOut { return omission("tree", tree.name, tree.path, "skipped: \(reason)") }
        let until = Deadline(after: share)
        let host = self.host
        do throws(Failure) {
            let counted = try ask("count the tree", on: tree.path, for: share + .milliseconds(100)) {
                () throws(Failure) in
                let census = try TreeCensus.take(of: tree, on: host) { until.hasPassed }
                let amount = CaptureAmount(
                    objects: census.objects,
                    bytes: census.contentBytes,
                    isAtLeast: census.wasStopped || census.misses > 0
                )
                return (amount: amount, secretFiles: census.secretFiles)
            }
            var planned = entry(step, path: tree.path, counted.amount, CaptureRates.files(counted.amount))
            planned.remark = secrets(in: counted.secretFiles)
            return planned
        } catch {
            let amount = CaptureAmount(objects: 0, bytes: 0, isAtLeast: true)
            let word = error.code == .timedOut ? "not counted" : "failed"
            return entry(step, path: tree.path, amount, 0, objection: "\(word): \(error.reason)")
        }
    }

    /// What becomes of secrets in files of known names.
    private func secrets(in files: UInt64) -> String? {
        if files == 0 { return nil }
        let end = request.recipients.isEmpty ? "and are taken in plain" : "and go to the recipients alone up to 1 MiB"
        return "\(files) files such as .mcp.json and .env may hold secrets, \(end)"
    }

    /// Files without a name by the descriptors that lead to them, each inode once.
    private func deletedFiles(_ step: CollectionPlan.Step) -> CapturePlan.Entry {
        let until = Deadline(after: min(deadline.remaining, .milliseconds(500)))
        let pins = request.subjects.map(\.pin)
        let host = self.host
        do throws(Failure) {
            let amount = try ask("look for files without a name", on: BytePath("descriptors")) { () throws(Failure) in
                CaptureForecast.deleted(of: pins, on: host, until)
            }
            return entry(step, amount, CaptureRates.files(amount))
        } catch {
            let amount = CaptureAmount(objects: 0, bytes: 0, isAtLeast: true)
            return entry(step, amount, 0, objection: "not counted: \(error.reason)")
        }
    }

    private static func deleted(of pins: [ProcessPin], on host: Host, _ until: Deadline) -> CaptureAmount {
        var seen: Set<FileIdentity> = []
        var amount = CaptureAmount()
        for pin in pins {
            if until.hasPassed { amount.isAtLeast = true }
            if amount.isAtLeast { break }
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                let table = try process.open("fd", O_RDONLY | O_DIRECTORY)
                let links = try table.numbers(in: BytePath("fd")).map { "fd/\($0)" } + ["exe"]
                for link in links {
                    if until.hasPassed {
                        amount.isAtLeast = true
                        break
                    }
                    take(link, of: process, &seen, &amount)
                }
            } catch {
                // One that ended holds nothing; of one that may not be looked at there may be more.
                if error.code != .notFound, error.code != .changed { amount.isAtLeast = true }
            }
        }
        return amount
    }

    private static func take(
        _ link: String,
        of process: borrowing ProcessDirectory,
        _ seen: inout Set<FileIdentity>,
        _ amount: inout CaptureAmount
    ) {
        do throws(Failure) {
            let facts = try FileNode(link, of: process).facts
            guard facts.kind == .file, facts.links == 0, seen.insert(facts.identity).inserted else { return }
            amount.objects += 1
            amount.bytes &+= min(facts.size, facts.blocks &* 512)
        } catch {
            if error.code != .notFound { amount.isAtLeast = true }
        }
    }

    private func ask<Answer: Sendable>(
        _ what: String,
        on path: BytePath,
        for patience: Duration = .milliseconds(600),
        _ body: @escaping @Sendable () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let reader = ImpatientReader(patience: patience)
        let answer = try reader.read(what, on: "\(path)") { () -> Result<Answer, Failure> in
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try answer.get()
    }
}

extension CapturePlan.Entry {
    fileprivate func objecting(_ reason: String) -> CapturePlan.Entry {
        CapturePlan.Entry(
            item: item,
            name: name,
            path: path,
            share: share,
            amount: amount,
            nanoseconds: nanoseconds,
            objection: reason,
            remark: remark
        )
    }
}

extension CollectionPlan.Step {
    /// The class of its items in data/collection.jsonl.
    fileprivate var word: String {
        switch self {
        case .tree: "tree"
        case .deletedFiles: "deletedFiles"
        case .logs: "log"
        case .parked: "parked"
        case .hostLogs: "hostLog"
        default: phase
        }
    }
}
