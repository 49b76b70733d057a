import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

/// A testkit peer on one loopback address.
struct Peer {
    let port: String
    private let child: Child

    init(_ host: String) throws {
        child = try Sandbox.of().start(Program(try Sandbox.testkitPath(), ["peer", "0", host]))
        port = try child.line { $0.hasPrefix("ready") }.split(separator: " ").last.map(String.init) ?? ""
    }

    func count() throws -> UInt64 {
        child.signal(SIGUSR1)
        return try UInt64(child.line { $0.hasPrefix("bytes") }.split(separator: " ").last ?? "") ?? 0
    }

    /// Whether the peer gets anything within 100 ms.
    func grows() throws -> Bool {
        let first = try count()
        return eventually(within: .milliseconds(100)) { (try? count()) != first }
    }
}

/// A listener of the test process that accepts one connection with a small queue and reads only when told.
final class SlowReader {
    let port: UInt16
    private let listener: Int32
    private var connection: Int32 = -1
    private let address: NetworkAddress

    struct Problem: Error {}

    init(_ host: String) throws {
        address = try #require(NetworkAddress(host))
        let family = address.family == .v4 ? AF_INET : AF_INET6
        let made = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        listener = made
        var size: Int32 = 65536
        setsockopt(made, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        _ = fcntl(made, F_SETFD, FD_CLOEXEC)
        _ = fcntl(made, F_SETFL, O_NONBLOCK)
        var name = [UInt8](repeating: 0, count: family == AF_INET ? 16 : 28)
        name[0] = UInt8(family)
        name.replaceSubrange((family == AF_INET ? 4 : 8)..<(family == AF_INET ? 8 : 24), with: address.bytes)
        var length = socklen_t(name.count)
        let isReady = name.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            let pointer = start.assumingMemoryBound(to: sockaddr.self)
            return bind(made, pointer, length) == 0 && listen(made, 1) == 0 && getsockname(made, pointer, &length) == 0
        }
        port = UInt16(name[2]) << 8 | UInt16(name[3])
        guard isReady else { throw Problem() }
    }

    deinit {
        if connection >= 0 { close(connection) }
        close(listener)
    }

    /// The bytes that the kernel has received for it.
    func kernelCount() throws -> UInt64 { try #require(try kernelCounts().first) }

    /// The same for each connection; none before anybody has connected.
    func kernelCounts() throws -> [UInt64] {
        let soon = Deadline(after: .seconds(5))
        let sockets = try SockDiag().inetSockets(.tcp, address.family, by: soon).sockets
        return sockets.filter { $0.local.port == port && $0.state != .listen }.compactMap(\.counters?.bytesReceived)
    }

    /// Reads for a while; gives the count.
    func readEverything(for span: Duration) -> Int {
        if connection < 0 { connection = accept(listener, nil, nil) }
        var total = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let end = Deadline(after: span)
        while !end.hasPassed {
            let count = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { total += count } else { usleep(2000) }
        }
        return total
    }
}

extension Scene {
    var soon: Deadline { Deadline(after: .seconds(10)) }
    var policy: IsolationPolicy { IsolationPolicy() }

    func scope(_ groups: [CgroupPin]? = nil) -> IsolationScope {
        let groups = groups ?? [group.pin]
        var origins: [CgroupPin] = []
        for case .move(_, let from, let to) in effects where groups.contains(to) { origins.append(from) }
        return IsolationScope(groups: groups, from: origins)
    }

    func isolate(
        _ groups: [CgroupPin]? = nil,
        allowing allowed: AllowList = AllowList(),
        tables: IsolationPolicy.Tables = .whereNeeded,
        after frozen: FreezeResult? = nil
    ) throws -> IsolationResult {
        try Isolator(host).isolate(
            scope(groups),
            IsolationPolicy(allowed: allowed, tables: tables),
            after: EarlierCut(drops: frozen?.cut?.drops ?? []),
            by: soon,
            apply: record
        )
    }

    /// Takes everything back that this scene put there.
    func release(_ result: IsolationResult) throws -> ReleaseResult {
        var drops = result.cut.drops
        var tables = result.tables.tables
        for effect in effects {
            if case .attachDrop(let group, let program) = effect {
                let drop = Drop(group: group, program: program)
                if !drops.contains(drop) { drops.append(drop) }
            }
            if case .addTable(let table) = effect, !tables.contains(table) { tables.append(table) }
        }
        return try Cut.release(drops, tables, on: host, apply: record)
    }

    /// The groups of self-tests that are there still.
    func leftovers() throws -> [String] {
        effects.compactMap { effect -> String? in
            guard case .beginTrial(let parent, let name) = effect, let hierarchy = host.unified,
                (try? Cgroup(parent.path.appending(name), in: hierarchy)) != nil
            else { return nil }
            return name
        }
    }
}
