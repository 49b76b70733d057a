import Base
import Kernel
import Testing

@testable import Containment

extension JointFinding {
    /// Without what was not looked at.
    fileprivate func peers() -> [SessionPeer] {
        var unknown: [String] = []
        return peers(&unknown)
    }

    fileprivate func services() -> [SessionService] {
        var unknown: [String] = []
        return services(&unknown)
    }
}

@Suite("who is joined to whom")
struct JointTests {
    private func process(
        _ pid: Int32,
        sockets: Set<UInt64> = [],
        pipes: [UInt64: PipeEnds] = [:],
        serving: Set<ServingDescriptor> = []
    ) -> JoinedProcess {
        var joints = DescriptorJoints()
        joints.sockets = sockets
        joints.pipes = pipes
        joints.serving = serving
        return JoinedProcess(pin: ProcessPin(pid: pid, startTicks: 1), name: BytePath("p\(pid)"), joints: joints)
    }

    private func unix(_ inode: UInt64, peer: UInt64? = nil, name: String? = nil, listens: Bool = false) -> UnixSocket {
        UnixSocket(inode: inode, peer: peer, type: 1, isListening: listens, name: name.map { BytePath($0) })
    }

    private func tcp(
        _ inode: UInt64,
        _ state: InetSocket.State,
        _ local: (String, UInt16),
        _ remote: (String, UInt16) = ("0.0.0.0", 0),
        space: UInt64 = 1
    ) throws -> SeenInetSocket {
        SeenInetSocket(
            space: space,
            socket: InetSocket(
                transport: .tcp,
                state: state,
                local: Endpoint(address: try #require(NetworkAddress(local.0)), port: local.1),
                remote: Endpoint(address: try #require(NetworkAddress(remote.0)), port: remote.1),
                uid: 0,
                inode: inode,
                cookie: inode
            )
        )
    }

    @Test("a pipe joins its two ends, not those that share one end")
    func pipes() {
        let finding = JointFinding(
            members: [process(10, pipes: [1: .writes])],
            outsiders: [process(20, pipes: [1: .reads]), process(21, pipes: [1: .writes])],
            unix: [],
            inet: []
        )
        #expect(finding.peers().map(\.process.pid) == [20])
    }

    @Test("a server on stdin and stdout serves whoever holds the other ends of both")
    func pipeClients() {
        let server = process(20, pipes: [1: .reads, 2: .writes, 3: .reads, 4: .writes])
        let finding = JointFinding(
            members: [process(10, pipes: [1: .writes, 2: .reads])],
            outsiders: [
                server, process(21, pipes: [3: .writes, 4: .reads]), process(22, pipes: [4: .reads]),
            ],
            unix: [],
            inet: []
        )
        #expect(finding.peers().map(\.otherClients) == [1])
    }

    @Test("a server at a unix socket counts its other clients by process, whatever number of connections they have")
    func unixServer() {
        let finding = JointFinding(
            members: [process(10, sockets: [1])],
            outsiders: [process(20, sockets: [100, 101, 102, 103]), process(21, sockets: [2, 3])],
            unix: [
                unix(100, name: "/s", listens: true), unix(101, peer: 1, name: "/s"), unix(1, peer: 101),
                unix(102, peer: 2, name: "/s"), unix(2, peer: 102), unix(103, peer: 3, name: "/s"), unix(3, peer: 103),
            ],
            inet: []
        )
        let peers = finding.peers()
        #expect(peers.map(\.process.pid) == [20])
        #expect(peers.first?.links == [.init(.unixSocket, .server, at: BytePath("/s"))])
        #expect(peers.first?.otherClients == 1)
    }

    @Test("a datagram server such as a log socket serves everybody who is connected to it")
    func datagrams() {
        let finding = JointFinding(
            members: [process(10, sockets: [1])],
            outsiders: [process(20, sockets: [100]), process(21, sockets: [2]), process(22, sockets: [3])],
            unix: [unix(100, name: "/dev/log"), unix(1, peer: 100), unix(2, peer: 100), unix(3, peer: 100)],
            inet: []
        )
        #expect(finding.peers().map(\.process.pid) == [20])
        #expect(finding.peers().first?.otherClients == 2)
    }

    @Test("a server on loopback counts other processes and other machines; loopback of another namespace is not it")
    func loopback() throws {
        let finding = JointFinding(
            members: [process(10, sockets: [1])],
            outsiders: [
                process(20, sockets: [100, 101, 102, 103]), process(21, sockets: [2]), process(30, sockets: [9]),
            ],
            unix: [],
            inet: [
                try tcp(100, .listen, ("0.0.0.0", 80)),
                try tcp(101, .established, ("127.0.0.1", 80), ("127.0.0.1", 5001)),
                try tcp(1, .established, ("127.0.0.1", 5001), ("127.0.0.1", 80)),
                try tcp(102, .established, ("127.0.0.1", 80), ("127.0.0.1", 5002)),
                try tcp(2, .established, ("127.0.0.1", 5002), ("127.0.0.1", 80)),
                try tcp(103, .established, ("10.0.0.1", 80), ("10.0.0.7", 6000)),
                try tcp(9, .established, ("127.0.0.1", 80), ("127.0.0.1", 5001), space: 2),
            ]
        )
        let peers = finding.peers()
        #expect(peers.map(\.process.pid) == [20])
        #expect(peers.first?.links == [.init(.loopback, .server, at: BytePath("127.0.0.1:80"))])
        #expect(peers.first?.otherClients == 2)
    }

    @Test("RT23 a listener is told once, with the clients outside; what hangs others is told, too")
    func services() throws {
        let finding = JointFinding(
            members: [
                process(10, sockets: [1, 2], serving: [.fuse, .seccompListener]), process(11, sockets: [1, 3]),
            ],
            outsiders: [process(20, sockets: [4])],
            unix: [],
            inet: [
                try tcp(1, .listen, ("0.0.0.0", 80)),
                try tcp(2, .established, ("127.0.0.1", 80), ("127.0.0.1", 5001)),
                try tcp(4, .established, ("127.0.0.1", 5001), ("127.0.0.1", 80)),
                try tcp(3, .established, ("127.0.0.1", 5002), ("127.0.0.1", 80)),
            ]
        )
        let services = finding.services()
        #expect(services.map(\.kind) == [.fuse, .seccompListener, .tcp])
        #expect(services.last?.clients == 1)
        #expect(services.last?.clientPids == [20])
        #expect(finding.peers().map(\.links) == [[.init(.loopback, .client, at: BytePath("127.0.0.1:80"))]])
    }

    @Test("RT13 a session that listens tens of thousands of times costs a look no more than their number")
    func manyListeners() throws {
        let count: UInt64 = 40_000
        var unix: [UnixSocket] = []
        var inet: [SeenInetSocket] = []
        for number in 0..<count {
            unix.append(self.unix(number, name: "@\(number)", listens: true))
            inet.append(try tcp(count + number, .listen, ("127.0.0.1", UInt16(number))))
        }
        unix.append(self.unix(3 * count, peer: 3 * count + 1, name: "@7"))
        unix.append(self.unix(3 * count + 1, peer: 3 * count))
        let sockets = Set(0..<2 * count).union([3 * count])
        let finding = JointFinding(
            members: [process(10, sockets: sockets), process(11, sockets: sockets)],
            outsiders: [process(20, sockets: [3 * count + 1])],
            unix: unix,
            inet: inet
        )
        // What is quadratic takes minutes for these.
        let began = Deadline.monotonicNow()
        let services = finding.services()
        #expect(finding.peers().map(\.process.pid) == [20])
        #expect(Deadline.monotonicNow() - began < 20_000_000_000)
        #expect(services.count == Int(2 * count))
        #expect(services.first { $0.address == BytePath("@7") }?.clientPids == [20])
    }

    @Test("what no time was left for is told, and what was found is kept")
    func late() throws {
        let finding = JointFinding(
            members: [process(10, sockets: [1, 2], serving: [.fuse])],
            outsiders: [process(20, sockets: [3], pipes: [7: .reads])],
            unix: [unix(1, name: "/s", listens: true), unix(2, peer: 3, name: "/s"), unix(3, peer: 2)],
            inet: [],
            by: Deadline(after: .zero)
        )
        var unknown: [String] = []
        #expect(finding.peers(&unknown).isEmpty)
        #expect(finding.services(&unknown).map(\.kind) == [.fuse])
        #expect(unknown.count == 2 && unknown.allSatisfy { $0.hasSuffix("no time was left") }, "\(unknown)")
    }

    @Test("a lock is told once, with who waits for it, whoever of the session holds it")
    func locks() {
        let waited = FileLock(kind: "POSIX", mode: "WRITE", pid: 10, file: "fe:00:1", waiting: 2)
        let other = FileLock(kind: "FLOCK", mode: "READ", pid: 10, file: "fe:00:2")
        let list = LockList([waited, other, FileLock(kind: "POSIX", mode: "READ", pid: 10, file: "fe:00:1")])
        #expect(list.waiting(for: FileLock(kind: "POSIX", mode: "WRITE", pid: 10, file: "fe:00:1")) == 2)
        #expect(list.waiting(for: FileLock(kind: "POSIX", mode: "WRITE", pid: 11, file: "fe:00:1")) == 0)
        #expect(list.taken(by: 10).count == 3 && list.taken(by: 11).isEmpty)
        var told = LockList.Told()
        let isNew = [told.insert(waited), told.insert(waited)]
        #expect(isNew == [true, false])
        let rest = list.taken(by: 10).filter { told.insert(fileOf: $0) }
        #expect(rest == [other])
    }
}
