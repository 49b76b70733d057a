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
    }

    let bench: Workbench
    let actor: Responder
    let telling: Teller

    /// The kernel tells of a thaw at once; of a process that was moved out it tells nothing, so that is looked for.
    private static let pause = Duration.milliseconds(250)

    func stay(with sessions: [Held]) throws(Failure) -> Outcome {
        var held = sessions
        telling.say("holding      Ctrl-C ends the watch and leaves everything frozen")
        while !Interruption.cancellation.isCancelled {
            let groups = held.flatMap { $0.result.groups.map(\.group) }
            let watch = CgroupWatch(groups, on: bench.host)
            for index in held.indices { try check(&held[index]) }
            let cancelled = Interruption.cancellation.descriptor
            _ = watch.wait(until: Deadline(after: FreezeHold.pause), orReadable: cancelled)
        }
        telling.say("stopped      everything stays frozen")
        return .cancelled
    }

    private func check(_ held: inout Held) throws(Failure) {
        guard let why = try whyAgain(held.result) else { return }
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
        let result = single.run(FreezeAction(on: bench.host, inventory: held.agents, home: home), held.input)
        _ = journal.settle(within: .seconds(2))
        guard let output = result.output else { throw result.step.failure ?? result.unexplained }
        held.result = output.result
        let span = Words.span((output.result.times.frozen ?? Instant.now()).since(began))
        telling.result("freeze \(output.word) again: \(why); frozen after \(span)")
    }

    /// What somebody did to it; `nil` when it stands.
    private func whyAgain(_ result: FreezeResult) throws(Failure) -> String? {
        guard !result.bySignals else { return continued(result) ? "it was continued" : nil }
        let check = try FreezeCheck(of: result, on: bench.host)
        if !check.movedOut.isEmpty { return "\(check.movedOut.count) processes moved out" }
        // A group that is gone, with everybody in it, cannot be frozen again.
        return check.thawed.isEmpty || check.processes == 0 ? nil : "it was thawed"
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
