public import Base

/// Gets a case ready on a thread of its own while the session is still being looked for, so that a freeze waits for the
/// disk once and not for each step of making a case.
public final class CaseHeadStart: Sendable {
    private enum State {
        case preparing
        case ready(CaseStore, NascentCase)
        case failed(Failure)
        /// It has become a case, or nobody wants it.
        case spent
    }

    private let state = Monitor(State.preparing)

    /// Starts at once: `open` gives the store with its key, in which the case is made ready.
    public init(in open: @escaping @Sendable () throws(Failure) -> CaseStore) {
        let state = state
        do {
            try OwnedThread {
                OwnedThread.raisePriority()
                let reached: State
                do throws(Failure) {
                    let store = try open()
                    reached = .ready(store, try store.prepare())
                } catch {
                    reached = .failed(error)
                }
                CaseHeadStart.arrive(at: reached, state)
            }.detach()
        } catch {
            state.with { $0 = .failed(error) }
        }
    }

    private static func arrive(at reached: State, _ state: Monitor<State>) {
        let isWanted = state.with { state in
            guard case .preparing = state else { return false }
            state = reached
            return true
        }
        if !isWanted { giveBack(reached) }
    }

    /// The open case that holds `pins`, else the one that was made ready, whose first entries are on disk with the next
    /// append. Called once.
    ///
    /// - Throws: why the store cannot be used.
    public func home(about pins: [SessionPin], reason: String, by actor: Responder) throws(Failure) -> Case {
        let reached = state.wait(until: nil) { state -> State? in
            if case .preparing = state { return nil }
            defer { state = .spent }
            return state
        }
        switch reached {
        case .ready(let store, let nascent):
            if let joined = try store.join(pins, besides: nascent.id) {
                nascent.giveBack(to: CaseReserve(in: store.root))
                return joined
            }
            return try store.create(nascent, about: pins, reason: reason, by: actor, isSynced: false)
        case .failed(let failure): throw failure
        case .preparing, .spent, nil: preconditionFailure("a head start is used once")
        }
    }

    /// Gives back what was made ready, because there is no session to act on. Waits for it a moment, since the process may
    /// end right after; a store that takes longer keeps a folder without entries, which is no case.
    public func abandon(within patience: Duration = .milliseconds(200)) {
        let reached = state.wait(until: Deadline(after: patience)) { state -> State? in
            if case .preparing = state { return nil }
            defer { state = .spent }
            return state
        }
        if let reached { return CaseHeadStart.giveBack(reached) }
        state.with { $0 = .spent }
    }

    private static func giveBack(_ reached: State) {
        guard case .ready(let store, let nascent) = reached else { return }
        nascent.giveBack(to: CaseReserve(in: store.root))
    }
}
