public import Base
public import Credentials
public import Engine
import Casework
import Sessions

/// Takes the declared credentials of a session away and proves it (promise 3).
public struct RevokeAction: Action {
    /// What a playbook or a command gives.
    public struct Input: Hashable, Sendable, Codable {
        /// Whose.
        public var session: SessionReference
        /// `declared` for everything that the inventory declares of the session, else ids or handles of those, separated
        /// by commas.
        public var credentials: String?

        /// Takes both parts.
        public init(session: SessionReference, credentials: String? = nil) {
            self.session = session
            self.credentials = credentials
        }
    }

    /// What was pinned: the credentials.
    public struct Target: Sendable, Codable {
        let session: SessionReference
        let credentials: [DeclaredCredential]
    }

    /// One step at a provider, with what was seen there before anything was done: a resume must know it to judge.
    public struct Effect: Hashable, Sendable, Codable {
        let credential: CredentialHandle
        let step: RedisEffect
        let seen: RedisObservation
    }

    /// What became of each credential.
    public struct Output: Sendable, Codable {
        /// The receipts, in the order of the inventory.
        public let receipts: [Receipt]
        /// What failed on the way.
        public let failures: [Failure]
        /// Whether each credential is dead or was already.
        public let areDead: Bool
    }

    /// What is known without running it.
    public static let descriptor = ActionDescriptor(
        name: "revoke",
        summary: "revoke the credentials of a session and see them refused",
        nature: .alters,
        lane: .network,
        deadline: .seconds(30),
        evidence: .stateInIntents,
        inputs: [
            Field("session", .session, "whose"),
            Field("credentials", .text, isRequired: false, "declared, or ids of the inventory separated by commas"),
        ],
        outputs: [Field("areDead", .flag, "whether each is dead"), Field("receipts", .list, "one for each credential")]
    )

    private let place: Workplace
    private let provider: RedisProvider

    /// Works at `place`.
    public init(_ place: Workplace) {
        self.place = place
        provider = RedisProvider(on: place.host)
    }

    /// Picks the declared credentials. Nothing is asked of a provider yet.
    public func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Target> {
        let declared = try DeclaredCredentials(of: try place.agent(of: input.session)).all
        let chosen = try choose(input.credentials ?? "declared", from: declared)
        return Observation(
            target: Target(session: input.session, credentials: chosen),
            pins: [input.session.pin],
            decisions: chosen.map { "revoke \($0.handle)" }
        )
    }

    private func choose(_ words: String, from declared: [DeclaredCredential]) throws(Failure) -> [DeclaredCredential] {
        if words == "declared" { return declared }
        var chosen: [DeclaredCredential] = []
        for word in words.split(separator: ",").map(String.init) {
            guard let found = declared.first(where: { $0.id == word || $0.handle.description == word }) else {
                throw Failure(
                    .notFound,
                    "find the credential",
                    on: word,
                    because: "the inventory declares none of that id or handle for this session (RT1)",
                    hint: "declared are: \(declared.map(\.id).joined(separator: ", "))"
                )
            }
            chosen.append(found)
        }
        return chosen
    }

    /// The steps depend on what the provider says, so perform finds them.
    public func plan(_ input: Input, from seen: Observation<Target>) -> Plan<Target, Effect> {
        Plan(target: seen.target, effects: [])
    }

    /// Goes through the credentials; one that fails does not keep the others from being revoked.
    public func perform(
        _ plan: Plan<Target, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        var receipts: [Receipt] = []
        var failures: [Failure] = []
        let held = try HeldSession(of: plan.target.session.pin, in: place.home, on: place.host)
        for credential in plan.target.credentials {
            try scope.check("revoke", on: "\(credential.handle)")
            do throws(Failure) {
                let target = try RevocationTarget(
                    credential,
                    of: plan.target.session.pin,
                    notAmong: held.members
                )
                receipts.append(try revoke(target, log, scope, &failures))
            } catch {
                failures.append(error)
            }
        }
        let areDead = receipts.allSatisfy { $0.verdict == .dead || $0.verdict == .wasAlreadyDead }
        return Output(
            receipts: receipts,
            failures: failures,
            areDead: areDead && !receipts.isEmpty && receipts.count == plan.target.credentials.count
        )
    }

    private func revoke(
        _ target: RevocationTarget,
        _ log: EffectLog<Effect>,
        _ scope: Scope,
        _ failures: inout [Failure]
    ) throws(Failure) -> Receipt {
        let now = try provider.inspect(target, by: scope.deadline)
        let earlier = try observationBeforeCrash(of: target.credential.handle)
        let seen = earlier ?? now
        var hasFailed = false
        let steps = provider.plan(target, from: now)
        for step in steps {
            do throws(Failure) {
                try log.apply(Effect(credential: target.credential.handle, step: step, seen: seen)) {
                    () throws(Failure) in try provider.perform(step, on: target, by: scope.deadline)
                }
            } catch {
                failures.append(error)
                hasFailed = hasFailed || provider.isDecisive(step)
            }
        }
        let isAsked = !hasFailed && (earlier != nil || steps.contains(where: provider.isDecisive))
        return try provider.verify(target, since: seen, asked: isAsked, by: scope.deadline)
    }

    /// What was seen before the first step that this case took against the credential, when that was in a run that did
    /// not come to its verdict: without it a resume could only say that the credential was already dead.
    private func observationBeforeCrash(of handle: CredentialHandle) throws(Failure) -> RedisObservation? {
        var seen: RedisObservation?
        for entry in try place.home.journal.entries() {
            if entry.meant.kind == .intent, let what = entry.meant.body["what"],
                what["credential"] == .string("\(handle)")
            {
                if seen == nil { seen = try JSONDecoding.decode(Effect.self, from: what).seen }
            }
            if entry.meant.body["topic"] == "step-ended", entry.meant.body["action"] == "revoke" { seen = nil }
        }
        return seen
    }

    /// Asks the provider.
    public func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        let declared = place.inventory.agents.flatMap { agent in
            agent.credentials.filter { $0.handle == "\(effect.credential)" }.map { (agent, $0) }
        }
        guard let (_, record) = declared.first else { return .cannotTell }
        let target = try RevocationTarget(try DeclaredCredential(record), of: nil)
        switch try provider.probe(effect.step, on: target, by: scope.deadline) {
        case .done: return .done
        case .notDone: return .notDone
        case .partly: return .partly
        case .cannotTell: return .cannotTell
        }
    }

    /// A login that was switched off is switched on again; ended sessions stay ended.
    public func undo(_ effect: Effect) -> Undo<Effect>? {
        guard let step = provider.undo(effect.step) else { return nil }
        let back = Effect(credential: effect.credential, step: step, seen: effect.seen)
        return Undo(back) { [place, provider] scope throws(Failure) in
            let records = place.inventory.agents.flatMap(\.credentials)
            guard let record = records.first(where: { $0.handle == "\(back.credential)" }) else {
                throw Failure(
                    .notFound,
                    "give the credential back",
                    on: "\(back.credential)",
                    because: "the inventory does not declare it any more"
                )
            }
            try provider.perform(
                back.step,
                on: try RevocationTarget(try DeclaredCredential(record), of: nil),
                by: scope.deadline
            )
        }
    }

    /// Only dead is success; everything else is told in the receipts' own sentences.
    public func verify(_ output: Output, in scope: Scope) throws(Failure) -> Engine.Verdict {
        if output.receipts.isEmpty, output.failures.isEmpty {
            return .partly(["the inventory declares no credential of this session; nothing was revoked"])
        }
        let open = output.receipts.filter { $0.verdict != .dead && $0.verdict != .wasAlreadyDead }.map(\.sentence)
        let reasons = open + output.failures.map(\.description)
        if output.areDead { return reasons.isEmpty ? .holds : .partly(reasons) }
        return output.receipts.isEmpty ? .fails(reasons) : .partly(reasons)
    }
}
