public import Base
internal import Glibc

/// What the inventory says about a loopback server before it may see an admin secret (RT9).
public struct ServerExpectation: Hashable, Sendable, Codable {
    /// Where it listens; a loopback address.
    public let endpoint: Endpoint
    /// The file it executes. Symbolic links are followed; device and inode are compared, never the text.
    public let executable: BytePath
    /// The user it runs as: all four user ids of the process.
    public let uid: UInt32
    /// Cgroups of the session: a server at or below one of them is the session's, not ours.
    public let outside: [CgroupPin]
    /// Processes of the session that stand in no cgroup of its own.
    public let notAmong: [ProcessPin]

    /// Takes all parts.
    public init(
        endpoint: Endpoint,
        executable: BytePath,
        uid: UInt32,
        outside: [CgroupPin],
        notAmong: [ProcessPin] = []
    ) {
        self.endpoint = endpoint
        self.executable = executable
        self.uid = uid
        self.outside = outside
        self.notAmong = notAmong
    }
}

/// One process that holds a server's listening socket, as it was when it was looked at.
public struct ServerIdentity: Hashable, Sendable, Codable {
    /// Process id and start time.
    public let pin: ProcessPin
    /// Its user.
    public let uid: UInt32
    /// The text of /proc/PID/exe.
    public let executable: BytePath
    /// The device of the executed file.
    public let device: UInt64
    /// The inode of the executed file.
    public let inode: UInt64
    /// The inode of the listening socket.
    public let listener: UInt64
}

/// A loopback server that was found to be the expected one. Only ``find(_:on:by:)`` makes it.
public struct IdentifiedServer: Hashable, Sendable {
    /// What was expected.
    public let expectation: ServerExpectation
    /// Every process that holds its listening socket; all of them are as expected.
    public let processes: [ServerIdentity]

    /// Finds who listens at the expected endpoint and compares each holder of the listening socket with the
    /// expectation. Sends nothing to anybody.
    ///
    /// - Throws: `notFound` when nobody listens there, `refused` naming what differs, `system` or `timedOut` when the
    ///   kernel could not be asked.
    public static func find(
        _ expectation: ServerExpectation,
        on host: Host,
        by deadline: Deadline
    ) throws(Failure) -> IdentifiedServer {
        let endpoint = expectation.endpoint
        guard endpoint.address.isLoopback else {
            throw expectation.refusal("it is not on this host, and only loopback servers can be identified")
        }
        let file = try expectation.executableFile()
        let listeners = try Self.listeners(at: endpoint, by: deadline)
        guard !listeners.isEmpty else {
            throw Failure(.notFound, "identify the server", on: "\(endpoint)", because: "nobody listens there")
        }
        let inodes = Set(listeners.map(\.inode))
        let holders = try host.holders(ofSockets: inodes)
        var processes: [ServerIdentity] = []
        for inode in inodes.sorted() {
            guard let pids = holders[inode], !pids.isEmpty else {
                throw expectation.refusal("no visible process holds its listening socket")
            }
            for pid in pids {
                processes.append(try expectation.identity(of: pid, listener: inode, file: file, on: host))
            }
        }
        return IdentifiedServer(expectation: expectation, processes: processes)
    }

    /// The sockets that would take a connection to `endpoint`: those bound to exactly that address, else those bound to
    /// all addresses.
    private static func listeners(at endpoint: Endpoint, by deadline: Deadline) throws(Failure) -> [InetSocket] {
        let diag = try SockDiag()
        var listening: [InetSocket] = []
        for family in [NetworkAddress.Family.v4, .v6] {
            let dump = try diag.inetSockets(.tcp, family, by: deadline)
            listening += dump.sockets.filter { $0.state == .listen && $0.local.port == endpoint.port }
        }
        return select(listening, for: endpoint)
    }

    static func select(_ listening: [InetSocket], for endpoint: Endpoint) -> [InetSocket] {
        let exact = listening.filter { $0.local.unmapped == endpoint.unmapped }
        guard exact.isEmpty else { return exact }
        // A listener on :: may take IPv4 too; one on 0.0.0.0 never takes IPv6.
        return listening.filter { socket in
            socket.local.address.isUnspecified
                && (socket.local.address.family == .v6 || endpoint.address.unmapped.family == .v4)
        }
    }

    /// Connects, and finds out from the kernel that the other end of this very connection is held by one of the
    /// identified processes, unchanged. Only then is there a connection to give.
    ///
    /// - Throws: `refused` when somebody else accepted, `changed` when the process is not the same any more, `timedOut`
    ///   when nobody accepted in time, and as ``StreamSocket/connect(to:by:)``.
    public func connect(
        on host: Host,
        by deadline: Deadline
    ) throws(Failure) -> IdentifiedConnection {
        let stream = try StreamSocket.connect(to: expectation.endpoint, by: deadline)
        let accepted = try accepted(from: stream, by: deadline)
        guard let holder = processes.first(where: { host.socketInodes(of: $0.pin.pid).contains(accepted) }) else {
            throw expectation.refusal("the connection was accepted by another process than the identified server")
        }
        let file = try expectation.executableFile()
        let now = try expectation.identity(of: holder.pin.pid, listener: holder.listener, file: file, on: host)
        guard now == holder else {
            throw Failure(
                .changed,
                "identify the server",
                on: "\(expectation.endpoint)",
                because: "process \(holder.pin.pid) is not the same any more"
            )
        }
        return IdentifiedConnection(stream: stream, server: holder)
    }

    /// The inode of the socket at the other end. It is 0 until the server calls accept(2), and no event tells of that.
    private func accepted(from stream: borrowing StreamSocket, by deadline: Deadline) throws(Failure) -> UInt64 {
        let local = try stream.localEndpoint()
        let remote = try stream.remoteEndpoint()
        let diag = try SockDiag()
        while true {
            let other = try diag.connection(local: remote, remote: local, by: deadline)
            if let other, other.inode != 0 { return other.inode }
            if deadline.hasPassed {
                throw Failure(
                    .timedOut,
                    "identify the server",
                    on: "\(remote)",
                    because: other == nil ? "it closed the connection" : "it did not accept the connection in time"
                )
            }
            poll(nil, 0, 1)
        }
    }
}

/// A connection whose other end was identified; the only kind that may carry an admin secret (RT9).
public struct IdentifiedConnection: ~Copyable {
    /// The connection.
    public let stream: StreamSocket
    /// Who holds the other end.
    public let server: ServerIdentity

    fileprivate init(stream: consuming StreamSocket, server: ServerIdentity) {
        self.stream = stream
        self.server = server
    }
}

extension ServerExpectation {
    fileprivate func refusal(_ reason: String) -> Failure {
        Failure(
            .refused,
            "identify the server",
            on: "\(endpoint)",
            because: reason,
            hint: "nothing was sent; correct server, serverExecutable and serverUid in the inventory"
        )
    }

    /// Device and inode of the declared file, which must be root's and writable by nobody else.
    fileprivate func executableFile() throws(Failure) -> (device: UInt64, inode: UInt64) {
        var facts = stat()
        let result = executable.withCString { stat($0, &facts) }
        guard result == 0 else { throw Failure(errno: errno, "look at the declared server executable", on: executable) }
        guard executable.isAbsolute, facts.st_mode & S_IFMT == S_IFREG, facts.st_uid == 0, facts.st_mode & 0o022 == 0
        else { throw refusal("the declared executable \(executable) is not a file that only root can change") }
        return (UInt64(facts.st_dev), UInt64(facts.st_ino))
    }

    fileprivate func identity(
        of pid: Int32,
        listener: UInt64,
        file: (device: UInt64, inode: UInt64),
        on host: Host
    ) throws(Failure) -> ServerIdentity {
        let process = try ProcessDirectory(pid, on: host)
        let pin = ProcessPin(pid: pid, startTicks: try process.stat().numbers.startTicks)
        let uids = try process.status().uids
        let cgroups = try process.cgroups()
        guard let exe = try process.executableFile(), let name = try process.executable(), uids.count == 4 else {
            throw refusal("process \(pid), which holds its listening socket, has ended")
        }
        guard exe.device == file.device, exe.inode == file.inode else {
            throw refusal("process \(pid) executes \(name), not the declared \(executable)")
        }
        guard uids.allSatisfy({ $0 == uid }) else {
            throw refusal("process \(pid) runs as uid \(uids[1]), not as the declared \(uid)")
        }
        guard !notAmong.contains(pin), !outside.contains(where: { $0.holds(cgroups) }) else {
            throw refusal("process \(pid) belongs to the session")
        }
        return ServerIdentity(
            pin: pin,
            uid: uid,
            executable: name,
            device: exe.device,
            inode: exe.inode,
            listener: listener
        )
    }
}

extension CgroupPin {
    fileprivate func holds(_ cgroups: [CgroupLine]) -> Bool {
        cgroups.contains { $0.hierarchy == hierarchy && $0.path.isAtOrBelow(path) }
    }
}
