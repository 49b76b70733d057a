public import Base

/// Which reader a log needs.
public enum RecordFormat: Hashable, Sendable {
    /// A Claude Code transcript: JSON lines, of a session or of a sub-agent.
    case claudeCode
    /// The side file of a Claude Code sub-agent: one JSON object.
    case claudeCodeMeta
    /// A plain text log, a record a line. Times without a year are taken as the last such date before `latest`;
    /// without `latest` they count as no time.
    case plain(latest: Instant?)

    /// The format of a file in a transcripts folder, by its name; `nil` when there is no reader for it (a stored tool
    /// result, a settings file).
    public init?(transcript path: BytePath) {
        let name = path.lastComponent.bytes
        if name.ends(with: ".jsonl") {
            self = .claudeCode
        } else if name.ends(with: ".meta.json") {
            self = .claudeCodeMeta
        } else {
            return nil
        }
    }

    /// Reads what ``description`` writes, for a worker's argument.
    public init?(_ text: String) {
        switch text {
        case "claude-code": self = .claudeCode
        case "claude-code-meta": self = .claudeCodeMeta
        case "plain": self = .plain(latest: nil)
        default:
            guard text.hasPrefix("plain@"), let latest = Int64(text.dropFirst(6)) else { return nil }
            self = .plain(latest: Instant(nanoseconds: latest))
        }
    }
}

extension RecordFormat: CustomStringConvertible {
    /// `claude-code`, `claude-code-meta`, `plain`, or `plain@` with nanoseconds since 1970.
    public var description: String {
        switch self {
        case .claudeCode: "claude-code"
        case .claudeCodeMeta: "claude-code-meta"
        case .plain(nil): "plain"
        case .plain(let latest?): "plain@\(latest.nanoseconds)"
        }
    }
}

extension [UInt8] {
    fileprivate func ends(with suffix: String) -> Bool {
        self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }
}
