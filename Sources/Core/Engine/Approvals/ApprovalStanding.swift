import Base
import Casework
import Sealing

/// What became of one request, read from a verified journal: signatures are checked again each time, nobody's word about
/// them is taken.
public struct ApprovalStanding: Sendable {
    /// How far it is.
    public enum State: Hashable, Sendable {
        /// Not enough persons have approved.
        case waiting
        /// Enough have, and the step has not ended.
        case approved
        /// Somebody said no.
        case denied(by: String, reason: String)
        /// The step has ended, or was asked about anew: no approval counts any more.
        case closed(String)
        /// Its time is over, or the machine was restarted.
        case expired
    }

    /// What was asked.
    public let request: ApprovalRequest
    /// How far it is.
    public let state: State
    /// The names of those who approved, each once, in their order.
    public let approvers: [String]

    /// Who is still missing, a line each.
    public var missing: [String] {
        request.needs.compactMap { need in
            let left = need.approvers - ApprovalStanding.given(need, approvers, request)
            return left > 0 ? "\(left) of role \(need.role)" : nil
        }
    }

    static func given(_ need: ApprovalNeed, _ approvers: [String], _ request: ApprovalRequest) -> Int {
        request.candidates(for: need).filter { approvers.contains($0.name) }.count
    }

    /// All requests of a case, oldest first; `boottime` and `bootID` are this machine's now.
    ///
    /// - Throws: `malformed` for a request that this Quell did not write.
    static func all(
        in journal: VerifiedJournal,
        boottime: Int64,
        bootID: String
    ) throws(Failure) -> [ApprovalStanding] {
        var found: [ApprovalStanding] = []
        var history = ApprovalHistory()
        for entry in journal.entries { try history.take(entry) }
        for (position, request) in history.requests.enumerated() {
            let approvers = history.approvers(of: request)
            let isAskedAnew = history.requests[(position + 1)...].contains {
                $0.run == request.run && $0.step == request.step
            }
            var state = State.waiting
            if let ended = history.ended(request) {
                state = .closed(ended)
            } else if isAskedAnew {
                state = .closed("it was asked anew")
            } else if let denial = history.denials[request.digest] {
                state = .denied(by: denial.name, reason: denial.reason)
            } else if request.host.bootID != bootID || boottime >= request.expires {
                state = .expired
            } else if request.needs.allSatisfy({ given($0, approvers, request) >= $0.approvers }) {
                state = .approved
            }
            found.append(ApprovalStanding(request: request, state: state, approvers: approvers))
        }
        return found
    }
}

/// What the entries of a journal say about approvals.
private struct ApprovalHistory {
    private(set) var requests: [ApprovalRequest] = []
    private(set) var denials: [Digest: (name: String, reason: String)] = [:]
    private var heads: [UInt64: Digest] = [:]
    private var signatures: [Digest: [String]] = [:]
    private var endings: [Digest: String] = [:]

    mutating func take(_ entry: Entry) throws(Failure) {
        heads[entry.sequence] = entry.digest
        switch (entry.kind, entry.topic) {
        case (.note, ApprovalNotes.wanted):
            guard let value = entry.body["request"] else { return }
            let request = try JSONDecoding.decode(ApprovalRequest.self, from: value)
            // What is asked names the history it was asked in; another history's request counts for nothing.
            guard entry.body["text"]?.string == request.text, heads[request.entries] == request.head else { return }
            requests.append(request)
        case (.approval, _):
            guard let digest = entry.body["request"]?.string.flatMap({ Digest(hex: $0) }) else { return }
            if entry.body["decision"]?.string == ApprovalNotes.deny {
                let reason = entry.body["reason"]?.string ?? ""
                denials[digest] = denials[digest] ?? (entry.actor.name, reason)
            } else if let signature = entry.body["signature"]?.string {
                signatures[digest, default: []].append(signature)
            }
        case (.note, "step-ended"):
            let state = entry.body["state"]?.string ?? ""
            close("the step ended: \(state)") { $0.run == entry.run && $0.step == entry.step }
        case (.note, "run-ended"): close("the run ended") { $0.run == entry.run }
        default: return
        }
    }

    /// What was asked before this is over; the same step may ask anew.
    private mutating func close(_ reason: String, where isOver: (ApprovalRequest) -> Bool) {
        for request in requests where isOver(request) { endings[request.digest] = endings[request.digest] ?? reason }
    }

    func ended(_ request: ApprovalRequest) -> String? { endings[request.digest] }

    func approvers(of request: ApprovalRequest) -> [String] {
        var names: [String] = []
        for text in signatures[request.digest] ?? [] {
            guard let person = ApprovalSignature.signer(of: Array(text.utf8), over: request),
                !names.contains(person.name)
            else { continue }
            names.append(person.name)
        }
        return names
    }
}

/// The words of the notes.
enum ApprovalNotes {
    static let wanted = "approval-wanted"
    static let used = "approval-used"
    static let approve = "approve"
    static let deny = "deny"
}
