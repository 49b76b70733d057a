internal import Base
internal import Kernel

extension FreezeRun {
    /// Does one effect for each of many processes, with one record before and one after. Who refuses, or has ended, holds
    /// the others up no more than it does in the world: it is in the result with the reason, and in the record as not done.
    mutating func performEach(
        _ batch: [(process: ProcessPin, effect: ContainmentEffect)],
        _ act: (ProcessPin) throws(Failure) -> Void
    ) throws(Failure) -> [ProcessPin: Failure] {
        var missed: [ProcessPin: Failure] = [:]
        try applyEach(batch.map(\.effect)) { () throws(Failure) in
            var notDone: [ContainmentEffect: Failure] = [:]
            for (process, effect) in batch {
                do throws(Failure) {
                    try act(process)
                } catch {
                    missed[process] = error
                    notDone[effect] = error
                }
            }
            return notDone
        }
        result.effects += batch.filter { missed[$0.process] == nil }.map(\.effect)
        return missed
    }

    private func applyEach(
        _ effects: [ContainmentEffect],
        _ act: () throws(Failure) -> [ContainmentEffect: Failure]
    ) throws(Failure) {
        guard let each else { return try apply(effects) { () throws(Failure) in _ = try act() } }
        try each(effects, act)
    }
}
