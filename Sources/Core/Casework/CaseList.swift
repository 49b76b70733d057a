public import Base

extension CaseStore {
    /// One case in a list.
    public struct Listed: Sendable {
        /// Its name.
        public let id: CaseID
        /// The open case, or why it cannot be read: an unreadable one is listed, not left out.
        public let result: Result<Case, Failure>
        /// Whether its opening never reached the disk: then nothing was done in it, and it is no case yet.
        public let isUnborn: Bool
        /// Whether it is marked as closed.
        public let isClosed: Bool
    }

    /// All cases by name; folders whose names are none of ours are left out. A store that does not exist has none.
    ///
    /// - Throws: `refused` when others can open the store.
    public func list() throws(Failure) -> [Listed] {
        guard StoreFolder.exists(root) else { return [] }
        try StoreFolder.check(root, hint: "quell init")
        var listed: [Listed] = []
        for name in try StoreFolder.names(in: cases) {
            guard let id = name.text.flatMap({ CaseID($0) }) else { continue }
            let result: Result<Case, Failure>
            var isUnborn = false
            do {
                result = .success(try open(id))
            } catch {
                result = .failure(error)
                isUnborn = error.code == .notFound
            }
            listed.append(Listed(id: id, result: result, isUnborn: isUnborn, isClosed: isMarkedClosed(id)))
        }
        return listed
    }

    /// The open case that holds one of `pins`; `nil` when none does. Cases that cannot be read are passed over, because a
    /// freeze must not fail for them; ``list()`` tells of them.
    ///
    /// - Throws: `refused` when others can open the store.
    public func join(_ pins: [SessionPin]) throws(Failure) -> Case? { try join(pins, besides: nil) }

    /// The same without looking into the case that is only being made.
    func join(_ pins: [SessionPin], besides nascent: CaseID?) throws(Failure) -> Case? {
        guard StoreFolder.exists(cases) else { return nil }
        try StoreFolder.check(root, hint: "quell init")
        for name in try StoreFolder.names(in: cases) {
            guard let id = name.text.flatMap({ CaseID($0) }), id != nascent, !isMarkedClosed(id) else { continue }
            if let found = holds(pins, in: id) { return found }
        }
        return nil
    }

    private func holds(_ pins: [SessionPin], in id: CaseID) -> Case? {
        guard SubjectMarks(in: cases.appending(id.text)).mayHold(pins) else { return nil }
        do {
            let candidate = try open(id)
            let subjects = try candidate.subjects()
            return subjects.contains { subject in pins.contains { $0.isSameSession(as: subject) } } ? candidate : nil
        } catch {
            return nil
        }
    }

    /// Brings in all emergency records of `folder`; for commands that have time.
    ///
    /// - Throws: why a record could not be brought in; it then stays where it is.
    public func mergeSpools(in folder: BytePath) throws(Failure) {
        for name in try StoreFolder.names(in: folder) {
            guard let text = name.text, text.hasSuffix(".spool"), let id = CaseID(text.dropLast(6)) else { continue }
            let path = folder.appending(name)
            guard let contents = try Spool.read(path) else { continue }
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

    private func isMarkedClosed(_ id: CaseID) -> Bool {
        StoreFolder.exists(cases.appending(id.text).appending("closed"))
    }
}
