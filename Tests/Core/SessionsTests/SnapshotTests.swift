import Base
import Kernel
import Sessions
import Testing

@Suite("Snapshots and marks")
struct SnapshotTests {
    @Test("a snapshot has a record for every subject, and what cannot be read is told")
    func records() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 150, name: "no (de) x", v2: "/a7")
        try machine.process(101, parent: 100, start: 160, v2: "/a7")
        let session = try resolve("cgroup:/a7", machine)
        machine.remove(folder: "proc/101")
        machine.remove(folder: "proc/100/status")
        let snapshot = SessionSnapshot.take(session.subjects, on: try machine.host(), depth: .quiet)
        #expect(snapshot.records.map(\.pid) == [100, 101])
        let leader = snapshot.records[0]
        #expect(leader.started == Instant(nanoseconds: 1_500_000_000))
        #expect(leader.comm == BytePath("no (de) x") && leader.ppid == 1 && leader.state == "S")
        #expect(leader.uid == nil && leader.failures.map(\.read) == ["status"])
        #expect(leader.threads == snapshot.records[0].threads && leader.threads.map(\.tid) == [100])
        #expect(leader.threads.first?.cgroups == nil && leader.argv == nil && leader.openFiles == nil)
        #expect(leader.marks == [Mark(.lineage, "is the first process of the session")])
        #expect(snapshot.records[1].failures.map(\.read) == ["process"])
        #expect(snapshot.records[1].failures.first?.errno == 2)
    }

    @Test("RT5 a thread elsewhere is told with its own cgroups")
    func threadElsewhere() throws {
        let machine = try RecordedMachine()
        try machine.process(100, parent: 1, start: 150, v2: "/a7")
        try machine.thread(105, of: 100, start: 151, freezer: "/hidden")
        let session = try resolve("cgroup:/a7", machine)
        let record = SessionSnapshot.take(session.subjects, on: try machine.host(), depth: .quiet).records[0]
        #expect(record.threads.map(\.tid) == [100, 105])
        #expect(record.threads[0].cgroups == nil)
        #expect(record.threads[1].cgroups?.first == CgroupLine(hierarchy: "v1:freezer", path: BytePath("/hidden")))
    }

    @Test("RT27 only four kinds of marks are strong, and a decoded mark cannot claim another strength")
    func marks() throws {
        let strong = Mark.Kind.allCases.filter { $0.strength == .strong }
        #expect(strong == [.lineage, .pidNamespace, .otherHierarchy, .dedicatedUser])
        let encoded = try JSONEncoding.value(of: Mark(.name, "has the name of process 7"))
        #expect(encoded["strength"]?.string == "weak" && encoded["words"]?.string == "has the name of process 7")
        let forged = Array(#"{"kind":"name","strength":"strong","words":""}"#.utf8)
        #expect(try JSONDecoding.decode(Mark.self, from: forged).strength == .weak)
        #expect(Mark.Strength.weak < .medium && Mark.Strength.medium < .strong)
    }
}
