internal import Base
internal import Kernel
internal import Sessions

/// What is special about a gVisor sandbox: its gofers have no lineage with its sentry, and what runs in it is no process of
/// the host.
extension FreezeRun {
    /// Finds out whether the session is one, from files that only root writes; any other session costs one look at the
    /// name of its leader.
    mutating func takeSandbox() {
        guard let leader = subject.pin.leader else { return }
        sandbox = GVisorLookup(on: host, root: policy.root).sandbox(holding: leader.pid)
        guard let sandbox else { return }
        knowledge.settled.formUnion([sandbox.sentry] + sandbox.gofers)
    }

    /// Has the monitor of a QEMU pause the machine, when the responder named it: then moving the process out of the frozen
    /// group does not make the machine run. The frozen group is what counts (RT8). All of it has one deadline of 300 ms, and
    /// an unanswered `stop` stands as one of which nobody can tell: a thaw takes it back.
    mutating func pauseMachine() {
        guard let path = policy.monitor, let leader = subject.pin.leader else { return }
        guard earlier.quarantine == nil, earlier.frozen.isEmpty else { return }
        let deadline = Deadline(after: .milliseconds(300))
        do throws(Failure) {
            _ = try ProcessDirectory(leader, on: host)
            let monitor = try MachineMonitor(at: path, of: leader, by: deadline)
            guard try monitor.isRunning() else {
                result.notes.append("its monitor says that the machine did not run")
                return
            }
            let effect = ContainmentEffect.pauseMachine(process: leader, monitor: path)
            let missed = try performEach([(leader, effect)]) { _ throws(Failure) in try monitor.pause() }
            if let failure = missed[leader] {
                if failure.code == .timedOut { result.effects.append(effect) }
                throw failure
            }
            result.notes.append("its monitor says that the machine is paused; the frozen group is what holds it")
        } catch {
            result.notes.append(
                "its monitor did not pause the machine, the frozen group alone holds it: \(error.reason)"
            )
        }
    }

    /// Asks the sentry, while it can still answer, for at most 300 ms (RT7).
    mutating func askSentry() {
        guard let sandbox else { return }
        guard earlier.quarantine == nil, earlier.frozen.isEmpty else {
            result.inside = SandboxInside(reason: "it is frozen already")
            return
        }
        result.inside = SentryQuestion(to: sandbox).ask(for: .milliseconds(300))
    }
}
