public import Base
internal import Glibc

/// The sockets of one network namespace, asked for and ended by a child of Quell's: nothing that a session does to its
/// sockets can hold Quell up.
public final class NamespaceSockets: Sendable {
    /// What one look saw.
    public struct Dump: Sendable {
        /// TCP, UDP and raw.
        public var inet: [InetSocket] = []
        /// Unix sockets.
        public var unix: [UnixSocket] = []
        /// Whether the byte counters are there: not when a process holds the lock of one of its sockets.
        public var hasCounters = true
        /// Whether the kernel's tables changed meanwhile, or there were messages that this version could not read.
        public var isUncertain = false
    }

    /// What became of one socket.
    public enum Ending: Hashable, Sendable {
        /// The kernel ended it.
        case destroyed
        /// It had ended already.
        case gone
        /// A process holds its lock and does not give it back.
        case locked
        /// The kernel refused, with this errno. EOPNOTSUPP: it was built without INET_DIAG_DESTROY.
        case refused(Int32)
    }

    /// The inode of the namespace.
    public let inode: UInt64
    private let descriptor: Descriptor

    /// Takes over an open descriptor of the namespace.
    public init(adopting descriptor: consuming Descriptor) throws(Failure) {
        inode = try descriptor.identity(of: BytePath("ns/net")).inode
        self.descriptor = descriptor
    }

    /// The namespace of one thread of a process; of its leader when none is named.
    public convenience init(of process: borrowing ProcessDirectory, thread: Int32? = nil) throws(Failure) {
        try self.init(adopting: process.open(thread.map { "task/\($0)/ns/net" } ?? "ns/net", O_RDONLY))
    }

    /// The namespace of Quell itself.
    public static func own(on host: Host) throws(Failure) -> NamespaceSockets {
        try NamespaceSockets(of: ProcessDirectory(ProcessScanner.ownPid, on: host))
    }

    /// The namespace with that inode, found by a process that stands in it.
    ///
    /// - Throws: `notFound` when no process does any more.
    public static func find(_ inode: UInt64, on host: Host) throws(Failure) -> NamespaceSockets {
        for pid in try ProcessScanner(host).pids() {
            if let found = find(inode, of: pid, on: host) { return found }
        }
        throw Failure(
            .notFound,
            "find the network namespace",
            on: "\(inode)",
            because: "no process stands in it any more"
        )
    }

    private static func find(_ inode: UInt64, of pid: Int32, on host: Host) -> NamespaceSockets? {
        // A process that ends meanwhile, or that may not be looked at, is not the one.
        do throws(Failure) {
            let process = try ProcessDirectory(pid, on: host)
            guard try process.namespace(.network) == inode else { return nil }
            let found = try NamespaceSockets(of: process)
            return found.inode == inode ? found : nil
        } catch {
            return nil
        }
    }

    /// For a child that is to work in it.
    public var number: Int32 { descriptor.number }

    /// All sockets. When the byte counters cannot be had within `patience`, the sockets are listed without them.
    ///
    /// - Throws: `timedOut` when the kernel does not answer, `notPermitted` without the right to enter.
    public func dump(countersWithin patience: Duration = .milliseconds(500), by deadline: Deadline) throws(Failure)
        -> Dump
    {
        if patience > .zero {
            let soon = min(deadline, Deadline(after: patience))
            if let dump = try dump(withCounters: true, by: soon) { return dump }
        }
        if let dump = try dump(withCounters: false, by: deadline) { return dump }
        throw Failure(.timedOut, "list the sockets", on: "network namespace \(inode)", because: "no answer in time")
    }

    /// The unix sockets that listen, and nothing else, where a freeze waits for it.
    ///
    /// - Throws: `timedOut` when the kernel does not answer, `notPermitted` without the right to enter.
    public func unixListeners(by deadline: Deadline) throws(Failure) -> [UnixSocket] {
        let answers = try NetlinkChild([SockDiagMessage.unixListeners(sequence: 1)], in: number, by: deadline).answers
        guard let answer = answers.first else {
            throw Failure(.timedOut, "list the sockets", on: "network namespace \(inode)", because: "no answer in time")
        }
        var dump = Dump()
        return try dump.payloads(answer, sequence: 1).compactMap(SockDiagMessage.unixSocket)
    }

    private func dump(withCounters: Bool, by deadline: Deadline) throws(Failure) -> Dump? {
        var requests: [[UInt8]] = []
        var kinds: [(InetSocket.Transport, NetworkAddress.Family)] = []
        for transport in InetSocket.Transport.allCases {
            for family in [NetworkAddress.Family.v4, .v6] {
                kinds.append((transport, family))
                requests.append(
                    SockDiagMessage.inetDump(
                        transport,
                        family,
                        sequence: UInt32(kinds.count),
                        withCounters: withCounters
                    )
                )
            }
        }
        requests.append(SockDiagMessage.unixDump(sequence: UInt32(kinds.count + 1)))
        let answers = try NetlinkChild(requests, in: number, by: deadline).answers
        guard answers.count == requests.count else { return nil }
        var dump = Dump()
        dump.hasCounters = withCounters
        for (index, kind) in kinds.enumerated() {
            let payloads = try dump.payloads(answers[index], sequence: UInt32(index + 1))
            let sockets = payloads.compactMap { SockDiagMessage.inetSocket($0, kind.0) }
            dump.isUncertain = dump.isUncertain || sockets.count < payloads.count
            dump.inet += sockets
        }
        let payloads = try dump.payloads(answers[kinds.count], sequence: UInt32(kinds.count + 1))
        dump.unix = payloads.compactMap(SockDiagMessage.unixSocket)
        dump.isUncertain = dump.isUncertain || dump.unix.count < payloads.count
        return dump
    }

    /// Ends sockets by SOCK_DESTROY, each by its two ends and its cookie. One whose lock is held is given up after
    /// `patience`; the others are ended all the same.
    ///
    /// - Throws: `notPermitted` without the right to enter. What could not be ended is in the result.
    public func destroy(
        _ sockets: [InetSocket],
        patience: Duration = .milliseconds(500),
        by deadline: Deadline
    ) throws(Failure) -> [Ending] {
        var endings: [Ending] = []
        while endings.count < sockets.count {
            guard !deadline.hasPassed else {
                return endings + [Ending](repeating: .locked, count: sockets.count - endings.count)
            }
            let rest = sockets[endings.count...]
            let requests = rest.enumerated().map {
                SockDiagMessage.destruction(of: $1, sequence: UInt32($0 + 1))
            }
            let end = min(deadline, Deadline(after: patience + .microseconds(50 * rest.count)))
            let answers = try NetlinkChild(requests, in: number, by: end).answers
            for (index, datagrams) in answers.enumerated() {
                endings.append(NamespaceSockets.ending(datagrams, sequence: UInt32(index + 1)))
            }
            if answers.count < rest.count { endings.append(.locked) }
        }
        return endings
    }

    private static func ending(_ datagrams: [[UInt8]], sequence: UInt32) -> Ending {
        for datagram in datagrams {
            for case .error(let number) in SockDiagMessage.answers(in: datagram[...], sequence: sequence).answers {
                switch number {
                case 0: return .destroyed
                case ENOENT: return .gone
                default: return .refused(number)
                }
            }
        }
        return .refused(EBADMSG)
    }
}

extension NamespaceSockets.Dump {
    fileprivate mutating func payloads(_ datagrams: [[UInt8]], sequence: UInt32) throws(Failure) -> [ByteReader] {
        var found: [ByteReader] = []
        for datagram in datagrams {
            let (answers, interrupted, isWhole) = SockDiagMessage.answers(in: datagram[...], sequence: sequence)
            isUncertain = isUncertain || interrupted || !isWhole
            for answer in answers {
                switch answer {
                case .socket(let payload): found.append(payload)
                // ENOENT: the kernel was built without this kind.
                case .done(0), .done(ENOENT), .error(0), .error(ENOENT), .other: continue
                case .done(let number), .error(let number):
                    throw Failure(errno: number, "list sockets", on: BytePath("sock_diag"))
                }
            }
        }
        return found
    }
}
