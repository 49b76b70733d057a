import Base
import Containment
import Kernel
import Testing

@testable import QuellCommands

@Suite("what is told while it changes")
struct FollowTests {
    private func row(_ pid: Int32, _ text: String) -> SessionRow {
        SessionRow(leader: ProcessPin(pid: pid, startTicks: 1), locator: "pid:\(pid)", text: text)
    }

    @Test("a watch tells what is new, what changed and what is gone, and nothing twice")
    func sessions() {
        var known = KnownSessions()
        #expect(known.take([row(1, "a"), row(2, "b")]).map(\.kind) == [.new, .new])
        #expect(known.take([row(1, "a"), row(2, "b")]).isEmpty)
        #expect(
            known.take([row(1, "a frozen"), row(3, "c")]) == [
                SessionChange(kind: .changed, row: row(1, "a frozen")), SessionChange(kind: .new, row: row(3, "c")),
                SessionChange(kind: .gone, row: row(2, "b")),
            ]
        )
    }

    @Test("a pid that is used again is another session")
    func reused() {
        var known = KnownSessions()
        _ = known.take([row(1, "a")])
        let other = SessionRow(leader: ProcessPin(pid: 1, startTicks: 9), locator: "pid:1", text: "a")
        #expect(known.take([other]).map(\.kind) == [.new, .gone])
    }

    @Test("a followed status tells each fact when it changes, and what is not there any more")
    func status() {
        var follow = StatusFollow()
        let frozen = StatusFollow.Line(key: "x g", text: "x  true g is frozen")
        let thawed = StatusFollow.Line(key: "x g", text: "x  NO LONGER g is frozen")
        #expect(follow.take([frozen]) == ["x  true g is frozen"])
        #expect(follow.take([frozen]).isEmpty)
        #expect(follow.take([thawed]) == ["x  NO LONGER g is frozen"])
        #expect(follow.take([]) == ["no more   x  NO LONGER g is frozen"])
    }

    @Test("the table of strays, guests and peers says who, how sure and why, in columns; hundreds are counted")
    func table() {
        func stray(_ pid: Int32, _ name: String, _ marks: Mark...) -> Stray {
            Stray(process: ProcessPin(pid: pid, startTicks: 1), name: BytePath(name), marks: marks, isHeld: true)
        }
        var table = CompanyTable()
        table.add(strays: [stray(7, "sh", .lineage, .mountNamespace)], called: "stray held")
        table.add(listed: [stray(1234, "python3", .networkNamespace), stray(9, "a\u{1B}[m", .orphan)])
        var peer = SessionPeer(
            process: ProcessPin(pid: 80, startTicks: 1),
            name: BytePath("redis"),
            links: [.init(.loopback, .server, at: BytePath("127.0.0.1:6379"))],
            otherClients: 3
        )
        table.add(peers: [peer], offers: true)
        peer.reason = "this machine needs it"
        table.add(peers: [peer], offers: true)
        let lines = table.lines
        #expect(lines[0].hasPrefix("stray held   7     sh "))
        #expect(lines[0].hasSuffix(" strong  lineage, mountNamespace"))
        #expect(lines[1].contains("medium  networkNamespace; --include 1234 takes it along"))
        #expect(lines[2].contains("weak    orphan; --include 9 takes it along"))
        #expect(!lines[2].contains("\u{1B}"))
        #expect(lines[3].hasSuffix("server by loopback 127.0.0.1:6379; serves 3 others; --with peers takes it along"))
        #expect(lines[4].hasSuffix("serves 3 others; not held: this machine needs it"))
        var many = CompanyTable()
        many.add(listed: (1...25).map { stray($0, "x", .orphan) })
        #expect(many.lines.count == 21)
        #expect(many.lines.last == "maybe        5 more: --json lists all")
    }
}
