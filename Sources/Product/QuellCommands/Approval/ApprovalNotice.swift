import Base
import Casework
import Engine
import Sealing

/// Tells people what waits for their approval: the text to read and sign, and the lines that do it, made of ids alone
/// (RT14).
struct ApprovalNotice {
    private let home: Case

    init(_ home: Case) { self.home = home }

    /// What waits in one run.
    func tell(run: String, _ telling: Teller) throws(Failure) {
        for standing in try ApprovalDesk(home).requests() where standing.request.run == run {
            // What was asked this moment is shown even when the policy gave it no time.
            guard standing.state == .waiting || standing.state == .expired else { continue }
            telling.result(String(standing.request.text.dropLast()))
            tellHow(standing, telling)
        }
    }

    private func tellHow(_ standing: ApprovalStanding, _ telling: Teller) {
        let run = standing.request.run
        let namespace = PayloadType.approval.sshNamespace
        telling.say("waiting      for \(standing.missing.joined(separator: " and "))")
        telling.say("to approve   read the text, save it as \(run).txt, and where your key is:")
        telling.say("             ssh-keygen -Y sign -n \(namespace) -f ~/.ssh/id_ed25519 \(run).txt")
        telling.say("             then here: quell approve \(home.id) \(run).txt.sig")
        telling.say("to refuse    quell deny \(home.id) --run \(run) --reason TEXT")
        telling.say("then         quell resume \(home.id)")
    }

    /// One request for programs.
    static func document(_ standing: ApprovalStanding) -> JSONValue {
        let request = standing.request
        return [
            "run": .string(request.run), "step": .string(request.step), "expires": .string("\(request.expiresAt)"),
            "state": .string(word(standing.state)), "approvedBy": .array(standing.approvers.map { .string($0) }),
            "missing": .array(standing.missing.map { .string($0) }), "untrustedText": .string(request.text),
        ]
    }

    /// How far a request is, in a word.
    static func word(_ state: ApprovalStanding.State) -> String {
        switch state {
        case .waiting: "waiting"
        case .approved: "approved"
        case .denied: "denied"
        case .closed: "closed"
        case .expired: "expired"
        }
    }
}
