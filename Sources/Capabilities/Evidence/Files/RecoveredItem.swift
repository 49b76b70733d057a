import Base
import Bundles
import Glibc
import Kernel

/// data/recovered/: regular files without a name, memfds and deleted executables, through the processes that hold
/// them; each once, however many hold it. `index.jsonl` says who holds which at what position.
struct RecoveredItem {
    let processes: ProcessesItem
    let copier: RawCopier
    let host: Host
    let leases: LeaseWait

    private struct Leased {
        let number: Int
        let since: UInt64
    }

    func collect(log: CollectionLog) throws(Failure) {
        let index = try copier.writer.stream(try PayloadName("data/recovered/index.jsonl"))
        var whole = CollectionItem(.deletedFiles)
        whole.member = index.name.text
        var leased: [Leased] = []
        for number in processes.deletedFiles.indices {
            do throws(Failure) {
                try record(try collect(number), of: number, in: index, log)
            } catch {
                guard error.errno == EAGAIN else { throw error }
                leased.append(Leased(number: number, since: Deadline.monotonicNow()))
            }
            copier.meter.countObject()
        }
        for waiting in leased {
            let item = try leases.retry(since: waiting.since, planned(waiting.number)) { () throws(Failure) in
                try collect(waiting.number)
            }
            try record(item, of: waiting.number, in: index, log)
        }
        try index.close()
        try log.end(processes.judge(whole))
    }

    private func planned(_ number: Int) -> CollectionItem {
        let file = processes.deletedFiles[number]
        var item = CollectionItem(.deletedFile, path: file.target)
        item.facts = file.facts
        return item
    }

    /// - Throws: what the bundle throws, and EAGAIN as long as a lease holds.
    private func collect(_ number: Int) throws(Failure) -> CollectionItem {
        let item = planned(number)
        if copier.meter.mustStop() { return item.skipped(copier.meter.stopWord) }
        return try copy(processes.deletedFiles[number], to: try PayloadName("data/recovered/\(number + 1)"), item)
    }

    private func record(
        _ item: CollectionItem,
        of number: Int,
        in index: PayloadStream,
        _ log: CollectionLog
    ) throws(Failure) {
        try log.record(item)
        try index.appendLine(line(of: processes.deletedFiles[number], item))
    }

    /// Takes the file through the first holder that still leads to it.
    private func copy(
        _ file: ProcessesItem.DeletedFile,
        to name: PayloadName,
        _ planned: CollectionItem
    ) throws(Failure) -> CollectionItem {
        var problem = Failure(.notFound, "recover the file", on: "\(file.target)", because: "nobody holds it any more")
        for holder in file.holders.prefix(16) {
            let held: HeldFolder
            do throws(Failure) {
                let process = try ProcessDirectory(holder.pin, on: host)
                held = HeldFolder(try FileNode(holder.link, of: process))
            } catch {
                problem = error
                continue
            }
            guard held.node.facts.identity == file.facts.identity else { continue }
            return try copier.copy(held.node, to: name, grows: false, planned)
        }
        return planned.failed(problem)
    }

    private func line(of file: ProcessesItem.DeletedFile, _ item: CollectionItem) -> JSONValue {
        var line = JSONObject()
        line["member"] = item.member.map(JSONValue.string)
        line["outcome"] = .string(item.outcome.rawValue)
        line["path"] = file.target.json
        line["kind"] = .string(file.target.bytes.starts(with: "/memfd:".utf8) ? "memfd" : "deleted")
        line["sha256"] = item.digest.map { .string($0.hex) }
        line["holders"] = .array(file.holders.map(\.json))
        file.facts.describe(in: &line)
        return .object(line)
    }
}
