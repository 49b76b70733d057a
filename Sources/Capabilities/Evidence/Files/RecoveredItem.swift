import Base
import Bundles
import Kernel

/// data/recovered/: regular files without a name, memfds and deleted executables, through the processes that hold
/// them; each once, however many hold it. `index.jsonl` says who holds which at what position.
struct RecoveredItem {
    let processes: ProcessesItem
    let copier: RawCopier
    let host: Host

    func collect(log: CollectionLog) throws(Failure) {
        let index = try copier.writer.stream(try PayloadName("data/recovered/index.jsonl"))
        var whole = CollectionItem(.deletedFiles)
        whole.member = index.name.text
        for (number, file) in processes.deletedFiles.enumerated() {
            let name = try PayloadName("data/recovered/\(number + 1)")
            var item = CollectionItem(.deletedFile, path: file.target)
            item.facts = file.facts
            if copier.meter.mustStop() {
                item = item.skipped("cancelled")
            } else {
                item = try copy(file, to: name, item)
            }
            try log.record(item)
            try index.appendLine(line(of: file, item))
            copier.meter.countObject()
        }
        try index.close()
        try log.end(processes.judge(whole))
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
