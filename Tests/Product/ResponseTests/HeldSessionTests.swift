import Base
import Casework
import Containment
import Engine
import Sealing
import Sessions
import Testing

@testable import Response

@Suite("what is held of a session, as the journal tells it")
struct HeldSessionTests {
    let temporary: TemporaryStore
    let home: Case
    let responder = Responder("test", by: .stated)
    let group = CgroupPin(hierarchy: "v2", path: BytePath("/a7"), inode: 42)
    let quarantine = CgroupPin(hierarchy: "v2", path: BytePath("/quell-0123456789abcdef"), inode: 43)
    let stray = ProcessPin(pid: 9, startTicks: 90)
    let pin: SessionPin

    init() throws {
        temporary = try TemporaryStore()
        home = try temporary.store.create(by: responder)
        pin = SessionPin(bootID: "b", cgroups: [group], leader: ProcessPin(pid: 7, startTicks: 70))
    }

    private func pretend(_ effects: [ContainmentEffect], of session: SessionPin? = nil, _ word: FreezeWord = .confirmed)
    {
        let input = PretendedFreeze.Input(pin: session ?? pin, effects: effects, word: word)
        let result = Single(in: home, by: responder).run(PretendedFreeze(), input)
        #expect(result.step.state == .succeeded)
        #expect(result.journalFailure == nil)
    }

    @Test("effects that were done stand, in their order")
    func stands() throws {
        let effects: [ContainmentEffect] = [
            .freeze(group: group, requestedBefore: false), .attachDrop(group: group, program: 5),
        ]
        pretend(effects)
        let held = try HeldSession(of: pin, in: home)
        #expect(held.effects == effects)
        #expect(held.frozenGroups == [group])
        #expect(held.drops == [Drop(group: group, program: 5)])
        #expect(held.members == [ProcessPin(pid: 7, startTicks: 70)])
    }

    @Test("an effect that was taken back stands no more, and the others do")
    func takenBack() throws {
        let moved = ContainmentEffect.move(process: stray, from: group, to: quarantine)
        pretend([
            .freeze(group: group, requestedBefore: true), .attachDrop(group: group, program: 5), moved,
        ])
        pretend([.thaw(group: group), .move(process: stray, from: quarantine, to: group)])
        let held = try HeldSession(of: pin, in: home)
        #expect(held.effects == [.attachDrop(group: group, program: 5)])
        #expect(held.frozenGroups.isEmpty)
    }

    @Test("a session that is frozen twice was frozen by us, not by somebody before, and one thaw ends it")
    func frozenTwice() throws {
        pretend([.freeze(group: group, requestedBefore: false), .attachDrop(group: group, program: 5)])
        pretend([.freeze(group: group, requestedBefore: true), .attachDrop(group: group, program: 5)])
        let first = ContainmentEffect.freeze(group: group, requestedBefore: false)
        #expect(try HeldSession(of: pin, in: home).effects == [first, .attachDrop(group: group, program: 5)])
        pretend([.thaw(group: group)])
        #expect(try HeldSession(of: pin, in: home).frozenGroups.isEmpty)
    }

    @Test("RT4 supervisors are held apart: no kill reaches their group, and what lets them go takes them back")
    func supervisors() throws {
        let holds = CgroupPin(hierarchy: "v2", path: BytePath("/quell-fedcba9876543210"), inode: 44)
        let root = CgroupPin(hierarchy: "v2", path: BytePath("/"), inode: 1)
        let make = ContainmentEffect.makeHold(hierarchy: "v2", name: "quell-fedcba9876543210")
        let hold = ContainmentEffect.hold(process: stray, from: root, into: holds)
        pretend([.freeze(group: group, requestedBefore: false), make, hold])
        let held = try HeldSession(of: pin, in: home)
        #expect(held.supervisors == [stray] && held.holds == [make, hold])
        #expect(held.frozenGroups == [group] && held.ownGroups.isEmpty && held.made.namedHolds.isEmpty)
        #expect(held.everything?.groups.contains { $0.group == holds } == false)

        pretend([.letGo(process: stray, from: holds, to: root)])
        #expect(try HeldSession(of: pin, in: home).supervisors.isEmpty)
        pretend([.removeGroup(group: holds)])
        let after = try HeldSession(of: pin, in: home)
        #expect(after.effects == [.freeze(group: group, requestedBefore: false)])
    }

    @Test("RT34 a group for supervisors of which nothing but the name is on record is known by it")
    func emptyHold() throws {
        pretend([.makeHold(hierarchy: "v2", name: "quell-fedcba9876543210")])
        let named = try HeldSession(of: pin, in: home).made.namedHolds
        #expect(named == [MadeGroups.Named(hierarchy: "v2", name: "quell-fedcba9876543210")])
    }

    @Test("what was done to another session is not held of this one")
    func otherSession() throws {
        let other = SessionPin(
            bootID: "b",
            cgroups: [CgroupPin(hierarchy: "v2", path: BytePath("/a7"), inode: 99)],
            leader: ProcessPin(pid: 7, startTicks: 71)
        )
        pretend([.freeze(group: group, requestedBefore: false)], of: other)
        #expect(try HeldSession(of: pin, in: home).effects.isEmpty)
        #expect(try HeldSession(of: other, in: home).effects.count == 1)
    }

    @Test("a group of Quell's own is known by its inode from the effects, never by name alone")
    func ownGroups() throws {
        pretend([
            .makeGroup(hierarchy: "v2", name: "quell-0123456789abcdef"),
            .freeze(group: quarantine, requestedBefore: false),
            .freeze(group: group, requestedBefore: false),
        ])
        #expect(try HeldSession(of: pin, in: home).ownGroups == [quarantine])
    }

    @Test("the last freeze is the one that counts")
    func lastFreeze() throws {
        pretend([.freeze(group: group, requestedBefore: false)], .partial)
        pretend([.attachDrop(group: group, program: 6)], .confirmed)
        #expect(try HeldSession(of: pin, in: home).lastFreeze?.word == .confirmed)
    }

    @Test("with a group of Quell's that is removed goes everything that was done to it")
    func removed() throws {
        pretend([
            .freeze(group: group, requestedBefore: false),
            .makeGroup(hierarchy: "v2", name: "quell-0123456789abcdef"),
            .freeze(group: quarantine, requestedBefore: false), .attachDrop(group: quarantine, program: 5),
            .move(process: stray, from: group, to: quarantine), .removeGroup(group: quarantine),
        ])
        #expect(try HeldSession(of: pin, in: home).effects == [.freeze(group: group, requestedBefore: false)])
    }

    @Test("what was done in part is held, because that part has to be taken back")
    func partly() throws {
        func draft(_ kind: Entry.Kind, _ body: JSONValue) -> EntryDraft {
            EntryDraft(kind, body, by: responder, run: "run-1", step: "freeze")
        }
        let effect = ContainmentEffect.freeze(group: group, requestedBefore: false)
        try home.journal.append([
            draft(.note, ["topic": "step-started", "pins": try JSONEncoding.value(of: [pin])]),
            draft(.intent, ["effect": 0, "what": try JSONEncoding.value(of: effect)]),
            draft(.outcome, ["effect": 0, "state": "partly"]),
        ])
        #expect(try HeldSession(of: pin, in: home).frozenGroups == [group])
    }

    @Test("RT11 the group of the guests is Quell's own and holds nobody of the session")
    func guests() throws {
        let aside = CgroupPin(hierarchy: "v2", path: BytePath("/quell-1111111111111111"), inode: 44)
        pretend([
            .makeGroup(hierarchy: "v2", name: "quell-0123456789abcdef"),
            .freeze(group: quarantine, requestedBefore: false),
            .move(process: stray, from: group, to: quarantine),
            .makeGroup(hierarchy: "v2", name: "quell-1111111111111111"),
            .move(process: ProcessPin(pid: 11, startTicks: 110), from: group, to: aside),
        ])
        let held = try HeldSession(of: pin, in: home)
        #expect(held.ownGroups == [quarantine, aside])
        #expect(held.quarantines == [quarantine])
        #expect(held.moved == [stray])
    }

    @Test("a kill reaches the groups of every freeze that still holds, not only of the last one")
    func everything() throws {
        pretend([.freeze(group: quarantine, requestedBefore: false)])
        pretend([.freeze(group: group, requestedBefore: false)])
        let everything = try #require(try HeldSession(of: pin, in: home).everything)
        #expect(everything.groups.map(\.group) == [quarantine, group])
    }

    @Test("RT20 a journal that does not hold is read for telling and never acted upon")
    func notVerified() throws {
        pretend([.freeze(group: group, requestedBefore: false)])
        let stranger = try CaseStore(
            at: temporary.root,
            host: try HostIdentity.read(),
            key: try SigningKey.generate(),
            spools: nil
        ).open(home.id)
        #expect(try HeldSession(of: pin, in: stranger).frozenGroups == [group])
        let failure = #expect(throws: Failure.self) { _ = try HeldSession(actingOn: pin, in: stranger, probe: unknown) }
        #expect(failure?.code == .notVerified)
        #expect(try HeldSession(actingOn: pin, in: home, probe: unknown).frozenGroups == [group])
    }

    @Test("a session that nothing was done to has a refusal that says so")
    func nothing() throws {
        let held = try HeldSession(of: pin, in: home)
        let failure = held.notHeld("kill the session", SessionReference(locator: .pid(7), pin: pin), in: home)
        #expect(failure.code == .refused)
        #expect(failure.subject == "pid:7")
        #expect(failure.reason == "no freeze of it is on record in this case")
    }

    @Test("a freeze that did not come to its end is told as that, with the command that takes it up")
    func interrupted() throws {
        let begun = PretendedFreeze.Input(
            pin: pin,
            effects: [.freeze(group: group, requestedBefore: false)],
            word: .confirmed,
            isInterrupted: true
        )
        #expect(Single(in: home, by: responder).run(PretendedFreeze(), begun).step.state == .failed)
        let held = try HeldSession(of: pin, in: home)
        #expect(held.lastFreeze == nil && held.frozenGroups == [group])
        let named = SessionReference(locator: .pid(7), pin: pin)
        let failure = held.notHeld("kill the session", named, in: home)
        #expect(failure.reason.contains("did not come to its end"))
        #expect(failure.hint == "quell freeze pid:7 --case \(home.id)")
        let gone = SessionPin(bootID: "b", cgroups: [group], leader: nil)
        #expect(gone.hint("freeze", in: home.id) == "quell status \(home.id)")
    }
}

extension HeldSession {
    /// With a world that cannot be asked: only what the journal says counts.
    fileprivate init(of pin: SessionPin, in home: Case) throws {
        try self.init(of: pin, entries: try home.journal.entries()) { (_) throws(Failure) in .cannotTell }
    }
}

/// The groups and processes of these tests are nobody's, so the world tells nothing of them.
private func unknown(_ effect: ContainmentEffect) throws(Failure) -> ContainmentEffectState { .cannotTell }
