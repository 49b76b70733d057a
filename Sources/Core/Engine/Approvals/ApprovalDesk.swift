public import Base
public import Casework
import Sealing

/// Where approvals and denials are handed in.
public struct ApprovalDesk: Sendable {
    private let home: Case
    private let boottime: @Sendable () -> Int64

    /// Takes the case; `boottime` is for tests.
    public init(_ home: Case, boottime: @escaping @Sendable () -> Int64 = Approvals.kernelBoottime) {
        self.home = home
        self.boottime = boottime
    }

    /// All requests of the case, oldest first.
    ///
    /// - Throws: `notVerified` when the journal does not hold.
    public func requests() throws(Failure) -> [ApprovalStanding] {
        let journal = try home.journal.verify().verified(of: home.id)
        return try ApprovalStanding.all(in: journal, boottime: boottime(), bootID: home.host.bootID)
    }

    /// Those that somebody can still do something about: neither closed nor expired, and not denied.
    ///
    /// - Throws: `notVerified` when the journal does not hold.
    public func open() throws(Failure) -> [ApprovalStanding] {
        try requests().filter { $0.state == .waiting || $0.state == .approved }
    }

    /// Takes a signature that `ssh-keygen -Y sign` made over the text of a request, and records it. The text tells which
    /// request it is.
    ///
    /// - Throws: `malformed` when it is no signature; `refused` when it is over none of the requests of this case, over one
    ///   that is closed, denied or expired, by somebody who may not approve it or has already.
    public func approve(_ signature: [UInt8], by actor: Responder) throws(Failure) -> ApprovalStanding {
        try requireThisLife()
        let parsed = try SSHSignature(parsing: signature)
        let known = try requests()
        var reason = "this case has asked for no approval"
        for standing in known.reversed() {
            do throws(Failure) {
                let key = try ApprovalSignature.key(of: parsed, over: standing.request)
                let person = try approver(standing, key)
                try record(standing.request, person, key, signature, by: actor)
                return try requests().first { $0.request == standing.request } ?? standing
            } catch {
                guard error.code == .notVerified else { throw error }
                reason = "it is over no text that this case has asked about: \(error.reason)"
            }
        }
        throw refusal(home.id.text, reason)
    }

    /// Says no to a request, which closes it: the step is refused when it comes to its turn again.
    ///
    /// - Throws: `refused` when the request is closed or denied.
    public func deny(_ request: ApprovalRequest, because reason: String, by actor: Responder) throws(Failure) {
        try requireThisLife()
        for standing in try requests() where standing.request == request { try requireOpen(standing) }
        let body: JSONValue = [
            "decision": .string(ApprovalNotes.deny), "reason": .string(reason), "request": .string(request.digest.hex),
        ]
        try home.journal.append([EntryDraft(.approval, body, by: actor, run: request.run, step: request.step)])
    }

    /// Who signed, when that person may.
    private func approver(_ standing: ApprovalStanding, _ key: SSHPublicKey) throws(Failure) -> TrustedPerson {
        let request = standing.request
        try requireOpen(standing)
        guard let person = TrustList(request.persons).owner(of: key) else {
            throw refusal(request.run, "the trust file named nobody with the key \(key.fingerprint) when it was asked")
        }
        if standing.approvers.contains(person.name) {
            throw refusal(request.run, "\(person.name) has approved it already, and persons are counted, not keys")
        }
        let needs = request.needs.filter { person.roles.contains($0.role) }
        guard !needs.isEmpty else {
            let roles = Set(request.needs.map(\.role)).sorted().joined(separator: " or ")
            throw refusal(request.run, "\(person.name) is not of role \(roles)")
        }
        guard needs.contains(where: \.mayBeRequester) || !request.isRequester(person) else {
            throw refusal(request.run, "\(person.name) asked for it, and the policy wants somebody else")
        }
        return person
    }

    private func requireOpen(_ standing: ApprovalStanding) throws(Failure) {
        switch standing.state {
        case .waiting, .approved: return
        case .denied(let name, _): throw refusal(standing.request.run, "\(name) denied it")
        case .closed(let reason): throw refusal(standing.request.run, "it counts no more: \(reason)")
        case .expired: throw refusal(standing.request.run, "it expired at \(standing.request.expiresAt)")
        }
    }

    private func record(
        _ request: ApprovalRequest,
        _ person: TrustedPerson,
        _ key: SSHPublicKey,
        _ signature: [UInt8],
        by actor: Responder
    ) throws(Failure) {
        let body: JSONValue = [
            "decision": .string(ApprovalNotes.approve), "key": .string(key.fingerprint), "person": .string(person.name),
            "request": .string(request.digest.hex), "signature": .string(String(decoding: signature, as: UTF8.self)),
        ]
        try home.journal.append([EntryDraft(.approval, body, by: actor, run: request.run, step: request.step)])
    }

    /// A request belongs to one life of one machine (RT20).
    private func requireThisLife() throws(Failure) {
        guard try home.opening().host == home.host else {
            throw refusal(home.id.text, "the case was opened on another machine, or before it was restarted")
        }
    }

    private func refusal(_ subject: String, _ reason: String) -> Failure {
        Failure(.refused, "approve", on: subject, because: reason, hint: "quell status \(home.id)")
    }
}
