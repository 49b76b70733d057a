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
            _ = watch.wait(until: Deadline(after: FreezeHold.pause))
        }
        telling.say("stopped      everything stays frozen")
        return .cancelled
    }

    private func check(_ held: inout Held) throws(Failure) {
        let check = try FreezeCheck(of: held.result, on: bench.host)
        guard !check.thawed.isEmpty || !check.movedOut.isEmpty else { return }
        // A group that is gone with everybody in it cannot be frozen again.
        guard check.processes > 0 || !check.movedOut.isEmpty else { return }
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
        guard let output = try result.output() else { throw result.step.failure ?? result.unexplained }
        held.result = output.result
        let why = check.thawed.isEmpty ? "\(check.movedOut.count) processes moved out" : "it was thawed"
        let span = Words.span((output.result.times.frozen ?? Instant.now()).since(began))
        telling.result("freeze \(output.word) again: \(why); frozen after \(span)")
    }
}
