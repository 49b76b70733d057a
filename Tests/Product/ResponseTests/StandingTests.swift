import Base
import Casework
import Containment
import Engine
import Glibc
import Kernel
import Sealing
import Testing

@testable import Response

@Suite("what stands of a case")
struct StandingTests {
    private let temporary: TemporaryStore

    init() throws { temporary = try TemporaryStore() }

    private func pin(boot: String) -> SessionPin {
        SessionPin(
            bootID: boot,
            cgroups: [CgroupPin(hierarchy: "v2", path: BytePath("/quell-nothing-here"), inode: 42)],
            leader: ProcessPin(pid: 7, startTicks: 70)
        )
    }

    /// A case that was opened, and whose session was frozen, in another life of this machine.
    private func frozenBeforeReboot() throws -> Case {
        let now = try HostIdentity.read()
        let before = CaseStore(
            at: temporary.root,
            host: HostIdentity(machine: now.machine, bootID: "before"),
            key: temporary.store.key,
            spools: nil
        )
        let pin = pin(boot: "before")
        let home = try before.create(about: [pin], by: .quell)
        let input = PretendedFreeze.Input(
            pin: pin,
            effects: pin.cgroups.map { .freeze(group: $0, requestedBefore: false) },
            word: .confirmed
        )
        #expect(Single(in: home, by: .quell).run(PretendedFreeze(), input).step.state == .succeeded)
        return try temporary.store.open(home.id)
    }

    @Test("after a reboot nothing stands, whatever the journal says, and no command acts on what was")
    func rebooted() throws {
        let home = try frozenBeforeReboot()
        let standing = try CaseStanding(of: try temporary.workplace(of: home))
        #expect(!standing.stands)
        #expect(
            standing.facts == [
                .init(holds: false, text: "the machine was restarted: nothing of before stands")
            ]
        )
        #expect(standing.next == "quell case show \(home.id)")
    }

    @Test("RT20 a run that a reboot interrupted is told, and resuming it is not advised")
    func rebootedInRun() throws {
        let home = try frozenBeforeReboot()
        try home.journal.append([
            EntryDraft(
                note: "run-started",
                ["graph": try JSONEncoding.value(of: StepGraph(name: "none", steps: []))],
                by: .quell,
                run: "run-000000"
            )
        ])
        let standing = try CaseStanding(of: try temporary.workplace(of: home))
        #expect(standing.unfinishedRuns == ["run-000000"])
        #expect(standing.next == "quell case show \(home.id)")
    }
    @Test("a run that a living process is at goes on, and is not called interrupted")
    func live() throws {
        let home = try temporary.store.create(about: [], by: .quell)
        try home.journal.append([
            EntryDraft(
                note: "run-started",
                ["graph": try JSONEncoding.value(of: StepGraph(name: "none", steps: []))],
                by: .quell,
                run: "run-000000"
            )
        ])
        let lock = try home.lock(run: "run-000000", to: "begin the run")
        let during = try CaseStanding(of: try temporary.workplace(of: home))
        #expect(during.liveRuns.map(\.run) == ["run-000000"])
        #expect(during.liveRuns.first?.holder.pid == getpid())
        #expect(during.unfinishedRuns.isEmpty)
        lock.release()
        let after = try CaseStanding(of: try temporary.workplace(of: home))
        #expect(after.liveRuns.isEmpty)
        #expect(after.unfinishedRuns == ["run-000000"])
        #expect(after.next == "quell resume \(home.id)")
    }
}
