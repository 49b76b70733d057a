public import Base
import Sealing

/// One record of a journal. Its canonical JSON is what is stored, exported and hashed; the digest of one entry stands in
/// the next, so an entry cannot be altered, left out or moved without being seen.
public struct Entry: Hashable, Sendable {
    /// What an entry is.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// An effect is about to be applied.
        case intent
        /// What became of an effect.
        case outcome
        /// What was found when an intent without outcome was looked at after a crash.
        case probe
        /// A person allowed something.
        case approval
        /// A person took the risk of an exception to "evidence before effect".
        case waiver
        /// Evidence changed hands.
        case custody
        /// Anything else; the body's `topic` says what.
        case note
        /// A signed head of the chain so far.
        case checkpoint
        /// An entry that was kept outside the journal first, because the store did not answer; see ``late``.
        case late
    }

    /// 1 for the first entry, then one more each.
    public let sequence: UInt64
    /// The digest of the entry before; for the first the digest of the case's origin.
    public let previous: Digest
    /// Everything that the writer said.
    public let draft: EntryDraft
    /// SHA-256 of ``line``.
    public let digest: Digest
    /// The canonical JSON (RFC 8785), without a newline.
    public let line: [UInt8]

    /// Puts `draft` behind the entry before.
    init(_ draft: EntryDraft, sequence: UInt64, previous: Digest) {
        var object = draft.object
        object["sequence"] = JSONValue.integer(Int64(clamping: sequence))
        object["previous"] = .string(previous.hex)
        let line = CanonicalJSON.bytes(of: .object(object))
        self.sequence = sequence
        self.previous = previous
        self.draft = draft
        self.line = line
        digest = SHA256.digest(of: line)
    }

    /// Reads exactly what ``line`` holds; any other member, order or spacing is refused.
    ///
    /// - Throws: `malformed`.
    public init(parsing line: [UInt8]) throws(Failure) {
        let value = try JSONReader.read(line)
        guard let sequence = value["sequence"]?.integer, sequence > 0,
            let previous = value["previous"]?.string.flatMap({ Digest(hex: $0) })
        else { throw Entry.malformed("no sequence or previous digest") }
        guard let draft = EntryDraft(reading: value) else {
            throw Entry.malformed("kind, time, monotonic, actor or body are missing or not of their form")
        }
        self.init(draft, sequence: UInt64(sequence), previous: previous)
        guard self.line == line else { throw Entry.malformed("not in canonical form") }
    }

    static func malformed(_ reason: String) -> Failure {
        Failure(.malformed, "read the journal entry", on: "journal", because: reason)
    }
}

extension Entry {
    /// What the entry is.
    public var kind: Kind { draft.kind }
    /// The wall clock when it was written.
    public var time: Instant { draft.time }
    /// Who wrote it.
    public var actor: Responder { draft.actor }
    /// The run it belongs to.
    public var run: String? { draft.run }
    /// The step it belongs to.
    public var step: String? { draft.step }
    /// What it says.
    public var body: JSONValue { draft.body }
    /// For a note: what about.
    public var topic: String? { kind == .note ? body["topic"]?.string : nil }

    /// The entry as it was meant: for a late one the draft inside, else its own.
    public var meant: EntryDraft {
        guard kind == .late, let inner = body["entry"] else { return draft }
        return EntryDraft(reading: inner) ?? draft
    }
}
