import Base
import Containment
import Engine
import Kernel

/// Groups of self-tests of a cut that a killed Quell left begun: its probe died with it, and the empty group is taken away by
/// the next action that can.
enum OpenTrials {
    /// Ends them, each through the log. What fails is given and stops nothing: the act before it is done.
    static func end(
        _ ends: [ContainmentEffect],
        on host: Host,
        _ log: EffectLog<ContainmentEffect>
    ) -> [Failure] {
        var failures: [Failure] = []
        for end in ends {
            do throws(Failure) {
                try log.apply(end) { () throws(Failure) in try end.perform(on: host) }
            } catch {
                failures.append(error)
            }
        }
        return failures
    }
}
