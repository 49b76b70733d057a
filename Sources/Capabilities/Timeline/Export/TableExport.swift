public import Base

/// The timeline for a terminal: time, distance from the beginning, who vouches for it, who, what. One row a line; every
/// hostile text is escaped, and cut to the width when there is one.
public enum TableExport {
    /// What a table shows.
    public struct Options: Sendable {
        /// The width in cells, of which at least 60 are used; `nil` cuts nothing of what is told last.
        public var width: Int? = 120
        /// Which events.
        public var query = EventStore.Query()
        /// The moment from which the second column counts; `nil` for the beginning of the transcripts.
        public var origin: Instant?
        /// Whether the sources and what they cover follow.
        public var showsCoverage = true

        /// 120 cells, all events but bookkeeping, with coverage.
        public init() {}
    }

    /// Writes the table line by line, without newlines.
    ///
    /// - Throws: `system` when the store cannot be read, and what `write` throws.
    public static func write(
        _ store: EventStore,
        _ options: Options = Options(),
        to write: (String) throws(Failure) -> Void
    ) throws(Failure) {
        let start = try store.storyStart()
        let origin = options.origin ?? start
        let frame = Frame(width: options.width.map { max(60, $0) }, origin: origin)
        try write(frame.header)
        var shown: Int64 = 0
        var unclaimed = 0
        try store.forEach(options.query) { (row) throws(Failure) in
            shown += 1
            if row.mark == .unclaimed { unclaimed += 1 }
            try write(frame.line(of: row))
            if let beside = frame.beside(row) { try write(beside) }
        }
        try writeRemainder(store, options.query, shown, to: write)
        if unclaimed > 0 { try write("! unclaimed: no tool call that was running then names it") }
        if options.showsCoverage { try writeCoverage(store, to: write) }
    }

    private static func writeRemainder(
        _ store: EventStore,
        _ query: EventStore.Query,
        _ shown: Int64,
        to write: (String) throws(Failure) -> Void
    ) throws(Failure) {
        var everything = EventStore.Query()
        everything.includesBookkeeping = true
        let left = try store.count(everything) - shown
        if left > 0 { try write("\(left) more rows are not shown: bookkeeping, other times or beyond the limit") }
    }

    private static func writeCoverage(
        _ store: EventStore,
        to write: (String) throws(Failure) -> Void
    ) throws(Failure) {
        try write("")
        try write("SOURCES")
        for source in try store.sources() { try write("  " + CoverageWords.line(of: source)) }
        try write("  a minute that no source recorded is unknown, not clean")
    }
}

/// The columns of a table.
private struct Frame {
    private static let timeWidth = 26
    private static let distanceWidth = 11
    private static let labelWidth = 17
    private static let actorWidth = 15

    let width: Int?
    let origin: Instant?

    var header: String { line("TIME (UTC)", "SINCE START", "VOUCHED BY", "WHO", "WHAT") }

    func line(of row: TimelineRow) -> String {
        let label = Label.words(for: row.event) + (row.mark == .unclaimed ? " !" : "")
        return line(
            time(row.event),
            distance(row.event),
            label,
            row.event.actor.terminal,
            Label.text(of: row.event)
        )
    }

    /// What stands beside a statement, under it.
    func beside(_ row: TimelineRow) -> String? {
        guard row.seen > 0 else { return nil }
        return line("", "", "", "", "^ beside it: \(row.seen) observed, \(row.unclaimed) unclaimed")
    }

    private func line(
        _ time: String,
        _ distance: String,
        _ label: String,
        _ actor: String,
        _ text: String
    ) -> String {
        let distance =
            String(repeating: " ", count: max(0, Frame.distanceWidth - Columns.width(of: distance))) + distance
        let front = [
            Columns.fit(time, to: Frame.timeWidth), Columns.fit(distance, to: Frame.distanceWidth),
            Columns.fit(label, to: Frame.labelWidth), Columns.fit(actor, to: Frame.actorWidth),
        ].joined(separator: " ")
        let room = width.map { max(10, $0 - Columns.width(of: front) - 1) }
        let line = front + " " + (room.map { Columns.cut(text, to: $0) } ?? text)
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// Milliseconds; `~` in front of what is not known to a second.
    private func time(_ event: Event) -> String {
        guard let time = event.time else { return "unknown" }
        let printed = time.interval.earliest.description
        let isRough = time.basis != .stated && time.basis != .kernelClock && time.basis != .quellClock
        return (isRough || time.precision > 1_000_000_000 ? "~" : " ") + printed.dropLast(7) + "Z"
    }

    private func distance(_ event: Event) -> String {
        guard let origin, let time = event.time else { return "" }
        let (span, overflow) = time.interval.earliest.nanoseconds.subtractingReportingOverflow(origin.nanoseconds)
        if overflow { return "" }
        let milliseconds = span.magnitude / 1_000_000
        let fraction = String(milliseconds % 1000)
        let padded = String(repeating: "0", count: 3 - fraction.count) + fraction
        let seconds = milliseconds / 1000
        if seconds >= 86_400 { return (span < 0 ? "-" : "+") + "\(seconds / 86_400) d" }
        return (span < 0 ? "-" : "+") + "\(seconds).\(padded) s"
    }
}

/// What a source covers, in words.
enum CoverageWords {
    static func line(of source: TimelineSource) -> String {
        let coverage = source.coverage
        var parts = [source.source.label]
        switch coverage.extent {
        case .none: parts.append("not read")
        case .snapshot: parts.append("what still existed at the capture")
        case .continuous: parts.append(span(coverage))
        }
        if coverage.extent != .none { parts.append("\(coverage.records) records, \(coverage.events) events") }
        if coverage.unreadable > 0 { parts.append("\(coverage.unreadable) unreadable") }
        if coverage.repeated > 0 { parts.append("\(coverage.repeated) repeated") }
        let unknown = coverage.unknownTypes.values.reduce(0, +)
        if unknown > 0 { parts.append("\(unknown) of unknown type") }
        if !coverage.isComplete { parts.append("NOT COMPLETE") }
        if let remark = coverage.remark { parts.append(remark) }
        return parts.joined(separator: ", ")
    }

    private static func span(_ coverage: Coverage) -> String {
        guard let earliest = coverage.earliest, let latest = coverage.latest else { return "no times" }
        return "\(short(earliest)) to \(short(latest))"
    }

    private static func short(_ instant: Instant) -> String { instant.description.dropLast(11) + "Z" }
}
