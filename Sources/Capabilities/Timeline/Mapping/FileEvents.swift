import Base

/// Makes events of one file's line of data/collection.jsonl: what the file system knew of it at the capture.
///
/// Birth and last change are written by the kernel alone (statx(2): stx_btime, stx_ctime). The time of the last
/// modification can be set by anyone who may write the file (utimensat(2)), so it is the session's word and told only
/// where it differs from the change.
enum FileEvents {
    /// Below this, birth, change and modification are one writing of the file.
    private static let oneWriting: Int64 = 100_000_000

    static func events(of line: JSONValue, in citation: Citation) -> [Event] {
        guard let item = line["item"]?.string, item == "file" || item == "deletedFile" || item == "transcript" else {
            return []
        }
        let born = instant(line["born"])
        let changed = instant(line["changed"])
        let modified = instant(line["modified"])
        var times: [(Event.Kind, Event.Verb, Writers, Instant)] = []
        if let born { times.append((.observation, .bornFile, .kernel, born)) }
        if let changed {
            if item == "deletedFile" {
                times.append((.observation, .deletedFile, .kernel, changed))
            } else if differs(changed, from: born) {
                times.append((.observation, .changedFile, .kernel, changed))
            }
        }
        if let modified, differs(modified, from: changed), differs(modified, from: born) {
            times.append((.testimony, .datedFile, [.session], modified))
        }
        return times.map { kind, verb, writers, moment in
            let basis: EventTime.Basis = writers == .kernel ? .kernelClock : .stated
            var event = Event(kind, verb, by: writers, at: EventTime(Interval(moment), basis), in: citation)
            event.actor = EvidenceText(owner(of: line))
            event.object = EvidenceText(path(of: line))
            event.detail = EvidenceText(detail(of: line, item))
            event.stage = kind == .observation ? .observed : nil
            event.isBookkeeping = isBookkeeping(line, verb)
            return event
        }
    }

    /// The transcripts' own files change with every record, and a directory changes with what lies in it.
    private static func isBookkeeping(_ line: JSONValue, _ verb: Event.Verb) -> Bool {
        if line["item"]?.string == "transcript" || line["root"]?.string?.hasPrefix("transcripts") == true {
            return true
        }
        return line["type"]?.string == "directory" && verb != .bornFile
    }

    private static func differs(_ one: Instant, from other: Instant?) -> Bool {
        guard let other else { return true }
        let (span, overflow) = one.nanoseconds.subtractingReportingOverflow(other.nanoseconds)
        return overflow || span.magnitude > UInt64(oneWriting)
    }

    private static func instant(_ value: JSONValue?) -> Instant? { value?.string.flatMap { Instant(rfc3339: $0) } }

    private static func owner(of line: JSONValue) -> String {
        line["uid"]?.integer.map { "uid \($0)" } ?? ""
    }

    private static func path(of line: JSONValue) -> BytePath {
        let path = BytePath(ProcessEvents.bytes(line["path"]))
        guard let root = line["root"]?.string, !path.isAbsolute else { return path }
        if path.isEmpty || path == BytePath(".") { return BytePath(root) }
        return BytePath(root).appending(path)
    }

    private static func detail(of line: JSONValue, _ item: String) -> String {
        if item == "deletedFile" { return "deleted, kept open" }
        let type = line["type"]?.string ?? "file"
        guard type == "file", let size = line["size"]?.integer else { return type }
        return "\(size) bytes"
    }
}
