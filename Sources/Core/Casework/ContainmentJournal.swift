public import Base
import Glibc

/// The journal for containment alone: the journal of a case as long as it answers within the patience, else an emergency
/// record in /run/quell, and on standard error what /run/quell cannot take (RT12, decision 0008). Appending never fails and
/// never waits longer.
///
/// What comes before an effect is waited for, unless the effect ends with the machine: then its intent is written to a file
/// in /run/quell, which outlives this process, and goes to the store beside the effect (docs/decisions/0039). ``confirm()``
/// waits for it before anybody is told. Outcomes alone are not waited for, once that file has them or the store has
/// answered: they go to disk beside the next effect, and a crash in between leaves an intent without outcome, which is probed.
///
/// The store is opened and written on a thread of its own, so an fsync of 30 s holds that thread and not the freeze. Once
/// one append went to the emergency record, all later ones of this object do, so that the record is in one piece; it is
/// brought into the case by ``settle(within:)`` or when the case is opened next, and marked late.
public final class ContainmentJournal: JournalWriter {
    /// Where the entries went so far.
    public enum Keeping: Hashable, Sendable {
        /// Into the journal of this case, or nothing was written yet and nothing speaks against it.
        case journal(CaseID?)
        /// Into the emergency record, for this reason.
        case emergencyRecord(String)
    }

    private struct Batch {
        let number: Int
        let drafts: [EntryDraft]
    }

    private struct State {
        var opened: Result<Case, Failure>?
        var waiting: [Batch] = []
        /// The number of the last batch that is on disk.
        var written = 0
        /// Why a batch could not be written; nothing is written after it.
        var failure: Failure?
        var isWriting = false
        var isEnded = false
        /// Whether the runs are over, and whether the writer has given their locks back: only it touches the disk.
        var isOver = false
        var isUnlocked = false

        var home: Case? {
            if case .success(let home) = opened { home } else { nil }
        }
    }

    private struct Emergency {
        var reason: String?
        var spool: Spool?
        var drafts: [EntryDraft] = []
        var appends = 0
        /// Entries that nobody has seen on disk yet, in order.
        var unseen: [EntryDraft] = []
        /// What was written ahead of effects, or that nothing can be.
        var ahead: Spool?
        var isAheadRefused = false
    }

    private let state = Monitor(State())
    private let emergency = Monitor(Emergency())
    private let id: CaseID
    private let pins: [SessionPin]
    private let spools: BytePath
    private let patience: Duration
    private let sink: @Sendable (String) -> Void

    /// Starts to open the case by `open` at once, on the writer's thread. `id` names the emergency record, and the case
    /// that is made of it when no open one holds `pins`. `sink` gets lines for standard error: one warning that names
    /// the record's file and the reason, and each entry that the file cannot take.
    public init(
        _ id: CaseID = .fresh(),
        about pins: [SessionPin],
        spools: BytePath = BytePath("/run/quell"),
        patience: Duration = .milliseconds(20),
        sink: @escaping @Sendable (String) -> Void,
        open: @escaping @Sendable () throws(Failure) -> Case
    ) {
        self.id = id
        self.pins = pins
        self.spools = spools
        self.patience = patience
        self.sink = sink
        let state = state
        do {
            try OwnedThread { ContainmentJournal.write(state, open) }.detach()
        } catch {
            state.with { $0.opened = .failure(error) }
        }
    }

    deinit { state.with { $0.isEnded = true } }

    /// The file of the emergency record.
    private var record: BytePath { Spool.Kind.emergency.path(of: id, in: spools) }

    /// The case, when it opens within the patience; to be asked for before the first entry, and `nil` is no error.
    public func home(within patience: Duration) -> Case? {
        state.wait(until: Deadline(after: patience)) { state -> Case?? in
            state.opened.map { _ in state.home }
        } ?? nil
    }

    /// Why there is no case yet; `nil` when there is one, and when there is no store in which anything could be.
    public var whyNoCase: String? {
        switch state.with({ $0.opened }) {
        case nil: "the store did not answer"
        case .success: nil
        case .failure(let failure): failure.code == .notFound ? nil : failure.description
        }
    }

    /// Where the entries went so far.
    public var keeping: Keeping {
        if let reason = emergency.with({ $0.reason }) { return .emergencyRecord(reason) }
        return .journal(state.with { $0.home?.id })
    }

    /// Keeps the entries somewhere; never fails, and waits no longer than the patience.
    package func append(_ drafts: [EntryDraft]) {
        if emergency.with({ $0.reason }) != nil { return spool(drafts, because: nil) }
        let (number, hasAnswered) = enqueue(drafts)
        if drafts.allSatisfy({ $0.kind == .outcome }), followAhead(drafts) || hasAnswered { return }
        awaitBatch(number)
    }

    /// Keeps the entries in a file that outlives this process, and hands them to the store, which is not waited for.
    package func appendAhead(_ drafts: [EntryDraft]) {
        guard emergency.with({ $0.reason }) == nil, writeAhead(drafts) else { return append(drafts) }
        _ = enqueue(drafts)
    }

    /// Waits until everything is on disk, no longer than the patience: in the case, or else in the emergency record. To be
    /// called before anybody is told of an effect.
    public func confirm() {
        let isKept = emergency.with { $0.reason != nil || $0.unseen.isEmpty }
        if !isKept { awaitBatch(emergency.with { $0.appends }) }
    }

    /// Hands the entries to the writer; gives the number of the batch, and whether the store has answered before.
    private func enqueue(_ drafts: [EntryDraft]) -> (number: Int, hasAnswered: Bool) {
        let number = emergency.with { emergency in
            emergency.appends += 1
            emergency.unseen += drafts
            return emergency.appends
        }
        let hasAnswered = state.with { state in
            state.waiting.append(Batch(number: number, drafts: drafts))
            return state.written > 0 && state.failure == nil
        }
        return (number, hasAnswered)
    }

    /// Whether the entries are in the file that is written ahead.
    private func writeAhead(_ drafts: [EntryDraft]) -> Bool {
        emergency.with { emergency in
            guard !emergency.isAheadRefused else { return false }
            do throws(Failure) {
                if let ahead = emergency.ahead {
                    try ahead.append(drafts)
                } else {
                    let reason = "the process ended before the store had it"
                    emergency.ahead = try Spool(
                        .ahead,
                        in: spools,
                        for: id,
                        about: pins,
                        because: reason,
                        beginningWith: drafts
                    )
                }
                return true
            } catch {
                emergency.isAheadRefused = true
                return false
            }
        }
    }

    /// Puts outcomes behind the intents that were written ahead; `false` when there are none.
    private func followAhead(_ drafts: [EntryDraft]) -> Bool {
        emergency.with({ $0.ahead != nil }) && writeAhead(drafts)
    }

    /// What was written ahead is on disk elsewhere by now.
    private func removeAhead() {
        emergency.with { emergency in
            guard emergency.ahead != nil else { return }
            emergency.ahead = nil
            _ = Spool.Kind.ahead.path(of: id, in: spools).withCString { unlink($0) }
        }
    }

    /// Waits for a batch; what the store does not take in time goes to the emergency record.
    private func awaitBatch(_ number: Int) {
        let result = state.wait(until: Deadline(after: patience)) { state -> Result<Void, Failure>? in
            if let failure = state.failure { return .failure(failure) }
            if case .failure(let failure) = state.opened { return .failure(failure) }
            return state.written >= number ? .success(()) : nil
        }
        switch result {
        case .success: emergency.with { $0.unseen = [] }
        case .failure(let failure): spoolUnseen(because: failure.description)
        case nil: spoolUnseen(because: "the store did not answer in \(Int(patience.inMilliseconds)) ms")
        }
    }

    /// Keeps everything that nobody has seen on disk in the emergency record. What the store writes after all is not
    /// entered twice when the record is brought in.
    private func spoolUnseen(because reason: String) {
        state.with { $0.waiting = [] }
        let unseen = emergency.with { emergency in
            defer { emergency.unseen = [] }
            return emergency.unseen
        }
        spool(unseen, because: reason)
        // Where there can be no emergency record, what was written ahead is the last that is on record.
        if emergency.with({ $0.spool != nil }) { removeAhead() }
    }

    private func spool(_ drafts: [EntryDraft], because reason: String?) {
        emergency.with { emergency in
            guard emergency.reason != nil else { return start(&emergency, drafts, because: reason ?? "unknown") }
            emergency.drafts += drafts
            guard let spool = emergency.spool else { return tell(drafts) }
            do {
                try spool.append(drafts)
            } catch {
                sink("warning: \(error)")
                tell(drafts)
            }
        }
    }

    private func start(_ emergency: inout Emergency, _ drafts: [EntryDraft], because reason: String) {
        emergency.reason = reason
        emergency.drafts = drafts
        do {
            emergency.spool = try Spool(
                .emergency,
                in: spools,
                for: id,
                about: pins,
                because: reason,
                beginningWith: drafts
            )
            sink("warning: the journal is kept in \(record) until the store answers: \(reason)")
        } catch {
            sink("warning: the journal is kept nowhere but here: \(reason); \(error)")
            tell(drafts)
        }
    }

    /// The last place: standard error, whole entries.
    private func tell(_ drafts: [EntryDraft]) {
        for draft in drafts { sink(CanonicalJSON.text(of: .object(draft.object))) }
    }

    /// After containment, when there is time: waits for the store to answer, and brings the emergency record into the
    /// case. Gives the case when the entries are in its journal; `nil` when they are not yet, which is no error: the
    /// record stays.
    public func settle(within patience: Duration) -> Case? {
        let deadline = Deadline(after: patience)
        let home = state.wait(until: deadline) { state -> Case?? in
            if case .failure = state.opened { return .some(nil) }
            guard !state.isWriting, state.waiting.isEmpty, state.opened != nil else { return nil }
            return .some(state.home)
        }
        let failure = state.with { $0.failure }
        if home == nil || failure != nil, emergency.with({ !$0.unseen.isEmpty }) {
            spoolUnseen(because: failure?.description ?? "the store did not answer")
        }
        guard let home, let home else { return nil }
        state.with { $0.isOver = true }
        _ = state.wait(until: deadline) { $0.isUnlocked ? true : nil }
        let waiting = emergency.with { emergency in
            emergency.reason.map { Spool.Contents(pins: pins, reason: $0, drafts: emergency.drafts, unreadable: 0) }
        }
        guard let waiting else {
            removeAhead()
            return home
        }
        guard merge(waiting, into: home, until: deadline) else { return nil }
        emergency.with { emergency in
            emergency.spool = nil
            emergency.drafts = []
        }
        _ = record.withCString { unlink($0) }
        return home
    }

    private enum Merge {
        case pending
        case done
        case failed(Failure)
    }

    /// Brings the record into the case on a thread of its own, so that a disk that hangs holds that thread and not the
    /// person. When the deadline passes the record stays; what the thread still writes is not entered twice.
    private func merge(_ contents: Spool.Contents, into home: Case, until deadline: Deadline) -> Bool {
        let merge = Monitor(Merge.pending)
        do {
            try OwnedThread {
                let end: Merge
                do throws(Failure) {
                    try Spool.append(contents, to: home)
                    end = .done
                } catch {
                    end = .failed(error)
                }
                merge.with { $0 = end }
            }.detach()
        } catch {
            sink("warning: \(error)")
            return false
        }
        let end = merge.wait(until: deadline) { merge -> Merge? in
            if case .pending = merge { nil } else { merge }
        }
        switch end {
        case .done: return true
        case .failed(let failure): sink("warning: \(failure)")
        case .pending, nil: break
        }
        return false
    }

    /// The writer's thread: opens, then writes what waits, all of it in one commit, until the journal's owner is gone.
    private static func write(_ state: Monitor<State>, _ open: () throws(Failure) -> Case) {
        OwnedThread.raisePriority()
        let opened: Result<Case, Failure>
        do { opened = .success(try open()) } catch { opened = .failure(error) }
        state.with { $0.opened = opened }
        guard case .success(let home) = opened else { return }
        var locks: [String: RunLock] = [:]
        defer {
            locks = [:]
            state.with { $0.isUnlocked = true }
        }
        while let work = next(state) {
            guard case .write(let batches) = work, let last = batches.last else {
                locks = [:]
                state.with { $0.isUnlocked = true }
                continue
            }
            var failure: Failure?
            let drafts = batches.flatMap(\.drafts)
            let unlocked = lock(Set(drafts.compactMap(\.run)).subtracting(locks.keys), of: home, &locks)
            do { try home.journal.append(unlocked + drafts) } catch { failure = error }
            state.with { state in
                state.isWriting = false
                state.failure = failure
                if failure == nil { state.written = last.number } else { state.waiting = [] }
            }
            if failure != nil { return }
        }
    }

    /// Locks runs. A lock that is not to be had stops nothing: gives the entries that say so.
    private static func lock(_ runs: Set<String>, of home: Case, _ locks: inout [String: RunLock]) -> [EntryDraft] {
        var unlocked: [EntryDraft] = []
        for run in runs {
            do throws(Failure) {
                locks[run] = try home.lock(run: run, to: "begin the run")
            } catch {
                let body: JSONValue = ["reason": .string(error.description)]
                unlocked.append(EntryDraft(note: "run-unlocked", body, by: .quell, run: run))
            }
        }
        return unlocked
    }

    private enum Work {
        case write([Batch])
        case unlock
    }

    /// Everything that waits; `nil` when there will be nothing.
    private static func next(_ state: Monitor<State>) -> Work? {
        let next = state.wait(until: nil) { state -> Work?? in
            if !state.waiting.isEmpty {
                state.isWriting = true
                defer { state.waiting = [] }
                return .some(.write(state.waiting))
            }
            if state.isOver, !state.isUnlocked { return .some(.unlock) }
            return state.isEnded ? .some(nil) : nil
        }
        return next ?? nil
    }
}
