public import Base

/// What a probe of one effect says of the world.
public enum EffectStanding: Hashable, Sendable, Codable {
    /// It is as if the effect had happened.
    case done
    /// It has not happened.
    case notDone
    /// Some of it has happened; the text says what is left.
    case partly(String)
    /// The world does not tell; the text says why.
    case cannotTell(String)
}

/// One kind of place where credentials live. Nothing here asks a person or a journal: the caller announces each effect
/// before it lets the provider perform it. Every call identifies the server anew before it sends a secret (RT9).
public protocol Provider: Sendable {
    /// One primitive step that can be performed, probed and, if it has an undo, undone by itself.
    associatedtype Effect: Codable & Hashable & Sendable
    /// What was seen before anything was done. Plain facts that may be journalled.
    associatedtype Observation: Codable & Hashable & Sendable

    /// The name in handles.
    static var name: String { get }

    /// Looks without changing anything.
    ///
    /// - Throws: `refused` when the server is not the declared one (nothing was sent to it then) or the principal does
    ///   not exist; else what went wrong.
    func inspect(_ target: RevocationTarget, by deadline: Deadline) throws(Failure) -> Observation

    /// What has to be done, in order; empty when there is nothing left to do. Pure.
    func plan(_ target: RevocationTarget, from seen: Observation) -> [Effect]

    /// Does one step. Doing it twice does no harm.
    func perform(_ effect: Effect, on target: RevocationTarget, by deadline: Deadline) throws(Failure)

    /// Finds out whether a step has happened.
    func probe(_ effect: Effect, on target: RevocationTarget, by deadline: Deadline) throws(Failure) -> EffectStanding

    /// The step that takes one back; `nil` when nothing can.
    func undo(_ effect: Effect) -> Effect?

    /// Whether the verdict rests on this step; saving to disk, for one, is not such a step.
    func isDecisive(_ effect: Effect) -> Bool

    /// Looks again and concludes. `asked` tells whether decisive steps were performed and none of them failed.
    func verify(
        _ target: RevocationTarget,
        since seen: Observation,
        asked: Bool,
        by deadline: Deadline
    ) throws(Failure) -> Receipt
}

/// A finished revocation: the receipt, and what failed on the way.
public struct Revocation: Hashable, Sendable {
    /// What was seen and done.
    public let receipt: Receipt
    /// Steps that failed, in order.
    public let failures: [Failure]
}

extension Provider {
    /// Inspects, plans, performs and verifies. `apply` is called for each effect with the work to do, so that the caller
    /// can journal around it; it has to rethrow what the work throws.
    ///
    /// A step that fails does not keep the later ones from being tried, and if it was decisive the verdict is never dead.
    ///
    /// - Throws: What `inspect` and `verify` throw, and what `apply` throws of itself.
    public func revoke(
        _ target: RevocationTarget,
        by deadline: Deadline,
        apply: (Effect, () throws(Failure) -> Void) throws(Failure) -> Void
    ) throws(Failure) -> Revocation {
        let seen = try inspect(target, by: deadline)
        let effects = plan(target, from: seen)
        var failures: [Failure] = []
        var decisiveFailed = false
        for effect in effects {
            var failure: Failure?
            do throws(Failure) {
                try apply(effect) { () throws(Failure) in
                    do throws(Failure) {
                        try perform(effect, on: target, by: deadline)
                    } catch {
                        failure = error
                        throw error
                    }
                }
            } catch {
                guard let failure else { throw error }
                failures.append(failure)
                decisiveFailed = decisiveFailed || isDecisive(effect)
            }
        }
        let asked = !decisiveFailed && effects.contains(where: isDecisive)
        return Revocation(receipt: try verify(target, since: seen, asked: asked, by: deadline), failures: failures)
    }
}
