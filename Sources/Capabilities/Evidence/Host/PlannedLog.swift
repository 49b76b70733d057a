public import Base
public import Kernel

/// One log that is to be copied as it is, or that was found and is left out.
public struct PlannedLog: Hashable, Sendable {
    /// Whose it is.
    public enum Kind: String, Hashable, Sendable {
        /// The inventory or the responder named it.
        case declared
        /// auditd's.
        case audit
        /// journald's.
        case journal
        /// Plain logs of the host.
        case system
        /// Logins: wtmp, btmp, lastlog.
        case logins
        /// What the container wrote to its output, as its runtime keeps it.
        case container
        /// What a shell or an interpreter remembers of commands.
        case history
        /// Tables of cron and jobs of at.
        case schedule
    }

    /// The absolute path; below the root of `inside`, when there is one.
    public let path: BytePath
    /// Whose it is.
    public let kind: Kind
    /// The process through whose root the path leads.
    public var inside: ProcessPin?
    /// Why it is left out; `nil` when it is to be copied.
    public var leftOut: String?
    /// Why it, or the folder it stands for, could not be looked at; `nil` when it could.
    public var failure: Failure?
    /// What the kernel told of it when it was found.
    public var facts: FileFacts?

    /// Takes what every log has.
    public init(path: BytePath, kind: Kind) {
        self.path = path
        self.kind = kind
    }

    var item: CollectionItem { CollectionItem(kind == .declared ? .log : .hostLog, path: path) }

    /// What the name of its copy ends in: nothing for plain text, else what says how to read it.
    var ending: String {
        let name = path.lastComponent.bytes
        switch kind {
        case .journal: return ".journal"
        case .logins: return ".records"
        default:
            let known = [".gz", ".xz", ".bz2", ".zst", ".lz4"]
            return known.first { name.suffix($0.utf8.count).elementsEqual($0.utf8) } ?? ""
        }
    }
}

/// The time that a capture of logs is about.
public struct LogWindow: Hashable, Sendable {
    /// The first moment.
    public let since: Instant
    /// The last moment.
    public let until: Instant

    /// Takes both ends.
    public init(since: Instant, until: Instant) {
        self.since = since
        self.until = until
    }

    /// Why a log is left out that was written from `first`, where that is known, until `last`; `nil` when it is not.
    func leavesOut(from first: Instant?, until last: Instant) -> String? {
        if last < since { return "it ends at \(last), before the window of \(since) to \(until)" }
        if let first, first > until { return "it begins at \(first), after the window of \(since) to \(until)" }
        return nil
    }
}
