public import Base
import Glibc

/// An entry before it has its place in the chain.
public struct EntryDraft: Hashable, Sendable {
    /// The wall clock when the draft was made.
    public let time: Instant
    /// CLOCK_MONOTONIC when the draft was made, in microseconds, so that it stays exact in JSON.
    public let monotonicMicroseconds: Int64
    /// Who writes.
    public let actor: Responder
    /// The run it belongs to.
    public let run: String?
    /// The step of that run.
    public let step: String?
    /// What it is.
    public let kind: Entry.Kind
    /// What it says; never a secret.
    public let body: JSONValue

    /// Makes a draft with the present times.
    public init(_ kind: Entry.Kind, _ body: JSONValue, by actor: Responder, run: String? = nil, step: String? = nil) {
        time = Instant.now()
        monotonicMicroseconds = Int64(Deadline.monotonicNow() / 1000)
        self.actor = actor
        self.run = run
        self.step = step
        self.kind = kind
        self.body = body
    }

    /// A note about `topic`; `members` is added to the body.
    public init(
        note topic: String,
        _ members: JSONValue = [:],
        by actor: Responder,
        run: String? = nil,
        step: String? = nil
    ) {
        var body = members.object ?? JSONObject()
        body["topic"] = .string(topic)
        self.init(.note, .object(body), by: actor, run: run, step: step)
    }

    /// The members that the writer decides.
    var object: JSONObject {
        var object = JSONObject()
        object["actor"] = ["name": .string(actor.name), "source": .string(actor.source.rawValue)]
        object["body"] = body
        object["kind"] = .string(kind.rawValue)
        object["monotonic"] = .integer(monotonicMicroseconds)
        if let run { object["run"] = .string(run) }
        if let step { object["step"] = .string(step) }
        object["time"] = .string(time.description)
        return object
    }

    /// Reads the members of ``object``, or gives `nil` when one is missing or not of its form; others are ignored, because
    /// the reader of the whole compares the text.
    init?(reading value: JSONValue) {
        guard
            let kind = value["kind"]?.string.flatMap(Entry.Kind.init(rawValue:)),
            let time = value["time"]?.string.flatMap({ Instant(rfc3339: $0) }),
            let monotonic = value["monotonic"]?.integer,
            let name = value["actor"]?["name"]?.string,
            let source = value["actor"]?["source"]?.string.flatMap(Responder.Source.init(rawValue:)),
            let body = value["body"]
        else { return nil }
        self.time = time
        monotonicMicroseconds = monotonic
        actor = Responder(name, by: source)
        run = value["run"]?.string
        step = value["step"]?.string
        self.kind = kind
        self.body = body
    }

    /// The same draft, kept outside the journal for `reason` and brought in later.
    func late(because reason: String) -> EntryDraft {
        EntryDraft(.late, ["entry": .object(object), "reason": .string(reason)], by: .quell, run: run, step: step)
    }
}

/// Something that keeps entries: the journal of a case, or for containment alone the journal with its emergency record.
package protocol JournalWriter: Sendable {
    /// Keeps the entries, durably, all or none.
    ///
    /// - Throws: the reason why nothing was kept.
    func append(_ drafts: [EntryDraft]) throws(Failure)

    /// Keeps the entries before effects that end with the machine: whatever becomes of this process, they are on record when
    /// it returns, and on disk at the latest with the next entries that are waited for (docs/decisions/0039).
    ///
    /// - Throws: the reason why nothing was kept.
    func appendAhead(_ drafts: [EntryDraft]) throws(Failure)
}

extension JournalWriter {
    /// On disk at once, where nobody is quicker.
    package func appendAhead(_ drafts: [EntryDraft]) throws(Failure) { try append(drafts) }
}
