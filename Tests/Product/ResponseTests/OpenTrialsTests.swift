import Base
import Casework
import Containment
import Engine
import Glibc
import Kernel
import Testing

@testable import Response

@Suite("groups of self-tests that were left begun")
struct OpenTrialsTests {
    @Test("one that does not go is told, costs the action nothing, and the next one goes all the same")
    func told() throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(by: Responder("test", by: .stated))
        // A recorded group that is not empty goes as little as one in which a process dies slowly.
        let groups = "cgroup/unified/session"
        let folders = ["proc", "\(groups)/full/within", "\(groups)/empty"]
        for folder in folders { make(folder, below: temporary.root) }
        let host = try Host(recordedAt: temporary.root)
        let parent = try Cgroup(BytePath("/session"), in: try #require(host.unified)).pin
        let ends = ["full", "empty"].map { ContainmentEffect.endTrial(parent: parent, name: $0) }

        let action = EndingTrials(host: host)
        let input = EndingTrials.Input(pin: SessionPin(bootID: "b", cgroups: [parent], leader: nil), ends: ends)
        let result = Single(in: home, by: Responder("test", by: .stated)).run(action, input)
        #expect(result.step.state == .succeeded)
        let failures = try #require(result.output).failures
        #expect(failures.map(\.errno) == [ENOTEMPTY], "\(failures)")
        #expect(try ends.map { effect in try effect.probe(on: host) } == [.notDone, .done])
    }

    private func make(_ path: String, below root: BytePath) {
        var folder = root
        for component in path.split(separator: "/") {
            folder = folder.appending(String(component))
            _ = folder.withCString { mkdir($0, 0o700) }
        }
    }
}

/// An action that has done its work and ends what was left.
private struct EndingTrials: Action {
    struct Input: Codable, Sendable {
        var pin: SessionPin
        var ends: [ContainmentEffect]
    }

    struct Output: Codable, Sendable {
        var failures: [Failure]
    }

    let host: Host

    static let descriptor = ActionDescriptor(
        name: ReleaseAction.descriptor.name,
        summary: "end what was left",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(5)
    )

    func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Input> {
        Observation(target: input, pins: [input.pin], decisions: [])
    }

    func plan(_ input: Input, from seen: Observation<Input>) -> Plan<Input, ContainmentEffect> {
        Plan(target: input, effects: input.ends)
    }

    func perform(
        _ plan: Plan<Input, ContainmentEffect>,
        permit: borrowing Permit,
        log: EffectLog<ContainmentEffect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        Output(failures: OpenTrials.end(plan.effects, on: host, log))
    }

    func probe(_ effect: ContainmentEffect, in scope: Scope) throws(Failure) -> EffectState {
        EffectState(try effect.probe(on: host))
    }
}
