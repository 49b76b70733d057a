import Base
import Testing

@testable import Containment

@Suite("family")
struct FamilyTests {
    /// Pid, parent, start; the kernel session is the pid itself unless told.
    private func process(
        _ pid: Int32,
        under parent: Int32,
        at start: UInt64,
        session: Int32? = nil,
        inside: Bool = false,
        marked: Bool = false,
        namespace: UInt64 = 0
    ) -> ScannedProcess {
        ScannedProcess(
            pid: pid,
            startTicks: start,
            parent: parent,
            session: session ?? pid,
            threads: 1,
            isInside: inside,
            isMarked: marked,
            pidNamespace: namespace
        )
    }

    private func family(
        _ processes: [ScannedProcess],
        leader: Int32? = 100,
        responder: [Int32] = [50],
        change: (inout Family.Knowledge) -> Void = { _ in }
    ) -> Family {
        let machine = [
            process(1, under: 0, at: 1), process(40, under: 1, at: 10), process(50, under: 40, at: 900),
            process(60, under: 1, at: 20),
        ]
        let scan = Scan(processes: (machine + processes).sorted { $0.pid < $1.pid })
        var knowledge = Family.Knowledge()
        knowledge.leader = leader.flatMap { scan.find($0)?.pin }
        knowledge.responder = responder
        change(&knowledge)
        return Family(scan, knowledge)
    }

    @Test("children and grandchildren of the leader outside are strays by lineage")
    func lineage() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(101, under: 100, at: 101, inside: true),
            process(102, under: 101, at: 102), process(103, under: 102, at: 103),
        ])
        #expect(family.members.map(\.pid) == [100, 101])
        #expect(family.strays.map(\.process.pid) == [102, 103])
        #expect(family.strays.allSatisfy { $0.marks == [.lineage] })
        #expect(family.guests.isEmpty)
    }

    @Test("a double-forked child stays a member inside, and its children outside are strays")
    func orphanInside() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(105, under: 1, at: 110, inside: true),
            process(106, under: 105, at: 111),
        ])
        #expect(family.members.map(\.pid) == [100, 105])
        #expect(family.strays.map(\.process.pid) == [106])
    }

    @Test("a double-forked child outside is caught by the kernel session of a member, and not without any mark")
    func kernelSession() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(110, under: 1, at: 120, session: 100),
            process(111, under: 1, at: 121, session: 999), process(112, under: 1, at: 122),
        ])
        #expect(family.strays.map(\.process.pid) == [110])
        #expect(family.strays.first?.marks.contains(.kernelSession) == true)
    }

    @Test("another hierarchy's line is a strong mark")
    func hierarchy() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(110, under: 1, at: 120, marked: true),
        ])
        #expect(family.strays.map(\.process.pid) == [110])
        #expect(family.strays.first?.marks == [.hierarchy])
    }

    @Test("a private pid namespace of the leader makes strays, a stranger's that the session entered does not")
    func namespaces() {
        let family = family([
            process(100, under: 60, at: 100, inside: true, namespace: 7),
            process(110, under: 60, at: 120, namespace: 7),
            process(200, under: 60, at: 50, namespace: 8), process(201, under: 100, at: 130, namespace: 8),
            process(202, under: 200, at: 60, namespace: 8),
        ])
        #expect(Set(family.strays.map(\.process.pid)) == [110, 201])
    }

    @Test("RT11 what began before the leader, or has a living foreign parent, is a guest inside")
    func guests() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(90, under: 1, at: 90, inside: true),
            process(120, under: 70, at: 130, inside: true), process(70, under: 1, at: 30),
            process(121, under: 120, at: 131, inside: true),
        ])
        #expect(family.members.map(\.pid) == [100])
        #expect(family.guests.map(\.process.pid) == [90, 120, 121])
    }

    @Test("RT11 the responder's shell inside is a guest even when it began later, and is never a stray")
    func responder() {
        let inside = family(
            [process(100, under: 60, at: 100, inside: true), process(51, under: 50, at: 950, inside: true)],
            responder: [50, 51]
        )
        #expect(inside.guests.map(\.process.pid) == [51])
        let marked = family(
            [process(100, under: 60, at: 100, inside: true), process(51, under: 100, at: 950, marked: true)],
            responder: [50, 51]
        )
        #expect(marked.strays.isEmpty)
    }

    @Test("a sibling made by the leader with CLONE_PARENT is no guest")
    func sibling() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(130, under: 60, at: 140, inside: true),
        ])
        #expect(family.members.map(\.pid) == [100, 130])
    }

    @Test("a foreign process that was moved into another hierarchy's group is not held")
    func foreignMarked() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(41, under: 40, at: 300, marked: true),
        ])
        #expect(family.strays.isEmpty)
    }

    @Test("the dedicated user and a person's word are strong")
    func named() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(140, under: 1, at: 150),
            process(141, under: 1, at: 151),
        ]) { knowledge in
            knowledge.dedicated = [ProcessPin(pid: 140, startTicks: 150)]
            knowledge.included = [ProcessPin(pid: 141, startTicks: 151)]
        }
        #expect(family.strays.map(\.process.pid) == [140, 141])
    }

    @Test("without a living leader everything inside is a member")
    func noLeader() {
        let family = family(
            [process(90, under: 1, at: 90, inside: true), process(120, under: 60, at: 130, inside: true)],
            leader: nil
        )
        #expect(family.members.map(\.pid) == [90, 120])
    }

    @Test("what was settled as of the session stays so inside")
    func settled() {
        let family = family([
            process(100, under: 60, at: 100, inside: true), process(41, under: 40, at: 300, inside: true),
        ]) { $0.settled = [ProcessPin(pid: 41, startTicks: 300)] }
        #expect(family.members.map(\.pid) == [41, 100])
        #expect(family.guests.isEmpty)
    }

    @Test("RT11 who joined after the freeze is a guest with its children, unless it descends from the session")
    func joined() {
        let processes = [
            process(100, under: 60, at: 100, inside: true), process(150, under: 1, at: 200, inside: true),
            process(151, under: 150, at: 201, inside: true), process(160, under: 100, at: 202, inside: true),
            process(170, under: 1, at: 203, session: 100, inside: true), process(180, under: 1, at: 300, inside: true),
            process(181, under: 180, at: 301, inside: true),
        ]
        let family = family(processes) { knowledge in
            knowledge.joined = Set([150, 160, 170].flatMap { pid in processes.filter { $0.pid == pid }.map(\.pin) })
        }
        #expect(family.guests.map(\.process.pid) == [150, 151])
        #expect(family.members.map(\.pid) == [100, 160, 170, 180, 181])
    }

    @Test("RT11 a guest is beyond doubt when it began before the leader, was moved in or is the responder's own")
    func doubt() {
        var knowledge = Family.Knowledge()
        knowledge.leader = ProcessPin(pid: 100, startTicks: 100)
        knowledge.responder = [50]
        knowledge.joined = [ProcessPin(pid: 150, startTicks: 200)]
        #expect(knowledge.doubt(about: ProcessPin(pid: 90, startTicks: 99)) == nil)
        #expect(knowledge.doubt(about: ProcessPin(pid: 50, startTicks: 300)) == nil)
        #expect(knowledge.doubt(about: ProcessPin(pid: 150, startTicks: 200)) == nil)
        #expect(knowledge.doubt(about: ProcessPin(pid: 160, startTicks: 200)) != nil)
        knowledge.leader = nil
        #expect(knowledge.doubt(about: ProcessPin(pid: 160, startTicks: 200)) == nil)
    }

    @Test("RT27 only lineage, namespaces, hierarchies, users and a person's word are strong")
    func strengths() {
        #expect(Mark.allCases.filter { $0.strength == .weak } == [.orphan])
        #expect(Mark.allCases.filter { $0.strength == .medium } == [.mountNamespace, .networkNamespace])
    }
}
