public import Base
public import Casework
public import Sealing

/// One question to those who may approve, about one step of one run. ``text`` is what they are shown, and exactly its
/// bytes are what they sign: case, run, step, host, head of the journal and expiry stand in it (RT17).
public struct ApprovalRequest: Hashable, Sendable, Codable {
    /// The case.
    public let caseID: String
    /// The run.
    public let run: String
    /// The step.
    public let step: String
    /// The action, with its nature; when it amounts to more than one, all of them.
    public let action: String
    /// The sessions it is about.
    public let pins: [SessionPin]
    /// What was decided, a line each.
    public let decisions: [String]
    /// Why, in the words of who asks.
    public let reason: String
    /// What stands in for promise 2: a capture, a waiver, the state before.
    public let evidence: String
    /// SHA-256 over action, parameters, pins, decisions and waiver: what an approval covers, and nothing else.
    public let envelope: Digest
    /// The names of who asks.
    public let requester: [String]
    /// The machine, in its present life.
    public let host: HostIdentity
    /// How many entries the journal had.
    public let entries: UInt64
    /// The digest of the last of them.
    public let head: Digest
    /// Who has to approve.
    public let needs: [ApprovalNeed]
    /// Who may: the trust file as it stood when this was asked.
    public let persons: [TrustedPerson]
    /// When it expires, by the wall clock, for people.
    public let expiresAt: Instant
    /// When it expires, in milliseconds since boot.
    public let expires: Int64
}

extension ApprovalRequest {
    /// What is shown and signed. Free text is escaped, so that each line is what its first word says.
    public var text: String {
        var lines = [
            "quell asks for approval (1)", line("case", caseID), line("run", run), line("step", step),
            line("action", action),
        ]
        for pin in pins { lines.append(line("session", ApprovalRequest.words(pin))) }
        for decision in decisions { lines.append(line("decided", decision)) }
        lines += [
            line("reason", reason.isEmpty ? "none given" : reason), line("evidence", evidence),
            line("asked by", requester.joined(separator: ", ")),
            line("host", "machine \(host.machine.isEmpty ? "without id" : host.machine), boot \(host.bootID)"),
            line("journal", "\(entries) entries, head \(head.hex)"), line("envelope", envelope.hex),
            line("trust", trust.hex),
        ]
        for need in needs { lines.append(line("needs", words(need))) }
        lines.append(line("expires", "\(expiresAt), \(expires) ms after boot"))
        return lines.joined(separator: "\n") + "\n"
    }

    /// The digest of ``text``, by which the journal names the request.
    public var digest: Digest { SHA256.digest(of: Array(text.utf8)) }

    /// Who may give `need`.
    public func candidates(for need: ApprovalNeed) -> [TrustedPerson] {
        persons.filter { $0.roles.contains(need.role) && (need.mayBeRequester || !isRequester($0)) }
    }

    /// Whether the person asked.
    public func isRequester(_ person: TrustedPerson) -> Bool { requester.contains(where: person.isKnown) }

    private func line(_ word: String, _ text: String) -> String {
        word + String(repeating: " ", count: max(1, 10 - word.count)) + Escaped.terminal(text)
    }

    private func words(_ need: ApprovalNeed) -> String {
        let among = need.mayBeRequester ? ", who asked may be among them" : ""
        return "\(need.approvers) of role \(need.role)\(among): "
            + candidates(for: need).map(\.name).joined(separator: ", ")
    }

    /// The digest of who could have approved.
    private var trust: Digest {
        var lines: [String] = []
        for person in persons {
            let keys = person.keys.map(\.key.fingerprint).joined(separator: " ")
            lines.append("\(person.name) \(person.roles.joined(separator: " ")) \(keys)\n")
        }
        return SHA256.digest(of: Array(lines.joined().utf8))
    }

    private static func words(_ pin: SessionPin) -> String {
        let groups = pin.cgroups.map { "\($0.hierarchy) \($0.path) inode \($0.inode)" }
        let leader = pin.leader.map { ["leader \($0.pid) started at tick \($0.startTicks)"] } ?? []
        return (groups + leader).joined(separator: ", ")
    }
}
