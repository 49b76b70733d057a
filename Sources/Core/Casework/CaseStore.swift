public import Base
import Glibc
public import Sealing

/// The folder with all cases and keys of a host: `keys/signing.pem`, `cases/<case>/case.sqlite`. Refused when others can
/// open it.
public struct CaseStore: Sendable {
    /// The folder.
    public let root: BytePath
    /// This machine in this life.
    public let host: HostIdentity
    /// Signs the checkpoints of the cases; without one nothing is signed.
    public let key: SigningKey?

    private let spools: BytePath?
    private let busyTimeout: Duration
    private let announce: @Sendable (SignedNote) -> Void
    private let fault: JournalFault
    private var anchors: AnchorSource = { _, _ in AnchorLook() }

    /// Takes all parts; nothing is opened yet. `spools` is the folder with emergency records that are brought in when
    /// their case opens; `announce` gets every signed checkpoint, to be repeated where the store's owner cannot change it.
    public init(
        at root: BytePath,
        host: HostIdentity,
        key: SigningKey?,
        spools: BytePath? = BytePath("/run/quell"),
        busyTimeout: Duration = .seconds(5),
        announce: @escaping @Sendable (SignedNote) -> Void = { _ in }
    ) {
        self.init(root, host, key, spools, busyTimeout, announce, .none)
    }

    private init(
        _ root: BytePath,
        _ host: HostIdentity,
        _ key: SigningKey?,
        _ spools: BytePath?,
        _ busyTimeout: Duration,
        _ announce: @escaping @Sendable (SignedNote) -> Void,
        _ fault: JournalFault
    ) {
        self.root = root
        self.host = host
        self.key = key
        self.spools = spools
        self.busyTimeout = busyTimeout
        self.announce = announce
        self.fault = fault
    }

    /// The same store with a fault for tests.
    package func with(_ fault: JournalFault) -> CaseStore {
        CaseStore(root, host, key, spools, busyTimeout, announce, fault).anchored(by: anchors)
    }

    /// The same store, whose journals are also compared with what `anchors` finds whenever they are verified (RT15).
    public func anchored(by anchors: @escaping AnchorSource) -> CaseStore {
        var store = self
        store.anchors = anchors
        return store
    }

    /// The folder of the cases.
    public var cases: BytePath { root.appending("cases") }

    /// Where the signing key of a store lies.
    public static func keyPath(in root: BytePath) -> BytePath { root.appending("keys/signing.pem") }

    /// The signing key of a store, or `nil` when it has none.
    ///
    /// - Throws: `refused` when others can open the key file.
    public static func loadKey(in root: BytePath) throws(Failure) -> SigningKey? {
        do {
            return try SigningKey(loading: keyPath(in: root))
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// Makes the folders of a store and, unless it has one, its key, with the public half beside it. Calling it again
    /// changes nothing. Gives the key.
    ///
    /// - Throws: `refused` when the folder exists and others can open it.
    public static func initialise(at root: BytePath) throws(Failure) -> SigningKey {
        try StoreFolder.makeAll(root)
        try StoreFolder.check(root, hint: "quell init")
        for name in ["keys", "cases"] { try StoreFolder.make(root.appending(name)) }
        if let key = try loadKey(in: root) { return key }
        let key = try SigningKey.generate()
        try key.save(to: keyPath(in: root))
        try key.verifyingKey.save(to: root.appending("keys/signing.pub.pem"))
        try StoreFolder.sync(root.appending("keys"))
        return key
    }

    /// Opens a case, and brings in what was recorded outside while the store did not answer.
    ///
    /// - Throws: `notFound`; `refused` when others can open the store; ENOSPC, EROFS, or `timedOut` for a locked case when
    ///   something had to be brought in.
    public func open(_ id: CaseID) throws(Failure) -> Case {
        try StoreFolder.check(root, hint: "quell init")
        let folder = cases.appending(id.text)
        guard let opened = try born(id, folder) else {
            throw Failure(
                .notFound,
                "open the case",
                on: id.text,
                because: StoreFolder.exists(folder)
                    ? "its opening never reached the disk, so nothing was done in it" : "no case has that name",
                hint: "quell case list"
            )
        }
        if let spools, !opened.journal.isReadOnly {
            for kind in Spool.Kind.allCases { try Spool.merge(kind.path(of: id, in: spools), into: opened) }
        }
        return opened
    }

    /// The case, or `nil` when there is none of that name, or none yet: an opening that never reached the disk, because the
    /// process was killed or is only just writing it. Nothing acts in a case before its opening is durable.
    func born(_ id: CaseID, _ folder: BytePath) throws(Failure) -> Case? {
        guard StoreFolder.exists(folder.appending("case.sqlite")) else { return nil }
        let database = try JournalDatabase(at: folder.appending("case.sqlite"), busyTimeout: busyTimeout)
        try database.syncCommits()
        let found = make(id, folder, database)
        return try found.journal.hasEntries() ? found : nil
    }

    private func giveItsName(to folder: BytePath, _ found: Case, _ database: JournalDatabase) throws(Failure) {
        let opening = try found.journal.entries().first
        try database.shut()
        guard let id = opening?.meant.body["case"]?.string.flatMap({ CaseID($0) }) else { return }
        let own = cases.appending(id.text)
        guard !StoreFolder.exists(own) else { return }
        guard folder.withCString({ from in own.withCString { to in rename(from, to) } }) == 0 else {
            throw Failure(errno: errno, "give the case its name", on: own)
        }
        try StoreFolder.sync(cases)
    }

    /// The same store, signing with `key`.
    public func signing(with key: SigningKey?) -> CaseStore {
        CaseStore(root, host, key, spools, busyTimeout, announce, fault).anchored(by: anchors)
    }

    /// Gets a new case ready: its folder and database are on disk when it returns, or, where they are taken from the reserve
    /// because `id` is `nil` and there is one, with the first entries.
    ///
    /// - Throws: `refused` when others can open the store, EEXIST in the rare case that `id` is taken, or why the store
    ///   cannot be written.
    public func prepare(_ id: CaseID? = nil) throws(Failure) -> NascentCase {
        try StoreFolder.check(root, hint: "quell init")
        try StoreFolder.make(cases)
        if id == nil, let taken = try fromReserve() { return taken }
        let (id, folder) = try makeFolder(id)
        let database = try JournalDatabase(at: folder.appending("case.sqlite"), busyTimeout: busyTimeout)
        try StoreFolder.sync(folder)
        try StoreFolder.sync(cases)
        return NascentCase(id: id, folder: folder, database: database)
    }

    /// `nil` when there is no reserve, or one that cannot be used, which is left where it is as a case without entries. One
    /// that has entries is a case to which a power cut gave its old name back: it gets its own again.
    private func fromReserve() throws(Failure) -> NascentCase? {
        let id = CaseID.fresh()
        let folder = cases.appending(id.text)
        guard CaseReserve(in: root).take(as: folder) else { return nil }
        do throws(Failure) {
            let database = try JournalDatabase(at: folder.appending("case.sqlite"), busyTimeout: busyTimeout)
            try database.deferCommits()
            guard try database.isEmpty() else {
                try giveItsName(to: folder, make(id, folder, database), database)
                return nil
            }
            return NascentCase(id: id, folder: folder, database: database, unsynced: cases)
        } catch {
            guard error.code == .malformed else { throw error }
            return nil
        }
    }

    /// Makes the reserve for the next new case unless there is one; for commands whose work is done.
    ///
    /// - Throws: why it cannot be made; the next new case then takes longer, and nothing else changes.
    public func fillReserve() throws(Failure) {
        try StoreFolder.check(root, hint: "quell init")
        try CaseReserve(in: root).fill(busyTimeout: busyTimeout)
    }

    /// The same on a thread of its own, for as long as `patience` lasts: a disk that hangs does not hold the caller. Nothing
    /// is told when it does not come about.
    public func fillReserve(within patience: Duration) {
        let isFilled = Monitor(false)
        do throws(Failure) {
            try OwnedThread {
                do throws(Failure) { try fillReserve() } catch { return isFilled.with { $0 = true } }
                isFilled.with { $0 = true }
            }.detach()
        } catch { return }
        _ = isFilled.wait(until: Deadline(after: patience)) { $0 ? true : nil }
    }

    /// Opens a new case about `pins`; the first entries are on disk when it returns, or, when `isSynced` is false, when
    /// the first append after it returns: that saves a freeze one wait for the disk. `nascent` is a case that was made
    /// ready for it.
    ///
    /// - Throws: as ``prepare(_:)``.
    public func create(
        _ id: CaseID? = nil,
        about pins: [SessionPin] = [],
        reason: String = "",
        by actor: Responder,
        isSynced: Bool = true
    ) throws(Failure) -> Case {
        try create(try prepare(id), about: pins, reason: reason, by: actor, isSynced: isSynced)
    }

    /// The same with a case that was made ready before.
    func create(
        _ nascent: NascentCase,
        about pins: [SessionPin],
        reason: String,
        by actor: Responder,
        isSynced: Bool
    ) throws(Failure) -> Case {
        if isSynced { try nascent.database.syncCommits() }
        let made = make(nascent.id, nascent.folder, nascent.database)
        var drafts = [
            EntryDraft(
                note: "case-opened",
                [
                    "bootID": .string(host.bootID), "case": .string(made.id.text), "machine": .string(host.machine),
                    "reason": .string(reason),
                ],
                by: actor
            )
        ]
        for pin in pins { drafts.append(try Case.subjectDraft(pin, by: actor)) }
        SubjectMarks(in: nascent.folder).add(pins)
        if isSynced, let folder = nascent.unsynced { made.journal.sync(folder) }
        try made.journal.append(drafts)
        if !isSynced {
            try nascent.database.syncCommits()
            if let folder = nascent.unsynced { made.journal.sync(folder) }
        }
        return made
    }

    private func makeFolder(_ wanted: CaseID?) throws(Failure) -> (CaseID, BytePath) {
        for _ in 0..<100 {
            let id = wanted ?? CaseID.fresh()
            let folder = cases.appending(id.text)
            if try StoreFolder.makeNew(folder) { return (id, folder) }
            if let wanted { throw Failure(errno: EEXIST, "make the case", on: BytePath(wanted.text)) }
        }
        throw Failure(.system, "make the case", on: "\(cases)", because: "no free name was found")
    }

    private func make(_ id: CaseID, _ folder: BytePath, _ database: JournalDatabase) -> Case {
        let journal = Journal(
            database,
            of: id,
            key: key,
            notes: CheckpointFile(path: folder.appending("checkpoints.jsonl")),
            anchors: { [anchors] in anchors(id, folder) },
            announce: announce,
            fault: fault
        )
        return Case(id: id, folder: folder, host: host, journal: journal)
    }
}
