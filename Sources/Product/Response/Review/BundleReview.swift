public import Base
public import Bundles

/// What a person wants to know of a bundle before opening anything in it. Texts of the session in it are hostile.
public struct BundleReview: Sendable {
    /// Something that was planned and is not, or not whole, in the bundle.
    public struct Missing: Hashable, Sendable {
        /// What kind of thing.
        public let item: String
        /// Its root and path, hostile.
        public let place: String
        /// `partial`, `skipped` or `failed`.
        public let outcome: String
        /// Why.
        public let reason: String
    }

    /// How many processes, sockets and missing things are kept; all are counted.
    public static let kept = 40

    /// The processes that began first: the leader is among them.
    public private(set) var processes: [SeenProcess] = []
    /// How many there are.
    public private(set) var processCount = 0
    /// Sockets with another end outside, or that listen.
    public private(set) var sockets: [SeenSocket] = []
    /// How many sockets there are, those between processes included.
    public private(set) var socketCount = 0
    /// Those between processes.
    public private(set) var unixSocketCount = 0
    /// The archived roots.
    public private(set) var roots: [RootTally] = []
    /// What is missing, failed first.
    public private(set) var missing: [Missing] = []
    /// How many lines of the account are not `collected`.
    public private(set) var missingCount = 0
    /// Names of environment variables of all processes, sorted: their values never stand in a bundle in plain.
    public private(set) var environmentNames: [String] = []

    /// Reads what the bundle holds. A file that is not there is no error: the account says why.
    ///
    /// - Throws: `notVerified` when the bundle changed since the verification, `system` with errno.
    public init(of bundle: VerifiedBundle) throws(Failure) {
        for root in bundle.roots { roots.append(try RootTally(root, of: bundle)) }
        try readProcesses(of: bundle)
        try readSockets(of: bundle)
        try readAccount(of: bundle)
    }

    private mutating func readProcesses(of bundle: VerifiedBundle) throws(Failure) {
        var (count, names) = (0, Set<String>())
        var first: [SeenProcess] = []
        try bundle.records("data/processes.jsonl") { line throws(Failure) in
            guard let process = SeenProcess(line) else { return }
            count += 1
            for name in line["environNames"]?.array ?? [] where names.count < 10_000 {
                names.insert(SeenProcess.text(name))
            }
            first.append(process)
            if first.count > 2 * BundleReview.kept {
                first = Array(first.sorted { $0.key < $1.key }.prefix(BundleReview.kept))
            }
        }
        processCount = count
        environmentNames = names.sorted()
        processes = Array(first.sorted { $0.key < $1.key }.prefix(BundleReview.kept))
    }

    private mutating func readSockets(of bundle: VerifiedBundle) throws(Failure) {
        var found: [SeenSocket] = []
        var (count, unix) = (0, 0)
        try bundle.records("data/sockets.jsonl") { line throws(Failure) in
            guard let socket = SeenSocket(line) else { return }
            count += 1
            if socket.isLocal { unix += 1 } else if found.count < BundleReview.kept { found.append(socket) }
        }
        (sockets, socketCount, unixSocketCount) = (found, count, unix)
    }

    private mutating func readAccount(of bundle: VerifiedBundle) throws(Failure) {
        var byOutcome: [String: [Missing]] = [:]
        var count = 0
        try bundle.records("data/collection.jsonl") { line throws(Failure) in
            guard let outcome = line["outcome"]?.string, outcome != "collected" else { return }
            count += 1
            guard byOutcome[outcome, default: []].count < BundleReview.kept else { return }
            let place = [line["root"], line["path"]].map(SeenProcess.text).filter { !$0.isEmpty }
            byOutcome[outcome, default: []].append(
                Missing(
                    item: line["item"]?.string ?? "",
                    place: place.joined(separator: " "),
                    outcome: outcome,
                    reason: line["reason"]?.string ?? "no reason was recorded"
                )
            )
        }
        missingCount = count
        let sorted = ["failed", "partial", "skipped"].flatMap { byOutcome[$0] ?? [] }
        missing = Array(sorted.prefix(BundleReview.kept))
    }
}

extension VerifiedBundle {
    /// Hands the lines of a payload file, parsed, to `body`; a file that is not there has none.
    func records(_ name: String, _ body: (JSONValue) throws(Failure) -> Void) throws(Failure) {
        let name = try PayloadName(name)
        guard payload.contains(where: { $0.name == name }) else { return }
        try lines(of: name) { line throws(Failure) in
            try body(try JSONReader.read(line, limits: .init(bytes: 4 << 20, depth: 32)))
        }
    }
}
