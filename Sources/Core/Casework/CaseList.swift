public import Base
import Glibc

extension CaseStore {
    /// One case in a list.
    public struct Listed: Sendable {
        /// Its name.
        public let id: CaseID
        /// The open case, or why it cannot be read: an unreadable one is listed, not left out.
        public let result: Result<Case, Failure>
        /// Whether its opening never reached the disk: then nothing was done in it, and it is no case yet.
        public let isUnborn: Bool
        /// Whether it is closed: by its journal, or by its mark when the journal cannot be read.
        public let isClosed: Bool
        /// Whether it is closed, and was so while it held a session.
        public let isHolding: Bool
    }

    /// Whether there is anything where the store should be; one that cannot be looked for is taken to be there.
    public var exists: Bool {
        do throws(Failure) { return try StoreFolder.isThere(root) } catch { return true }
    }

    /// All cases by name; folders whose names are none of ours are left out. A store that does not exist has none.
    ///
    /// - Throws: `refused` when others can open the store, or why it cannot be looked into.
    public func list() throws(Failure) -> [Listed] {
        guard try StoreFolder.isThere(root) else { return [] }
        try StoreFolder.check(root, hint: "quell init")
        var listed: [Listed] = []
        for name in try StoreFolder.names(in: cases) {
            guard let id = name.text.flatMap({ CaseID($0) }) else { continue }
            listed.append(look(at: id))
        }
        return listed
    }

    private func look(at id: CaseID) -> Listed {
        let folder = cases.appending(id.text)
        do throws(Failure) {
            let home = try open(id)
            let closing = try home.closing()
            return Listed(
                id: id,
                result: .success(home),
                isUnborn: false,
                isClosed: closing != nil,
                isHolding: closing?.isHolding ?? false
            )
        } catch {
            let isEmpty = error.code == .notFound
            let wasBorn = isEmpty && hasLived(folder)
            return Listed(
                id: id,
                result: .failure(wasBorn ? emptied(id) : error),
                isUnborn: isEmpty && !wasBorn,
                isClosed: ClosedMark.of(folder) == .closed,
                isHolding: false
            )
        }
    }

    private func emptied(_ id: CaseID) -> Failure {
        Failure(
            .malformed,
            "open the case",
            on: id.text,
            because: "its journal has no entries or is gone, and other files say that it had some"
        )
    }

    /// Whether there is more in the folder than a case has before its opening is on disk: then a journal without entries
    /// is one that somebody emptied.
    private func hasLived(_ folder: BytePath) -> Bool {
        ["checkpoints.jsonl", "bundles", "closed"].contains { StoreFolder.exists(folder.appending($0)) }
    }

    /// The open case that holds one of `pins`, else one that was closed while it held one of them, which is opened again;
    /// `nil` when none does. Cases that cannot be read are passed over, because a freeze must not fail for them; ``list()``
    /// tells of them.
    ///
    /// - Throws: `refused` when others can open the store, or why a case cannot be opened again.
    public func join(_ pins: [SessionPin]) throws(Failure) -> Case? { try join(pins, besides: nil) }

    /// The same without looking into the case that is only being made.
    func join(_ pins: [SessionPin], besides nascent: CaseID?) throws(Failure) -> Case? {
        guard StoreFolder.exists(cases) else { return nil }
        try StoreFolder.check(root, hint: "quell init")
        var holder: Case?
        for name in try StoreFolder.names(in: cases) {
            guard let id = name.text.flatMap({ CaseID($0) }), id != nascent,
                ClosedMark.of(cases.appending(id.text)) != .closed, let found = holds(pins, in: id)
            else { continue }
            guard let closing = found.closing else { return found.home }
            if closing.isHolding, holder == nil { holder = found.home }
        }
        return try holder?.reopened()
    }

    /// The case named `id` as one to act in about `pins`: open, or opened again because it was closed while it held one.
    ///
    /// - Throws: as ``open(_:)``; `refused` when it is closed.
    public func open(_ id: CaseID, toActOn pins: [SessionPin]) throws(Failure) -> Case {
        let found = try open(id)
        guard let closing = try found.closing() else { return found }
        let subjects = try found.subjects()
        let isSubject = subjects.contains { subject in pins.contains { $0.isSameSession(as: subject) } }
        guard closing.isHolding, isSubject else {
            throw Failure(
                .refused,
                "act in the case",
                on: id.text,
                because: "it is closed",
                hint: "quell case list"
            )
        }
        return try found.reopened()
    }

    private func holds(_ pins: [SessionPin], in id: CaseID) -> (home: Case, closing: Case.Closing?)? {
        guard SubjectMarks(in: cases.appending(id.text)).mayHold(pins) else { return nil }
        do {
            let candidate = try open(id)
            let subjects = try candidate.subjects()
            let holds = subjects.contains { subject in pins.contains { $0.isSameSession(as: subject) } }
            return holds ? (candidate, try candidate.closing()) : nil
        } catch {
            return nil
        }
    }

    /// Brings in all emergency records of `folder`; for commands that have time.
    ///
    /// - Throws: why a record could not be brought in; it then stays where it is.
    public func mergeSpools(in folder: BytePath) throws(Failure) {
        for name in try StoreFolder.names(in: folder) {
            guard let text = name.text, let kind = Spool.Kind.allCases.first(where: { text.hasSuffix($0.rawValue) }),
                let id = CaseID(text.dropLast(kind.rawValue.count))
            else { continue }
            let path = folder.appending(name)
            guard let contents = try Spool.read(path) else { continue }
            // The machine lost its power before any of it was on disk, and with it everything that was done.
            if kind == .ahead, contents.pins.isEmpty, contents.drafts.isEmpty {
                _ = path.withCString { unlink($0) }
                continue
            }
            if let home = try join(contents.pins) {
                try Spool.merge(path, into: home)
            } else {
                try Spool.merge(path, into: try openOrCreate(id, contents))
            }
        }
    }

    private func openOrCreate(_ id: CaseID, _ contents: Spool.Contents) throws(Failure) -> Case {
        let folder = cases.appending(id.text)
        if try born(id, folder) != nil { return try open(id) }
        // The folder of an unborn case keeps its name: who made it may still be writing.
        let free = StoreFolder.exists(folder) ? nil : id
        return try create(free, about: contents.pins, reason: "emergency record", by: .quell)
    }
}
