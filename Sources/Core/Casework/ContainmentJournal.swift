public import Base
import Glibc

/// The journal for containment alone: the journal of a case as long as it answers within the patience, else an emergency
/// record in /run/quell and on standard error (RT12). Appending never fails and never waits longer.
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
        var results: [Int: Result<Void, Failure>] = [:]
        var isWriting = false
        var isEnded = false

        var home: Case? {
            if case .success(let home) = opened { home } else { nil }
        }
    }

    private struct Emergency {
        var reason: String?
        var spool: Spool?
        var drafts: [EntryDraft] = []
        var appends = 0
    }

    private let state = Monitor(State())
    private let emergency = Monitor(Emergency())
    private let id: CaseID
    private let pins: [SessionPin]
    private let spools: BytePath
    private let patience: Duration
    private let sink: @Sendable (String) -> Void

    /// Starts to open the case by `open` at once, on the writer's thread. `id` names the emergency record, and the case
    /// that is made of it when no open one holds `pins`. `sink` gets one line for each entry that went to the emergency
    /// record, for standard error.
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

    /// Where the entries went so far.
    public var keeping: Keeping {
        if let reason = emergency.with({ $0.reason }) { return .emergencyRecord(reason) }
        return .journal(state.with { $0.home?.id })
    }

    /// Keeps the entries somewhere; never fails, and waits no longer than the patience.
    package func append(_ drafts: [EntryDraft]) {
        if emergency.with({ $0.reason }) != nil { return spool(drafts, because: nil) }
        let number = emergency.with { emergency in
            emergency.appends += 1
            return emergency.appends
        }
        state.with { $0.waiting.append(Batch(number: number, drafts: drafts)) }
        let result = state.wait(until: Deadline(after: patience)) { state -> Result<Void, Failure>? in
            if let result = state.results.removeValue(forKey: number) { return result }
            if case .failure(let failure) = state.opened { return .failure(failure) }
            return nil
        }
        switch result {
        case .success: return
        case .failure(let failure): spool(drafts, because: failure.description)
        case nil:
            state.with { $0.waiting.removeAll { $0.number == number } }
            spool(drafts, because: "the store did not answer in \(Int(patience.inMilliseconds)) ms")
        }
    }

    private func spool(_ drafts: [EntryDraft], because reason: String?) {
        emergency.with { emergency in
            if emergency.reason == nil { start(&emergency, because: reason ?? "unknown") }
            emergency.drafts += drafts
            for draft in drafts { sink(CanonicalJSON.text(of: .object(draft.object))) }
            do {
                try emergency.spool?.append(drafts)
            } catch {
                sink("warning: \(error)")
            }
        }
    }

    private func start(_ emergency: inout Emergency, because reason: String) {
        emergency.reason = reason
        sink("warning: the journal does not answer, recording to \(spools)/\(id).spool: \(Escaped.terminal(reason))")
        do {
            emergency.spool = try Spool(in: spools, for: id, about: pins, because: reason)
        } catch {
            sink("warning: \(error)")
        }
    }

    /// After containment, when there is time: waits for the store to answer, and brings the emergency record into the
    /// case. Gives the case when the entries are in its journal; `nil` when they are not yet, which is no error: the
    /// record stays.
    public func settle(within patience: Duration) -> Case? {
        let home = state.wait(until: Deadline(after: patience)) { state -> Case?? in
            if case .failure = state.opened { return .some(nil) }
            guard !state.isWriting, state.waiting.isEmpty, state.opened != nil else { return nil }
            return .some(state.home)
        }
        guard let home, let home else { return nil }
        return emergency.with { emergency in
            guard let reason = emergency.reason else { return home }
            let contents = Spool.Contents(pins: pins, reason: reason, drafts: emergency.drafts, unreadable: 0)
            do {
                try Spool.append(contents, to: home)
            } catch {
                sink("warning: \(error)")
                return nil
            }
            emergency.spool = nil
            emergency.drafts = []
            _ = spools.appending("\(id).spool").withCString { unlink($0) }
            return home
        }
    }

    /// The writer's thread: opens, then writes one batch after the other until the journal's owner is gone.
    private static func write(_ state: Monitor<State>, _ open: () throws(Failure) -> Case) {
        let opened: Result<Case, Failure>
        do { opened = .success(try open()) } catch { opened = .failure(error) }
        state.with { $0.opened = opened }
        guard case .success(let home) = opened else { return }
        while let batch = next(state) {
            let result: Result<Void, Failure>
            do { result = .success(try home.journal.append(batch.drafts)) } catch { result = .failure(error) }
            state.with { state in
                state.results[batch.number] = result
                state.isWriting = false
            }
        }
    }

    /// The next batch; `nil` when there will be none.
    private static func next(_ state: Monitor<State>) -> Batch? {
        let next = state.wait(until: nil) { state -> Batch?? in
            if !state.waiting.isEmpty {
                state.isWriting = true
                return .some(state.waiting.removeFirst())
            }
            return state.isEnded ? .some(nil) : nil
        }
        return next ?? nil
    }
}
