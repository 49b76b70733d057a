import Base
import Casework
import Glibc
import Logs
import Testing
import Timeline

/// Evidence that stands in the test.
struct MemoryEvidence: EvidenceFiles {
    var payload: [String: [UInt8]] = [:]
    var trees: [String: [(path: BytePath, content: [UInt8]?)]] = [:]

    var name: String { String(repeating: "ab", count: 32) }
    var captured: Interval {
        Interval(Instant(nanoseconds: 1_790_000_060_000_000_000), Instant(nanoseconds: 1_790_000_070_000_000_000))
    }
    var members: [String] { payload.keys.sorted() }
    var roots: [String] { trees.keys.sorted() }

    func read(_ member: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let bytes = payload[member] ?? []
        // Pieces of odd sizes, so that lines lie across them.
        var start = 0
        while start < bytes.count {
            let end = min(bytes.count, start + 97)
            let piece = Array(bytes[start..<end])
            try piece.withUnsafeBufferPointer { (buffer) throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
            start = end
        }
    }

    func walk(root: String, _ body: (EvidenceFile) throws(Failure) -> Void) throws(Failure) {
        for entry in trees[root] ?? [] {
            try body(
                EvidenceFile(path: entry.path, size: entry.content.map { UInt64($0.count) }) { (part) throws(Failure) in
                    let bytes = entry.content ?? []
                    try bytes.withUnsafeBufferPointer { (buffer) throws(Failure) in
                        try part(0, UnsafeRawBufferPointer(buffer))
                    }
                }
            )
        }
    }

    mutating func add(transcript path: String, _ lines: [String]) {
        let text = lines.map { $0 + "\n" }.joined()
        trees["transcripts", default: []].append((BytePath(path), Array(text.utf8)))
    }

    mutating func add(_ member: String, _ lines: [String]) {
        payload[member, default: []] += lines.map { $0 + "\n" }.joined().utf8
    }
}

/// A timeline in a temporary folder that goes away with it.
struct BuiltTimeline: ~Copyable {
    let folder: BytePath
    let store: EventStore

    init(
        _ evidence: MemoryEvidence,
        journal: [Entry]? = nil,
        readLog: Timeline.LogReading = Timeline.readInProcess
    ) throws {
        var template = Array("/tmp/quell-timeline-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let made = BytePath(template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
        let built = try Timeline.build(
            from: evidence,
            journal: journal,
            at: made.appending("timeline.sqlite"),
            readLog: readLog
        )
        folder = made
        store = built
    }

    deinit {
        for name in ["timeline.sqlite", "timeline.sqlite.building", "timeline.sqlite-journal"] {
            _ = folder.appending(name).withCString { unlink($0) }
        }
        _ = folder.withCString { rmdir($0) }
    }

    func rows(_ query: EventStore.Query = .init()) throws -> [TimelineRow] {
        var rows: [TimelineRow] = []
        try store.forEach(query) { rows.append($0) }
        return rows
    }

    func everything() throws -> [TimelineRow] {
        var query = EventStore.Query()
        query.includesBookkeeping = true
        return try rows(query)
    }
}

extension TimelineRow {
    var words: String { event.object.terminal }
}
