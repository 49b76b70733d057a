import Base
import Casework
import Glibc

/// The threads of one run: made when a lane gets its first work, joined before the run ends.
final class Lanes {
    typealias Work = @Sendable () -> Void

    private struct State {
        var waiting: [Lane: [Work]] = [:]
        var busy: [Lane: Int] = [:]
        var isEnded = false
    }

    private let state = Monitor(State())
    private var threads: [Joinable] = []
    private var started: [Lane: Int] = [:]

    /// Hands work to a lane.
    ///
    /// - Throws: `system` when the host allows no more threads and the lane has none.
    func submit(_ work: @escaping Work, to lane: Lane) throws(Failure) {
        let idle = state.with { state in
            state.waiting[lane, default: []].append(work)
            return started[lane, default: 0] - state.busy[lane, default: 0] - state.waiting[lane, default: []].count
        }
        guard idle < 0, started[lane, default: 0] < lane.threads else { return }
        do {
            threads.append(Joinable(try OwnedThread { [state] in Lanes.work(state, lane) }))
            started[lane, default: 0] += 1
        } catch {
            if started[lane, default: 0] > 0 { return }
            state.with { _ = $0.waiting[lane]?.popLast() }
            throw error
        }
    }

    /// Ends all threads when their work is done.
    func end() {
        state.with { $0.isEnded = true }
        for thread in threads { thread.join() }
        threads = []
    }

    private static func work(_ state: Monitor<State>, _ lane: Lane) {
        // nice(2) of one thread: setpriority(2) with 0 means the calling thread on Linux. Without the right it stays as
        // it is, which is slower and nothing else.
        if lane == .containment { setpriority(Int32(PRIO_PROCESS.rawValue), 0, -15) }
        while let work = next(state, lane) {
            work()
            state.with { $0.busy[lane, default: 1] -= 1 }
        }
    }

    private static func next(_ state: Monitor<State>, _ lane: Lane) -> Work? {
        let next = state.wait(until: nil) { state -> Work?? in
            if state.waiting[lane]?.isEmpty == false, let work = state.waiting[lane]?.removeFirst() {
                state.busy[lane, default: 0] += 1
                return .some(work)
            }
            return state.isEnded ? .some(nil) : nil
        }
        return next ?? nil
    }
}

/// Keeps a thread that cannot be copied in a list.
private final class Joinable {
    private var thread: OwnedThread?

    init(_ thread: consuming OwnedThread) { self.thread = consume thread }

    func join() { thread.take()?.join() }
}
