import Base
import Casework
import Containment
import Engine
import Kernel
import Response
import Sessions

/// `quell freeze --hold`: stays and freezes again what somebody thaws or moves out, until Ctrl-C. It leaves everything
/// frozen (RT2).
struct FreezeHold {
    /// One session that is held.
    struct Held {
        let session: Session
        let input: FreezeAction.Input
        let agents: Inventory
        var result: FreezeResult
        /// The case; `nil` as long as no store answers.
        let home: Case?
        /// The members that somebody moved out of its groups and that live: they are held wherever they are.
        var moved: [ProcessPin] = []
        /// Why it is not held now, as it was told; `nil` when it is.
        var told: Failure?
    }

    let bench: Workbench
    let actor: Responder
    let telling: Teller

    /// The kernel tells of a thaw at once; of a process that was moved out it tells nothing, so that is looked for.
    private static let pause = Duration.milliseconds(250)

    /// How often one session is tried again before the others get their turn: somebody may remove its group right then.
    private static let attempts = 3

    func stay(with sessions: [Held]) throws(Failure) -> Outcome {
        var held = sessions
        telling.say("holding      Ctrl-C ends the watch and leaves everything frozen")
        while !Interruption.cancellation.isCancelled {
            let groups = held.flatMap { $0.result.groups.map(\.group) }
            let watch = CgroupWatch(groups, on: bench.host)
            for index in held.indices { check(&held[index]) }
            let cancelled = Interruption.cancellation.descriptor
            _ = watch.wait(until: Deadline(after: FreezeHold.pause), orReadable: cancelled)
        }
        let lost = held.filter { $0.told != nil }
        for one in lost { telling.result("not held     \(one.session.locator)") }
        telling.say("stopped      everything\(lost.isEmpty ? "" : " else") stays frozen")
        return .cancelled
    }

    /// One session that cannot be held ends the watch of no other: it is told once, and tried again at every look.
    private func check(_ held: inout Held) {
        for attempt in 1...FreezeHold.attempts {
            do throws(Failure) {
                try freezeAgain(&held)
                held.told = nil
                return
            } catch {
                guard attempt == FreezeHold.attempts, held.told != error else { continue }
                held.told = error
                telling.tell(error)
            }
        }
    }

    private func freezeAgain(_ held: inout Held) throws(Failure) {
        guard let why = try whyAgain(&held) else { return }
        let began = Instant.now()
        let home = held.home
        let journal = ContainmentJournal(
            about: [held.session.pin],
            spools: Workbench.spools(of: bench.store.root),
            sink: { [errors = telling.errors] line in errors.line(line) }
        ) { [bench, actor, pin = held.session.pin] () throws(Failure) in
            if let home { return home }
            return try bench.home(nil, about: [pin], reason: nil, by: actor)
        }
        let single = Single(containingWith: journal, by: actor, reason: "held: it was thawed by somebody else")
        var input = held.input
        // Whoever may move a process out of its group may have cut its lineage before, and may remove the group.
        let moved = held.moved.map(\.pid)
        if !moved.isEmpty { input.include = (input.include ?? []).filter { !moved.contains($0) } + moved }
        var action = FreezeAction(on: bench.host, inventory: held.agents, home: home)
        action.recording = { journal.confirm() }
        let result = single.run(action, input)
        _ = journal.settle(within: .seconds(2))
        guard let output = result.output else { throw result.step.failure ?? result.unexplained }
        held.result = output.result
        let span = Words.span((output.result.times.frozen ?? Instant.now()).since(began))
        telling.result("freeze \(output.word) again: \(why); frozen after \(span)")
    }

    /// What somebody did to it; `nil` when it stands.
    private func whyAgain(_ held: inout Held) throws(Failure) -> String? {
        let result = held.result
        guard !result.bySignals else { return continued(result) ? "it was continued" : nil }
        let check = try FreezeCheck(of: result, on: bench.host)
        held.moved = held.moved.filter(isAlive) + check.movedOut.filter { !held.moved.contains($0) }
        if !check.movedOut.isEmpty { return "\(check.movedOut.count) processes moved out" }
        // A group that is gone, with everybody in it, cannot be frozen again.
        return check.thawed.isEmpty || check.processes == 0 ? nil : "it was thawed"
    }

    private func isAlive(_ process: ProcessPin) -> Bool {
        guard let stat = ProcessScanner(bench.host).namedStat(of: process.pid) else { return false }
        return stat.pin == process && !stat.numbers.isDead
    }

    /// Whether a process that was stopped by a signal runs again.
    private func continued(_ result: FreezeResult) -> Bool {
        let scanner = ProcessScanner(bench.host)
        return result.members.contains { member in
            guard let stat = scanner.namedStat(of: member.pid), stat.pin == member else { return false }
            return !["T", "t", "Z", "X"].contains(Character(Unicode.Scalar(stat.numbers.state)))
        }
    }
}
