public import Base
internal import CLinux
internal import Glibc

/// A child of Quell's own that talks to Quell over loopback from inside a cgroup, to try a network drop: with sockets that
/// it opened before the drop and with new ones, over TCP and UDP, IPv4 and IPv6, in both directions. It executes nothing
/// and reads nothing but what Quell sends it.
public final class CutProbe {
    /// One way to talk.
    public enum Channel: Int, Sendable, CaseIterable, Codable {
        /// TCP over IPv4.
        case tcp4
        /// UDP over IPv4.
        case udp4
        /// TCP over IPv6.
        case tcp6
        /// UDP over IPv6.
        case udp6

        /// For people.
        public var text: String {
            switch self {
            case .tcp4: "TCP over IPv4"
            case .udp4: "UDP over IPv4"
            case .tcp6: "TCP over IPv6"
            case .udp6: "UDP over IPv6"
            }
        }

        var isStream: Bool { self == .tcp4 || self == .tcp6 }
        var family: NetworkAddress.Family { rawValue < 2 ? .v4 : .v6 }
        var loopback: NetworkAddress { family == .v4 ? .loopback : .loopback6 }
    }

    /// What passed on the sockets that were opened before.
    public struct Passed: Hashable, Sendable, Codable {
        /// From inside to Quell.
        public var outward: Set<Channel> = []
        /// From Quell to inside.
        public var inward: Set<Channel> = []
        /// Starts with nothing.
        public init() {}
    }

    /// The probe's process id, ours as long as this object lives.
    public let pid: Int32
    /// The channels that this machine has.
    public let channels: [Channel]
    private var child: ChildProcess?
    private let control: Descriptor
    private let token: [UInt8]
    /// Our listening TCP and our UDP sockets, by channel.
    private let ends: [Channel: SharedDescriptor]
    private var joined: [Channel: SharedDescriptor] = [:]
    private var ports: [Channel: UInt16] = [:]

    private static let name = BytePath("the probe of the cut")

    /// Starts it. A family that this machine does not have on loopback is left out; `patience` is for each new connection.
    ///
    /// - Throws: `system` when it cannot be started, or when there is no loopback at all.
    public init(patience: Duration = .milliseconds(40)) throws(Failure) {
        var token = [UInt8](repeating: 0, count: Int(QUELL_PROBE_TOKEN))
        guard getentropy(&token, token.count) == 0 else {
            throw Failure(errno: errno, "draw a random token", on: CutProbe.name)
        }
        var ends: [Channel: SharedDescriptor] = [:]
        var ports = [UInt16](repeating: 0, count: Channel.allCases.count)
        for channel in Channel.allCases {
            var address = quell_inet_address(Endpoint(address: channel.loopback, port: 0))
            let number = channel.isStream ? quell_tcp_listen(&address, 16) : quell_udp_bind(&address)
            guard number >= 0 else { continue }
            ends[channel] = SharedDescriptor(Descriptor(adopting: number))
            if quell_socket_name(number, &address) == 0 { ports[channel.rawValue] = address.port }
        }
        guard !ends.isEmpty else {
            throw Failure(.system, "start", on: "\(CutProbe.name)", because: "this machine has no loopback addresses")
        }
        var known = quell_probe_ports(port: (ports[0], ports[1], ports[2], ports[3]))
        var control: Int32 = -1
        var pid: Int32 = -1
        let handle = quell_probe_child(&known, token, Int32(Int(patience.inMilliseconds)), &control, &pid)
        guard handle >= 0 else { throw Failure(errno: -handle, "start", on: CutProbe.name) }
        child = ChildProcess(pid: pid, handle: Descriptor(adopting: handle), name: CutProbe.name)
        self.control = Descriptor(adopting: control)
        self.pid = pid
        self.token = token
        self.ends = ends
        channels = Channel.allCases.filter { ends[$0] != nil }
    }

    /// Opens every channel from where the probe stands now; gives those that could be opened.
    public func open(by deadline: Deadline) throws(Failure) -> Set<Channel> {
        let reply = try ask("o", by: deadline)
        var opened: Set<Channel> = []
        for channel in channels where reply.mask & 1 << UInt32(channel.rawValue) != 0 {
            let port = reply.values(\.port)[channel.rawValue]
            ports[channel] = port
            if channel.isStream {
                guard let end = accept(channel, from: port, by: deadline) else { continue }
                joined[channel] = end
            }
            opened.insert(channel)
        }
        return opened
    }

    /// Sends in both directions on the channels that are open, and looks what arrives within `span`; ends early when
    /// everything has arrived.
    public func exchange(within span: Duration, by deadline: Deadline) throws(Failure) -> Passed {
        let all = Set(ports.keys)
        _ = try ask("s", by: deadline)
        for channel in all { send(on: channel) }
        let end = min(deadline, Deadline(after: span))
        var passed = Passed()
        while true {
            for channel in all where arrived(on: channel) { passed.outward.insert(channel) }
            let counts = try ask("r", by: deadline).values(\.count)
            for channel in all where counts[channel.rawValue] > 0 { passed.inward.insert(channel) }
            if end.hasPassed || passed.outward == all && passed.inward == all { return passed }
            usleep(2000)
        }
    }

    /// Tries new sockets from where the probe stands now; gives the channels on which a connection came about or anything
    /// arrived.
    public func openAnew(by deadline: Deadline) throws(Failure) -> Set<Channel> {
        let reply = try ask("f", by: deadline)
        var reached: Set<Channel> = []
        for channel in channels {
            if channel.isStream, reply.mask & 1 << UInt32(channel.rawValue) != 0 { reached.insert(channel) }
            if channel.isStream, accept(channel, from: nil, by: Deadline(after: .zero)) != nil {
                reached.insert(channel)
            }
            if !channel.isStream, arrived(on: channel) { reached.insert(channel) }
        }
        return reached
    }

    /// Kills it and waits for its end.
    public func end() { child = nil }

    // MARK: Our ends

    private func ask(_ command: Character, by deadline: Deadline) throws(Failure) -> quell_probe_reply {
        var byte = command.asciiValue ?? 0
        var reply = quell_probe_reply()
        guard Glibc.send(control.number, &byte, 1, Int32(MSG_NOSIGNAL)) == 1 else {
            throw Failure(errno: errno, "command", on: CutProbe.name)
        }
        guard control.wait(for: POLLIN, until: deadline) else {
            throw Failure(.timedOut, "command", on: "\(CutProbe.name)", because: "it does not answer")
        }
        let size = MemoryLayout<quell_probe_reply>.size
        guard recv(control.number, &reply, size, 0) == size else {
            throw Failure(.system, "command", on: "\(CutProbe.name)", because: "it has ended")
        }
        return reply
    }

    /// The next connection that waits; one from another port than the given is closed.
    private func accept(_ channel: Channel, from port: UInt16?, by deadline: Deadline) -> SharedDescriptor? {
        guard let listener = ends[channel] else { return nil }
        repeat {
            let number = Glibc.accept(listener.descriptor.number, nil, nil)
            if number >= 0 {
                let end = Descriptor(adopting: number)
                var peer = quell_inet_address()
                let isKnown = quell_socket_peer(end.number, &peer) == 0
                if port == nil || isKnown && peer.port == port { return SharedDescriptor(end) }
                continue
            }
            if errno != EAGAIN, errno != EINTR, errno != ECONNABORTED { return nil }
            if !listener.descriptor.wait(for: POLLIN, until: deadline) { return nil }
        } while !deadline.hasPassed
        return nil
    }

    private func send(on channel: Channel) {
        // What cannot be sent does not arrive, and that is what is looked at.
        if let end = joined[channel] {
            _ = Glibc.send(
                end.descriptor.number,
                token,
                token.count,
                Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            )
        } else if let end = ends[channel], let port = ports[channel], !channel.isStream {
            var to = quell_inet_address(Endpoint(address: channel.loopback, port: port))
            _ = quell_udp_send(end.descriptor.number, &to, token, token.count)
        }
    }

    /// Whether a whole token came.
    private func arrived(on channel: Channel) -> Bool {
        guard let end = channel.isStream ? joined[channel] : ends[channel] else { return false }
        var found = false
        while true {
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                count = recv(end.descriptor.number, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                filled = max(0, count)
            }
            if count <= 0 { return found }
            found = found || bytes.firstRange(of: token) != nil
        }
    }
}

extension quell_probe_reply {
    fileprivate func values<Value>(_ path: KeyPath<quell_probe_reply, (Value, Value, Value, Value)>) -> [Value] {
        let values = self[keyPath: path]
        return [values.0, values.1, values.2, values.3]
    }
}
