import Base
import Bundles
import Casework
import Containment
import Engine
import Evidence
import Kernel
import Sealing
import Testing

@testable import Response

/// RT33: what was imported lies in the case and never takes the place of a capture.
@Suite("Imports in a case")
struct ForeignEvidenceTests {
    let temporary: TemporaryStore
    let home: Case
    let responder = Responder("test", by: .stated)
    let group = CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: 7)
    let pin: SessionPin

    init() throws {
        temporary = try TemporaryStore()
        home = try temporary.store.create(by: responder)
        pin = SessionPin(bootID: "b", cgroups: [group], leader: ProcessPin(pid: 7, startTicks: 70))
    }

    private func bring() throws -> SealedImport {
        // Any regular file will do: it need not be understood to be sealed.
        let evidence = ForeignEvidence(key: temporary.store.key, responder: responder, authority: nil, version: "test")
        return try evidence.seal(ImportOrder(path: BytePath(#filePath)), in: home)
    }

    private func kill() throws -> SingleResult<String> {
        let frozen = PretendedFreeze.Input(
            pin: pin,
            effects: [.freeze(group: group, requestedBefore: false)],
            word: .confirmed
        )
        #expect(Single(in: home, by: responder).run(PretendedFreeze(), frozen).step.state == .succeeded)
        let keys = temporary.store.key.map { [$0.verifyingKey] } ?? []
        let home = home
        let single = Single(in: home, by: responder) { record throws(Failure) in
            _ = try BundleJudge.verify(record, in: home, trusting: keys)
        }
        return single.run(PretendedKill(), PretendedKill.Input(pin: pin))
    }

    @Test("RT33 an import is recorded as one, names no session, and a kill goes on being refused")
    func refused() throws {
        let sealed = try bring()
        let record = try #require(try home.captures().last)
        #expect(record.bundle == "\(home.id)-1" && record.root == sealed.bundle.root)
        #expect(record.purpose == .foreign && record.pins.isEmpty && !record.isComplete)
        let result = try kill()
        #expect(result.outcome == .refused)
        #expect(result.step.failure?.reason.contains("does not count") == true, "\(result.step)")
    }

    @Test(
        "RT33 a record that says of an imported bundle that it is a capture does not make it one: its seal says otherwise"
    )
    func forged() throws {
        let sealed = try bring()
        for purpose in [CaptureRecord.Purpose.incident, .foreign] {
            let forged = CaptureRecord(
                bundle: "\(home.id)-1",
                root: sealed.bundle.root,
                pins: [pin],
                profile: .full,
                purpose: purpose,
                isComplete: true
            )
            let frozenFirst = try kill()
            #expect(frozenFirst.outcome == .refused)
            try home.record(forged, by: responder)
            let result = try kill()
            #expect(result.outcome == .refused)
            #expect(result.step.failure?.reason.contains("imported") == true, "\(result.step)")
        }
    }

    @Test("RT33 an import of no case has a seal of its own predicate type, and a closed case takes none")
    func closed() throws {
        let evidence = ForeignEvidence(key: nil, responder: responder, authority: nil, version: "test")
        let order = ImportOrder(path: BytePath(#filePath))
        let target = temporary.root.appending("alone")
        let sealed = try evidence.seal(order, named: "import-1", to: target)
        #expect(!sealed.bundle.isSigned)
        #expect(try UnverifiedBundle.seal(in: target, signedBy: []).purpose == .imported)
        try home.close(because: "done", by: responder)
        #expect(throws: Failure.self) { try evidence.seal(order, in: home) }
    }
}

/// Asks the gate as a kill does, and touches nothing.
struct PretendedKill: Action {
    struct Input: Codable, Sendable {
        var pin: SessionPin
    }

    static let descriptor = ActionDescriptor(
        name: KillAction.descriptor.name,
        summary: "pretend",
        nature: .destroys,
        lane: .containment,
        deadline: .seconds(5),
        hold: .ends
    )

    func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Input> {
        Observation(target: input, pins: [input.pin], decisions: [])
    }

    func plan(_ input: Input, from seen: Observation<Input>) -> Plan<Input, ContainmentEffect> {
        Plan(target: input, effects: [])
    }

    func perform(
        _ plan: Plan<Input, ContainmentEffect>,
        permit: borrowing Permit,
        log: EffectLog<ContainmentEffect>,
        in scope: Scope
    ) throws(Failure) -> String { "killed" }

    func probe(_ effect: ContainmentEffect, in scope: Scope) throws(Failure) -> EffectState { .cannotTell }
}
