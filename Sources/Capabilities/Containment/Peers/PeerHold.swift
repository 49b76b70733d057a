internal import Base
internal import Kernel

/// Peers of a session: told after the proof, and held when that was asked for.
extension FreezeRun {
    /// The last thing of a freeze, so that nothing waits for it (RT7): who is joined to the session, what it serves.
    mutating func lookAround() {
        guard policy.lookMilliseconds > 0, !result.members.isEmpty else { return }
        let deadline = Deadline(after: .milliseconds(policy.lookMilliseconds))
        let held = Set(result.strays.filter(\.isHeld).map(\.process)).subtracting(result.members)
        var found = Surroundings.look(
            at: result.members + held.sorted { $0.pid < $1.pid },
            sparing: [],
            on: host,
            by: deadline
        )
        let supervisors = Set(result.supervisors.compactMap(\.process))
        found.peers.removeAll { supervisors.contains($0.process) }
        let hold = SupervisorHold(host, patienceMilliseconds: policy.patienceMilliseconds)
        hold.tell(&found.peers)
        if policy.withPeers { hold.take(&found.peers, effects: &result.effects, apply) }
        result.surroundings = found
    }
}

extension SupervisorHold {
    /// Says of each peer whether it stays in a frozen group from an earlier freeze, and whether it could never be held.
    func tell(_ peers: inout [SessionPeer]) {
        let scanner = ProcessScanner(host)
        for index in peers.indices {
            peers[index].isHeld = isFrozen(peers[index].process, scanner)
            if !peers[index].isHeld { peers[index].reason = refusal(peers[index].process, scanner) }
        }
    }

    /// Holds peers: in a frozen group of Quell's own, apart from the session and out of reach of its kill, as supervisors
    /// are (docs/decisions/0012). What a freeze refuses without `--broad` is never held. The effects are recorded, and a
    /// thaw gives all of them back.
    func take(_ peers: inout [SessionPeer], effects: inout [ContainmentEffect], _ apply: Apply) {
        var found = SupervisorSearch.Findings()
        let loose = peers.indices.filter { !peers[$0].isHeld && peers[$0].reason == nil }
        guard !loose.isEmpty else { return }
        // The kind is not told: the group and its proof are the same.
        found.supervisors = loose.map { index in
            Supervisor(kind: .sharedDaemon, name: peers[index].name, detail: "", process: peers[index].process)
        }
        let result = hold(found, apply)
        for (index, outcome) in zip(loose, result.supervisors) {
            peers[index].isHeld = outcome.isHeld
            peers[index].reason = outcome.reason
        }
        effects += result.effects
    }
}
