public import Base
public import Kernel

/// One thing to collect and how that ended: a line of data/collection.jsonl.
public struct CollectionItem: Sendable {
    /// What kind of thing it is.
    public enum Class: String, Hashable, Sendable, CaseIterable {
        /// data/session.json.
        case session
        /// data/containment.json.
        case containment
        /// data/clock.json.
        case clock
        /// data/processes.jsonl as a whole; `process` items below it tell of the single ones that failed.
        case processes
        /// One process of the session.
        case process
        /// data/sockets.jsonl.
        case sockets
        /// data/network.jsonl.
        case network
        /// A place where data lies that no file walk finds (RT29), and the content of one: data/parked.jsonl.
        case parked
        /// data/facts.json.
        case facts
        /// data/mounts.jsonl.
        case mounts
        /// data/memory.jsonl as a whole; `processMemory` items tell of the single processes.
        case memory
        /// The memory of one process.
        case processMemory
        /// The search for files that are open and have no name.
        case deletedFiles
        /// One such file.
        case deletedFile
        /// A root as a whole: collected when each name below it was reached.
        case tree
        /// One object below a root.
        case file
        /// One object below the transcripts.
        case transcript
        /// A named log.
        case log
        /// A log of the host's or of the container's that was found.
        case hostLog
        /// data/changes.jsonl: what a container changed of its image.
        case changes
        /// What a runtime keeps on disk of a container.
        case runtime
        /// data/volumes.jsonl: what is mounted into the session from elsewhere.
        case volumes
        /// data/journal.jsonl.
        case journal
    }

    /// How it ended.
    public enum Outcome: String, Hashable, Sendable, CaseIterable {
        /// All of it is in the bundle.
        case collected
        /// Some of it is in the bundle, or it changed while it was read.
        case partial
        /// Policy left it out.
        case skipped
        /// It could not be collected.
        case failed
    }

    /// What kind of thing it is.
    public var item: Class
    /// The root it lies under, such as `workspace`.
    public var root: String?
    /// Its path: below the root, or absolute where there is no root.
    public var path: BytePath?
    /// How it ended.
    public var outcome: Outcome
    /// Why it is not collected, or what else is to be known.
    public var reason: String?
    /// The errno of the call that failed.
    public var errno: Int32?
    /// What the kernel told of the object.
    public var facts: FileFacts?
    /// What stands in a symbolic link.
    public var target: BytePath?
    /// SHA-256 of the content.
    public var digest: Digest?
    /// What the digest covers: `content` or `segments`.
    public var digestScope: String?
    /// Where in the bundle the content is.
    public var member: String?
    /// Whether it was left out because it is not of what was asked for: told, and no shortfall.
    var isOutside = false

    /// Takes the parts that every item has.
    public init(_ item: Class, root: String? = nil, path: BytePath? = nil, outcome: Outcome = .collected) {
        self.item = item
        self.root = root
        self.path = path
        self.outcome = outcome
    }

    /// The same item, ended by `failure`.
    func failed(_ failure: Failure) -> CollectionItem {
        var item = self
        item.outcome = .failed
        item.reason = failure.reason
        item.errno = failure.errno
        return item
    }

    /// The same item, left out by policy.
    func skipped(_ reason: String) -> CollectionItem {
        var item = self
        item.outcome = .skipped
        item.reason = reason
        return item
    }

    /// The same item, left out because it is not of what was asked for.
    func outside(_ reason: String) -> CollectionItem {
        var item = skipped(reason)
        item.isOutside = true
        return item
    }

    /// Says one thing more of it.
    mutating func add(_ reason: String) {
        self.reason = [self.reason, reason].compactMap { $0 }.joined(separator: "; ")
    }

    /// The same item, taken in part.
    func partial(_ reason: String, errno: Int32? = nil) -> CollectionItem {
        var item = self
        item.outcome = .partial
        item.reason = reason
        item.errno = errno
        return item
    }
}

extension CollectionItem {
    /// The line, without absent members. Ours and those of the facts stand in canonical order each, so that writing the
    /// line of each object of a tree has little to sort.
    var json: JSONValue {
        var line = JSONObject()
        line["digestScope"] = digestScope.map(JSONValue.string)
        line["errno"] = errno.map { .integer(Int64($0)) }
        line["item"] = .string(item.rawValue)
        line["member"] = member.map(JSONValue.string)
        line["outcome"] = .string(outcome.rawValue)
        line["path"] = path?.json
        line["reason"] = reason.map(JSONValue.string)
        line["root"] = root.map(JSONValue.string)
        line["sha256"] = digest.map { .string($0.hex) }
        line["target"] = target?.json
        if let facts { facts.describe(in: &line) }
        return .object(line)
    }
}

extension BytePath {
    /// A string when the bytes are UTF-8, else `{"bytes": BASE64}`.
    var json: JSONValue {
        if let text { return .string(text) }
        return ["bytes": .string(Base64.encode(bytes))]
    }
}

extension FileFacts {
    /// Adds the members that tell of a file.
    func describe(in line: inout JSONObject) {
        // Before anything was read: a link's target cannot be read without setting it.
        line["accessed"] = .string(accessed.description)
        line["born"] = born.map { .string($0.description) }
        line["changed"] = .string(changed.description)
        line["device"] = .string("\(identity.device.major):\(identity.device.minor)")
        line["gid"] = .integer(Int64(gid))
        line["inode"] = .string(String(identity.inode))
        line["links"] = .integer(Int64(links))
        line["mode"] = .string(octalMode)
        line["modified"] = .string(modified.description)
        line["size"] = .integer(Int64(clamping: size))
        if kind == .block || kind == .char { line["special"] = .string("\(special.major):\(special.minor)") }
        line["type"] = .string(kind == .file ? "file" : kind.rawValue)
        line["uid"] = .integer(Int64(uid))
    }
}
