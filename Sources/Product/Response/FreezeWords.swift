import Base
public import Containment

/// What keeps a freeze from being confirmed, in words for people.
public enum FreezeWords {
    /// A line for each reason; empty when there is none. What failed beside a freeze that is confirmed keeps nothing from
    /// being held, and is no reason.
    public static func shortfalls(of result: FreezeResult) -> [String] {
        var lines = result.stuck.map { thread in
            "thread \(thread.thread) of process \(thread.pid) did not freeze: state \(thread.state), waits in "
                + "\(thread.waitChannel.isEmpty ? "nothing" : thread.waitChannel), system call \(thread.systemCall)"
        }
        for stray in result.strays where !stray.isHeld {
            lines.append("stray \(stray.process.pid) (\(stray.name)) is not held: \(stray.reason ?? "unknown")")
        }
        for guest in result.guests where guest.isSpared {
            guard let doubt = guest.doubt else { continue }
            lines.append("guest \(guest.process.pid) (\(guest.name)) runs, and may be of the session: \(doubt)")
        }
        lines += unheld(result.supervisors)
        if result.bySignals, result.processes > 0 {
            lines.append("held by SIGSTOP only: whoever may send SIGCONT lets it run again")
        }
        if result.processes == 0, result.failures.isEmpty { lines.append("nothing was there to be frozen") }
        if !result.scansAgreed { lines.append("no two scans agreed: processes may have been missed") }
        return lines + (result.word == .confirmed ? [] : result.failures.map(\.description))
    }

    /// A line for each supervisor that is not held.
    static func unheld(_ supervisors: [Supervisor]) -> [String] {
        supervisors.filter { !$0.isHeld }.map { supervisor in
            "supervisor \(supervisor.name) is not held: \(supervisor.detail)"
                + (supervisor.reason.map { "; \($0)" } ?? "")
        }
    }

    /// A line for each peer that was to be held and is not.
    static func leftPeers(_ output: FreezeAction.Output) -> [String] {
        guard output.wantsPeers == true, let found = output.result.surroundings else { return [] }
        return found.peers.filter { !$0.isHeld }.map { peer in
            "peer \(peer.process.pid) (\(peer.name)) is not held: \(peer.reason ?? "unknown")"
        }
    }

    /// A line for each drop that was wanted and is not there.
    static func uncut(_ result: FreezeResult) -> [String] {
        guard let cut = result.cut else { return [] }
        var lines = cut.failures.map { "the network is not dropped: \($0)" }
        if cut.drops.isEmpty, lines.isEmpty {
            lines = cut.notReached.isEmpty ? ["the network is not dropped"] : cut.notReached
        }
        return lines
    }
}
