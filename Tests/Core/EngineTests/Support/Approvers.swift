import Base
import Casework
import Engine
import Sealing
import Synchronization
import Testing

/// People with keys, and a policy over them.
struct Approvers {
    let keys: [String: SigningKey]
    let trust: TrustList
    let clock: Boottime

    /// A clock that a test moves.
    final class Boottime: Sendable {
        private let value = Mutex<Int64>(1_000_000)
        func advance(by milliseconds: Int64) { value.withLock { $0 += milliseconds } }
        func now() -> Int64 { value.withLock { $0 } }
    }

    /// Ada and Bob are leads, Ada with two keys; Eve is an auditor; Old's time is over.
    init() throws {
        var keys: [String: SigningKey] = [:]
        for name in ["ada", "ada-2", "bob", "eve", "old"] { keys[name] = try SigningKey.generate() }
        func key(_ name: String) throws -> TrustedPerson.Key {
            TrustedPerson.Key(SSHPublicKey(try #require(keys[name]).verifyingKey))
        }
        let over = Validity(to: Instant(seconds: 1))
        trust = TrustList([
            TrustedPerson(name: "ada", roles: ["lead"], keys: [try key("ada"), try key("ada-2")]),
            TrustedPerson(name: "bob", roles: ["lead", "auditor"], keys: [try key("bob")]),
            TrustedPerson(name: "eve", roles: ["auditor"], keys: [try key("eve")]),
            TrustedPerson(name: "old", roles: ["lead"], validity: over, keys: [try key("old")]),
        ])
        self.keys = keys
        clock = Boottime()
    }

    func approvals(
        _ needs: [ApprovalNeed],
        for actions: Set<String> = ["revoke"],
        natures: Set<Nature> = [],
        requester: [String] = ["ada"],
        within: Duration = .seconds(60)
    ) -> Approvals {
        let rules = needs.map { Policy.Rule(actions: actions, natures: natures, need: $0, within: within) }
        return Approvals(requester: requester, boottime: time) { [trust] () throws(Failure) in
            Authority(Policy(rules), trust)
        }
    }

    var time: @Sendable () -> Int64 { { [clock] in clock.now() } }

    func desk(_ home: Case) -> ApprovalDesk { ApprovalDesk(home, boottime: time) }

    func signature(of name: String, over request: ApprovalRequest, as type: PayloadType = .approval) throws -> [UInt8] {
        try signature(of: name, overText: request.text, as: type)
    }

    func signature(of name: String, overText text: String, as type: PayloadType = .approval) throws -> [UInt8] {
        Array(try SSHSignature.sign(Array(text.utf8), as: type, with: try #require(keys[name])).text.utf8)
    }
}

extension Scene {
    /// A run that wants approvals, up to where it waits.
    func waiting(
        _ approvers: Approvers,
        _ needs: [ApprovalNeed] = [ApprovalNeed(1, of: "lead")],
        _ steps: [StepGraph.Step] = [step("revoke", ["b"])]
    ) throws -> (context: RunContext, result: RunResult, request: ApprovalRequest) {
        var context = try context(home())
        context.approvals = approvers.approvals(needs)
        context.reason = "it was a false alarm"
        let result = try Runner(context).run(StepGraph(name: "g", steps: steps))
        let request = try #require(try approvers.desk(context.home).open().first).request
        return (context, result, request)
    }
}
