import Base

/// Makes an event of one line of data/processes.jsonl: that a process started. The kernel recorded the start; the
/// arguments are memory of the process and may have been rewritten since.
enum ProcessEvents {
    /// The kernel keeps start times in clock ticks of 10 ms (proc_pid_stat(5), sysconf(_SC_CLK_TCK)).
    private static let tick: Int64 = 10_000_000

    static func event(of line: JSONValue, in citation: Citation) -> Event? {
        guard let pid = line["pid"]?.integer, let started = line["started"]?.string.flatMap({ Instant(rfc3339: $0) })
        else { return nil }
        let (end, overflow) = started.nanoseconds.addingReportingOverflow(tick - 1)
        let time = EventTime(Interval(started, overflow ? started : Instant(nanoseconds: end)), .kernelClock)
        var event = Event(.observation, .startedProcess, by: .kernel, at: time, in: citation)
        let comm = bytes(line["comm"])
        event.actor = EvidenceText(bytes: comm + Array("[\(pid)]".utf8))
        let arguments = (line["argv"]?.array ?? []).map { bytes($0) }
        let exe = bytes(line["exe"])
        event.object = EvidenceText(bytes: exe.isEmpty ? comm : exe)
        event.detail = EvidenceText(bytes: Array(arguments.joined(separator: [0x20]).prefix(Event.textBound)))
        let membership = line["membership"]?.string ?? "member"
        event.origin = membership == "member" ? nil : EvidenceText(membership)
        event.stage = .observed
        return event
    }

    /// A text, or the bytes of `{"bytes": BASE64}`.
    static func bytes(_ value: JSONValue?) -> [UInt8] {
        if let text = value?.string { return Array(text.utf8) }
        guard let encoded = value?["bytes"]?.string else { return [] }
        return Base64.decode(encoded) ?? []
    }
}
