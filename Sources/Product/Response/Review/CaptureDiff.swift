public import Base
public import Bundles

/// What is different between two captures. Nothing but the names of one root at a time is kept in memory: with 16 bytes each,
/// and what is told.
public struct CaptureDiff: Sendable {
    /// One difference; `name` is hostile.
    public struct Change: Hashable, Sendable {
        /// Where: `process`, `socket`, `file`, `payload`.
        public let kind: String
        /// The root, of files.
        public let root: String?
        /// `added`, `gone` or `changed`.
        public let what: String
        /// Which: as it stands in the record; paths as the mtree writes them.
        public let name: String
        /// What of it is different.
        public let detail: String
    }

    /// How often something is different, by kind and root.
    public struct Count: Hashable, Sendable {
        /// `process`, `socket`, `payload` or a root's name behind `file `.
        public let place: String
        /// Only in the second.
        public var added = 0
        /// Only in the first.
        public var gone = 0
        /// In both and not the same.
        public var changed = 0
        /// In both and the same.
        public var same = 0
    }

    /// Sums in the order in which they were compared.
    public private(set) var counts: [Count] = []
    /// Why the two may not be comparable: another session, another life of the machine.
    public private(set) var remarks: [String] = []

    /// Compares `first` with `second` and hands each difference to `tell`, as it is found.
    ///
    /// - Throws: `notVerified` when a bundle changed since its verification, `system` with errno, and what `tell` throws.
    public init(
        _ first: VerifiedBundle,
        _ second: VerifiedBundle,
        tell: (Change) throws(Failure) -> Void
    ) throws(Failure) {
        remarks = CaptureDiff.remarks(first.statement, second.statement)
        try compareProcesses(first, second, tell)
        try compareSockets(first, second, tell)
        for root in first.roots + second.roots.filter({ !first.roots.contains($0) }) {
            try compareRoot(root, first, second, tell)
        }
        try comparePayload(first, second, tell)
    }

    private static func remarks(_ first: SealStatement, _ second: SealStatement) -> [String] {
        var remarks: [String] = []
        if first.pins.map(\.bootID) != second.pins.map(\.bootID) {
            remarks.append(
                "the machine was started anew, or it is another: numbers of processes and sockets mean nothing"
            )
        } else if Set(first.pins.flatMap(\.cgroups)).isDisjoint(with: second.pins.flatMap(\.cgroups)) {
            remarks.append("they are of different sessions")
        }
        if second.sealed < first.sealed { remarks.append("the second was sealed before the first") }
        return remarks
    }

    private mutating func compareProcesses(
        _ first: VerifiedBundle,
        _ second: VerifiedBundle,
        _ tell: (Change) throws(Failure) -> Void
    ) throws(Failure) {
        let name = "data/processes.jsonl"
        var before: [SeenProcess.Key: SeenProcess] = [:]
        try first.records(name) { line throws(Failure) in
            if let process = SeenProcess(line) { before[process.key] = process }
        }
        var count = Count(place: "process")
        try second.records(name) { line throws(Failure) in
            guard let process = SeenProcess(line) else { return }
            guard let old = before.removeValue(forKey: process.key) else {
                count.added += 1
                return try tell(CaptureDiff.change(process, "added", process.arguments))
            }
            let changes = old.changes(to: process)
            if changes.isEmpty {
                count.same += 1
            } else {
                count.changed += 1
                try tell(CaptureDiff.change(process, "changed", changes.joined(separator: ", ")))
            }
        }
        for key in before.keys.sorted() {
            guard let process = before[key] else { continue }
            count.gone += 1
            try tell(CaptureDiff.change(process, "gone", process.arguments))
        }
        counts.append(count)
    }

    private static func change(_ process: SeenProcess, _ what: String, _ detail: String) -> Change {
        Change(kind: "process", root: nil, what: what, name: "\(process.key.pid) \(process.name)", detail: detail)
    }

    private mutating func compareSockets(
        _ first: VerifiedBundle,
        _ second: VerifiedBundle,
        _ tell: (Change) throws(Failure) -> Void
    ) throws(Failure) {
        let name = "data/sockets.jsonl"
        var before: [String: SeenSocket] = [:]
        try first.records(name) { line throws(Failure) in
            if let socket = SeenSocket(line) { before[socket.key] = socket }
        }
        var count = Count(place: "socket")
        try second.records(name) { line throws(Failure) in
            guard let socket = SeenSocket(line) else { return }
            guard let old = before.removeValue(forKey: socket.key) else {
                count.added += 1
                return try tell(CaptureDiff.change(socket, "added", socket.state))
            }
            if old.state == socket.state, old.holders == socket.holders {
                count.same += 1
            } else {
                count.changed += 1
                try tell(CaptureDiff.change(socket, "changed", "\(old.state) to \(socket.state)"))
            }
        }
        for key in before.keys.sorted() {
            guard let socket = before[key] else { continue }
            count.gone += 1
            try tell(CaptureDiff.change(socket, "gone", socket.state))
        }
        counts.append(count)
    }

    private static func change(_ socket: SeenSocket, _ what: String, _ detail: String) -> Change {
        let ends = [socket.local, socket.remote].filter { !$0.isEmpty }.joined(separator: " -> ")
        return Change(kind: "socket", root: nil, what: what, name: "\(socket.transport) \(ends)", detail: detail)
    }

    /// What is kept of one name: enough to tell that content or the rest differs.
    private struct Known {
        let content: Int
        let line: Int
    }

    private mutating func compareRoot(
        _ root: String,
        _ first: VerifiedBundle,
        _ second: VerifiedBundle,
        _ tell: (Change) throws(Failure) -> Void
    ) throws(Failure) {
        var before: [String: Known] = [:]
        try CaptureDiff.entries(root, first) { entry, line throws(Failure) in
            before[entry.path] = Known(content: entry.content.hashValue, line: line.hashValue)
        }
        var count = Count(place: "file \(root)")
        try CaptureDiff.entries(root, second) { entry, line throws(Failure) in
            guard let old = before.removeValue(forKey: entry.path) else {
                count.added += 1
                return try tell(
                    CaptureDiff.change(root, "added", entry.path, entry.word("size").map { "\($0) bytes" } ?? "")
                )
            }
            if old.line == line.hashValue {
                count.same += 1
            } else {
                count.changed += 1
                let detail = old.content == entry.content.hashValue ? "metadata" : "content"
                try tell(CaptureDiff.change(root, "changed", entry.path, detail))
            }
        }
        count.gone = before.count
        for path in before.keys.sorted() { try tell(CaptureDiff.change(root, "gone", path, "")) }
        counts.append(count)
    }

    private static func change(_ root: String, _ what: String, _ path: String, _ detail: String) -> Change {
        Change(kind: "file", root: root, what: what, name: path, detail: detail)
    }

    private static func entries(
        _ root: String,
        _ bundle: VerifiedBundle,
        _ body: (MtreeWords, [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        guard bundle.roots.contains(root) else { return }
        try bundle.lines(of: try PayloadName("data/files/\(root).mtree")) { line throws(Failure) in
            if let entry = MtreeWords(line) { try body(entry, line) }
        }
    }

    /// Everything else by name and digest: logs, recovered files. Memory by name alone, because no two captures have the same.
    private mutating func comparePayload(
        _ first: VerifiedBundle,
        _ second: VerifiedBundle,
        _ tell: (Change) throws(Failure) -> Void
    ) throws(Failure) {
        let before = CaptureDiff.others(first)
        let after = CaptureDiff.others(second)
        var count = Count(place: "payload")
        for name in Set(before.keys).union(after.keys).sorted() {
            switch (before[name], after[name]) {
            case (nil, _):
                count.added += 1
                try tell(Change(kind: "payload", root: nil, what: "added", name: name, detail: ""))
            case (_, nil):
                count.gone += 1
                try tell(Change(kind: "payload", root: nil, what: "gone", name: name, detail: ""))
            case (let old, let new):
                if old == new || CaptureDiff.isMemory(name) {
                    count.same += 1
                } else {
                    count.changed += 1
                    try tell(Change(kind: "payload", root: nil, what: "changed", name: name, detail: "content"))
                }
            }
        }
        counts.append(count)
    }

    private static func isMemory(_ name: String) -> Bool {
        name.hasPrefix("data/memory/") || name.hasPrefix("secrets/")
    }

    private static func others(_ bundle: VerifiedBundle) -> [String: Digest] {
        var files: [String: Digest] = [:]
        for file in bundle.payload where file.name.text.hasPrefix("data/") {
            let isOfItsOwn = ["logs/", "recovered/", "runtime/", "memory/"].contains {
                file.name.text.hasPrefix("data/\($0)")
            }
            if isOfItsOwn { files[file.name.text] = file.digest }
        }
        return files
    }
}
