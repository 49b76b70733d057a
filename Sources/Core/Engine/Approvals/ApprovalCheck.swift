import Base
import Casework
import Sealing

/// Asks, right before a step acts, whether those who have to approve it have, and asks them when nobody did yet.
struct ApprovalCheck: Sendable {
    let home: Case
    let approvals: Approvals
    let actor: Responder
    let reason: String
    let clock: Clock

    /// What a step is about to do.
    struct Act {
        let run: String
        let step: String
        /// What it amounts to; the first is the action itself.
        let descriptors: [ActionDescriptor]
        let parameters: JSONValue
        let pins: [SessionPin]
        let decisions: [String]
        let basis: Basis

        /// What stands in for promise 2; its digest covers a waiver, but not which capture counts: a better one voids nothing.
        enum Basis {
            case none
            case state
            case capture(CaptureRecord)
            case waiver(String)
        }
    }

    /// How a step may go on.
    enum Answer {
        /// No rule asks for approval.
        case free
        /// Enough persons approved this.
        case approved(ApprovalRequest)
        /// Not yet.
        case waiting(ApprovalStanding)
    }

    /// `flush` puts on disk what the step has to say so far, because the request names the head of the journal.
    ///
    /// - Throws: `refused` when somebody said no, or when there are too few who could approve; whatever keeps policy and
    ///   trust from being read.
    func answer(_ act: Act, flush: ([EntryDraft]) throws(Failure) -> Void) throws(Failure) -> Answer {
        guard act.descriptors.contains(where: { $0.nature != .contains }) else { return .free }
        let authority = try approvals.authority()
        let rules = authority.policy.rules(for: act.descriptors)
        guard !rules.isEmpty else { return .free }
        let envelope = try self.envelope(of: act)
        if let known = try standing(of: act) {
            let isSame = known.request.envelope == envelope && known.request.needs == rules.map(\.need)
            switch known.state {
            case .denied(let name, let reason): throw refusal(act, "\(name) denied it: \(reason)")
            case .approved where isSame: return .approved(known.request)
            case .waiting where isSame: return .waiting(known)
            default: break
            }
        }
        try flush([])
        let request = try request(for: act, envelope, rules, authority.trust)
        let body: JSONValue = ["request": try JSONEncoding.value(of: request), "text": .string(request.text)]
        let note = EntryDraft(note: ApprovalNotes.wanted, body, by: actor, run: act.run, step: act.step)
        try flush([note])
        return .waiting(ApprovalStanding(request: request, state: .waiting, approvers: []))
    }

    /// Why the step has to wait; `nil` when it may go on, and then its record says by whose leave.
    func failure(of act: Act, _ record: StepRecord) throws(Failure) -> Failure? {
        switch try answer(act, flush: { drafts throws(Failure) in try record.close(drafts) }) {
        case .free: return nil
        case .approved(let request):
            record.add(record.note(ApprovalNotes.used, ["request": .string(request.digest.hex)]))
            return nil
        case .waiting(let standing): return standing.failure(in: home)
        }
    }

    /// The newest request about the step.
    private func standing(of act: Act) throws(Failure) -> ApprovalStanding? {
        let journal = try home.journal.verify().verified(of: home.id)
        return try ApprovalStanding.all(in: journal, boottime: approvals.boottime(), bootID: home.host.bootID)
            .last { $0.request.run == act.run && $0.request.step == act.step }
    }

    private func envelope(of act: Act) throws(Failure) -> Digest {
        var waiver: JSONValue = .null
        if case .waiver(let reason) = act.basis { waiver = .string(reason) }
        let bound: JSONValue = [
            "actions": .array(act.descriptors.map { .string($0.name) }),
            "decisions": .array(act.decisions.map(JSONValue.string)), "parameters": act.parameters,
            "pins": try JSONEncoding.value(of: act.pins), "waiver": waiver,
        ]
        return SHA256.digest(of: CanonicalJSON.bytes(of: bound))
    }

    private func request(
        for act: Act,
        _ envelope: Digest,
        _ rules: [Policy.Rule],
        _ trust: TrustList
    ) throws(Failure) -> ApprovalRequest {
        let journal = try home.journal.verify().verified(of: home.id)
        let within = rules.map(\.within).min() ?? .zero
        let now = clock.now()
        let request = ApprovalRequest(
            caseID: home.id.text,
            run: act.run,
            step: act.step,
            action: act.descriptors.map { "\($0.name) (\($0.nature.rawValue))" }.joined(separator: ", "),
            pins: act.pins,
            decisions: act.decisions,
            reason: reason,
            evidence: act.basis.words,
            envelope: envelope,
            requester: requesters(of: act, journal),
            host: home.host,
            entries: UInt64(journal.entries.count),
            head: journal.head,
            needs: rules.map(\.need),
            persons: trust.standing(at: now).persons,
            expiresAt: now.advanced(by: within),
            expires: approvals.boottime() + within.wholeNanoseconds / 1_000_000
        )
        for need in request.needs where request.candidates(for: need).count < need.approvers {
            throw refusal(
                act,
                "the policy wants \(need.approvers) of role \(need.role), and the trust file names "
                    + "\(request.candidates(for: need).count) who may approve it now"
            )
        }
        return request
    }

    /// Whoever began the run asks, too, whoever resumes it.
    private func requesters(of act: Act, _ journal: VerifiedJournal) -> [String] {
        var names = approvals.requester
        for entry in journal.entries where entry.run == act.run && entry.topic == "run-started" {
            if !names.contains(entry.actor.name) { names.append(entry.actor.name) }
        }
        return names
    }

    private func refusal(_ act: Act, _ reason: String) -> Failure {
        Failure(.refused, act.descriptors.first?.name ?? act.step, on: "step \(act.step)", because: reason)
    }
}

extension ApprovalCheck.Act.Basis {
    init(_ basis: Permit.Basis) {
        self =
            switch basis {
            case .notNeeded: .none
            case .stateInIntents: .state
            case .capture(let capture): .capture(capture)
            case .waiver(let waiver): .waiver(waiver.reason)
            }
    }

    fileprivate var words: String {
        switch self {
        case .none: "none is needed"
        case .state: "the state before is written down first"
        case .capture(let capture): "\(capture.profile.rawValue) capture \(capture.bundle), root \(capture.root.hex)"
        case .waiver(let reason): "none that counts; waived: \(reason)"
        }
    }
}

extension ApprovalStanding {
    /// How a step is told that waits.
    func failure(in home: Case) -> Failure {
        Failure(
            .waiting,
            request.step,
            on: "run \(request.run)",
            because: "it waits for the approval of \(missing.joined(separator: " and "))",
            hint: "quell approve \(home.id) --show"
        )
    }
}
