public import Base
import Glibc

/// One incident: a folder with one database, bundles and reports.
public final class Case: Sendable {
    /// Its name.
    public let id: CaseID
    /// Its folder.
    public let folder: BytePath
    /// Its record.
    public let journal: Journal
    /// The machine it was opened from, in its present life.
    public let host: HostIdentity
    /// Whether it was closed while it held a session, and was opened again just now because that session is acted upon.
    public let isReopened: Bool

    init(id: CaseID, folder: BytePath, host: HostIdentity, journal: Journal, isReopened: Bool = false) {
        self.id = id
        self.folder = folder
        self.host = host
        self.journal = journal
        self.isReopened = isReopened
    }

    /// The folder of its bundles.
    public var bundles: BytePath { folder.appending("bundles") }
    /// The file of its timeline, rebuilt from the bundles at any time.
    public var timeline: BytePath { folder.appending("timeline.sqlite") }

    /// Makes the folder of a new bundle's parent, if it is not there.
    ///
    /// - Throws: the errno of mkdir(2).
    public func makeBundlesFolder() throws(Failure) { try StoreFolder.make(bundles) }

    // MARK: Subjects

    /// The sessions that the case is about, in the order they were added.
    ///
    /// - Throws: `malformed` when the journal was altered.
    public func subjects() throws(Failure) -> [SessionPin] {
        var pins: [SessionPin] = []
        for entry in try journal.notes(about: "subject") {
            guard let value = entry.meant.body["pin"] else { continue }
            pins.append(try JSONDecoding.decode(SessionPin.self, from: value))
        }
        return pins
    }

    /// Adds sessions that the case is not about yet.
    ///
    /// - Throws: why the journal cannot be written.
    public func add(_ pins: [SessionPin], by actor: Responder) throws(Failure) {
        let known = try subjects()
        var drafts: [EntryDraft] = []
        for pin in pins where !known.contains(pin) { drafts.append(try Case.subjectDraft(pin, by: actor)) }
        guard !drafts.isEmpty else { return }
        SubjectMarks(in: folder).add(known + pins)
        try journal.append(drafts)
    }

    static func subjectDraft(_ pin: SessionPin, by actor: Responder) throws(Failure) -> EntryDraft {
        EntryDraft(note: "subject", ["pin": pin.jsonValue], by: actor)
    }

    // MARK: Records

    /// The captures on record, oldest first.
    ///
    /// - Throws: `malformed` when the journal was altered.
    public func captures() throws(Failure) -> [CaptureRecord] {
        var captures: [CaptureRecord] = []
        for entry in try journal.notes(about: "capture") {
            guard let value = entry.meant.body["capture"] else { continue }
            captures.append(try JSONDecoding.decode(CaptureRecord.self, from: value))
        }
        return captures
    }

    /// Records a sealed capture; a checkpoint follows when there is a key. `run` and `step` say which step made it, so
    /// that the gate knows when it began.
    ///
    /// - Throws: why the journal cannot be written.
    public func record(
        _ capture: CaptureRecord,
        by actor: Responder,
        run: String? = nil,
        step: String? = nil
    ) throws(Failure) {
        let body: JSONValue = ["capture": try JSONEncoding.value(of: capture)]
        try journal.append([EntryDraft(note: "capture", body, by: actor, run: run, step: step)])
    }

    /// Records a hand-over; `body` says what and from whom to whom.
    ///
    /// - Throws: why the journal cannot be written.
    public func record(custody body: JSONValue, by actor: Responder) throws(Failure) {
        try journal.append([EntryDraft(.custody, body, by: actor)])
    }

    /// Records what a person wants to say.
    ///
    /// - Throws: `refused` when the case is closed, or why the journal cannot be written.
    public func note(_ text: String, by actor: Responder) throws(Failure) {
        guard try !isClosed() else {
            throw Failure(
                .refused,
                "record the note",
                on: id.text,
                because: "the case is closed",
                hint: "quell case list"
            )
        }
        try journal.append([EntryDraft(note: "note", ["text": .string(text)], by: actor)])
    }

    // MARK: Life

    /// The first entry: where, when and why the case was opened.
    ///
    /// - Throws: `malformed` when the journal was altered or is empty.
    public func opening() throws(Failure) -> (entry: Entry, host: HostIdentity, reason: String) {
        guard let entry = try journal.notes(about: "case-opened").first else {
            throw Entry.malformed("it does not begin with the opening of the case")
        }
        let body = entry.meant.body
        let host = HostIdentity(machine: body["machine"]?.string ?? "", bootID: body["bootID"]?.string ?? "")
        return (entry, host, body["reason"]?.string ?? "")
    }
}
