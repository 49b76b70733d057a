import Glibc

extension Bench {
    /// From the start of the command to the last byte that a peer on loopback gets, of a process that sends 1,400 bytes
    /// every half millisecond: `quell isolate` against a rule set that `nft -f` loads and against `ss -K`. The two others
    /// stop one connection and prove nothing; Quell also keeps the sockets on record and tests itself, after the last byte.
    mutating func isolation() throws {
        let rounds = isSmoke ? 1 : 15
        var ours: [UInt64] = []
        var whole: [UInt64] = []
        var rules: [UInt64] = []
        var destroyed: [UInt64] = []
        for _ in 0..<rounds {
            let quell = try stopSender { group, _ in
                quellCommand(["isolate", "cgroup:/\(group.name)", "--json"])
            } after: { group, _ in
                _ = try quellCommand(["release", "cgroup:/\(group.name)", "--json"]).run()
            }
            ours.append(quell.lastByte)
            whole.append(quell.wall)
            guard access("/usr/sbin/nft", X_OK) == 0, access("/usr/bin/ss", X_OK) == 0 else { continue }
            rules.append(try stopByRules())
            destroyed.append(
                try stopSender { _, port in
                    Command(path: "/usr/bin/ss", arguments: ["-K", "dport", "=", ":\(port)"])
                }
                .lastByte
            )
        }
        table.note(
            "isolate: medians of \(rounds); quell to its own end, with record and proof \(milliseconds(median(whole)))"
        )
        guard let nft = rules.isEmpty ? nil : median(rules), let ss = destroyed.isEmpty ? nil : median(destroyed) else {
            table.note("isolate: to the last byte \(milliseconds(median(ours))); nft or ss is not installed")
            return
        }
        let lastByte = median(ours)
        table.add(
            "isolate: to the last byte, against nft -f",
            milliseconds(lastByte),
            milliseconds(nft),
            bar: "told",
            isHeld: true
        )
        table.add(
            "isolate: to the last byte, against ss -K",
            milliseconds(lastByte),
            milliseconds(ss),
            bar: "told",
            isHeld: true
        )
    }

    private func stopByRules() throws -> UInt64 {
        let name = "quell-bench-\(getpid())"
        let path = "\(work)/rules.nft"
        defer { unlink(path) }
        return try stopSender { _, port in
            let rules = """
                table inet \(name) {
                  chain output {
                    type filter hook output priority -500; policy accept;
                    tcp dport \(port) drop
                  }
                }

                """
            try write(rules, to: path)
            return Command(path: "/usr/sbin/nft", arguments: ["-f", path])
        } after: { _, _ in
            _ = try Command(path: "/usr/sbin/nft", arguments: ["delete", "table", "inet", name]).run()
        }
        .lastByte
    }

    /// Runs a command beside a sender and reads until nothing has come for a while.
    private func stopSender(
        by make: (Groups, UInt16) throws -> Command,
        after: (Groups, UInt16) throws -> Void = { _, _ in }
    ) throws -> (lastByte: UInt64, wall: UInt64) {
        let listener = try Listener()
        let groups = try Groups(victims: "\(references)/reference-victims", kind: "sender", count: Int(listener.port))
        defer { groups.destroy() }
        let connection = try listener.accept()
        defer { close(connection) }
        let command = try make(groups, listener.port)
        _ = Listener.read(connection, untilQuietFor: 0, atMost: 50)
        let started = monotonic()
        let (process, output) = try command.start()
        defer { close(output) }
        let last = Listener.read(connection, untilQuietFor: 300, atMost: 5000)
        var status: Int32 = 0
        while waitpid(process, &status, 0) != process {}
        let wall = monotonic() - started
        guard status == 0 else {
            throw Command.Failed(description: "\(command.path) ended with \(status >> 8 & 0xFF)")
        }
        try after(groups, listener.port)
        return (last > started ? last - started : 0, wall)
    }

    private func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0, Glibc.write(file, text, text.utf8.count) == text.utf8.count else {
            throw Command.Failed(description: "cannot write \(path)")
        }
        close(file)
    }
}

/// A TCP listener on 127.0.0.1.
private final class Listener {
    let port: UInt16
    private let socket: Int32

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let made = socket
        let isReady = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(made, $0, length) == 0 && listen(made, 8) == 0 && getsockname(made, $0, &length) == 0
            }
        }
        guard isReady else { throw Command.Failed(description: "cannot listen on loopback") }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(socket) }

    func accept() throws -> Int32 {
        let connection = Glibc.accept(socket, nil, nil)
        guard connection >= 0 else { throw Command.Failed(description: "nobody connected") }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        return connection
    }

    /// Reads until nothing came for `quiet` milliseconds, the peer is gone, or `limit` milliseconds are over; gives when the
    /// last byte came.
    static func read(_ connection: Int32, untilQuietFor quiet: Int32, atMost limit: UInt64) -> UInt64 {
        var last: UInt64 = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        let end = monotonic() + limit * 1_000_000
        while monotonic() < end {
            var entry = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, quiet > 0 ? quiet : 5)
            if ready == 0, quiet > 0 { break }
            if ready <= 0 { continue }
            guard Glibc.read(connection, &buffer, buffer.count) > 0 else { break }
            last = monotonic()
        }
        return last
    }
}
