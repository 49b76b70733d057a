public import Base
internal import Kernel

/// What was done about the processes outside of a session that carry its networks.
public struct CarrierResult: Hashable, Sendable, Codable {
    /// A process that takes a session's frames from a tap and sends them on by sockets of its own.
    public struct Carrier: Hashable, Sendable, Codable {
        /// Which one.
        public let process: ProcessPin
        /// Its name as bytes.
        public let name: BytePath
        /// Whether the kernel says that it is frozen, in a group of Quell's.
        public var isHeld: Bool
    }

    /// Those that were found.
    public var carriers: [Carrier] = []
    /// The network namespaces whose taps lead nowhere now, by inode.
    public var namespaces: [UInt64] = []
    /// How many sockets of theirs are on record.
    public var recorded = 0
    /// How many of their connections the kernel destroyed.
    public var destroyed = 0
    /// What is not cut, in words for people.
    public var notReached: [String] = []

    /// Starts with none.
    public init() {}
}

/// Cuts user-mode networks: slirp4netns and pasta end the session's connections themselves and go on with sockets of
/// their own, outside of the session's groups, where no drop is (RT22). Such a process serves the session only, so it is
/// held in a frozen group of Quell's, out of the session's reach, and its connections are destroyed with what is queued in
/// them. Its listening sockets stay: a release lets it go on as it was (docs/decisions/0025).
struct CarrierHold {
    private let host: Host
    private let allowed: AllowList

    init(allowing allowed: AllowList, on host: Host) {
        self.allowed = allowed
        self.host = host
    }

    func hold(_ finding: SocketFinding, by deadline: Deadline, apply: Apply) -> CarrierResult {
        var result = CarrierResult()
        do throws(Failure) {
            let wanted = try tapped(finding, &result, deadline)
            guard !wanted.isEmpty else { return result }
            let members = Set(finding.members.map(\.pid))
            let found = try TapCarriers(on: host).find(of: wanted)
            let outside = found.filter { !members.contains($0.process.pid) }
            let own = try unshared(wanted, outside, finding, &result)
            let effects = take(outside.filter { !$0.namespaces.isDisjoint(with: own) }, own, &result, apply)
            let quiet = own.filter { space in
                let those = found.filter { $0.namespaces.contains(space) }
                // Who is of the session is cut with it.
                return !those.isEmpty && those.allSatisfy { members.contains($0.process.pid) || isHeld($0, in: result) }
            }
            result.namespaces = quiet.sorted()
            let spaces = try sweep(&result, deadline, apply)
            try endOrphans(of: effects, in: spaces, &result, deadline, apply)
            tellAllowed(&result)
        } catch {
            result.notReached.append("who carries its network: \(error)")
        }
        return result
    }

    /// The namespaces of the session's that have a tap.
    private func tapped(
        _ finding: SocketFinding,
        _ result: inout CarrierResult,
        _ deadline: Deadline
    ) throws(Failure) -> Set<UInt64> {
        let home = try NamespaceSockets.own(on: host).inode
        var wanted: Set<UInt64> = []
        for (inode, space) in finding.spaces where inode != home {
            do throws(Failure) {
                let links = try NetworkLinks.list(in: space, by: deadline)
                if links.contains(where: { $0.kind == "tun" }) { wanted.insert(inode) }
            } catch {
                result.notReached.append("the interfaces of network namespace \(inode): \(error)")
            }
        }
        return wanted
    }

    /// Those of them in which nobody else stands; of the others it is told who carries them on.
    private func unshared(
        _ wanted: Set<UInt64>,
        _ outside: [TapCarrier],
        _ finding: SocketFinding,
        _ result: inout CarrierResult
    ) throws(Failure) -> Set<UInt64> {
        var own: Set<UInt64> = []
        let pids = Set(outside.map(\.process.pid))
        for inode in wanted.sorted() {
            guard let sharers = try finding.sharers(of: inode, besides: pids, on: host) else {
                own.insert(inode)
                continue
            }
            for carrier in outside where carrier.namespaces.contains(inode) {
                result.notReached.append(
                    "\(carrier.text) carries network namespace \(inode) and is not held: \(sharers) "
                        + "and is not of the session"
                )
            }
        }
        return own
    }

    /// Holds carriers; gives the effects that say where they stood.
    private func take(
        _ carriers: [TapCarrier],
        _ own: Set<UInt64>,
        _ result: inout CarrierResult,
        _ apply: Apply
    ) -> [ContainmentEffect] {
        var found = SupervisorSearch.Findings()
        found.supervisors = carriers.map { carrier in
            let foreign = carrier.namespaces.subtracting(own).min()
            return Supervisor(
                kind: .sharedDaemon,
                name: carrier.process.name,
                detail: "",
                process: carrier.process.pin,
                reason: foreign.map { "it carries network namespace \($0), too, which is not the session's alone" }
            )
        }
        let held = SupervisorHold(host).hold(found, as: .carrier, apply)
        for (carrier, outcome) in zip(carriers, held.supervisors) {
            let pin = carrier.process.pin
            result.carriers.append(.init(process: pin, name: carrier.process.name, isHeld: outcome.isHeld))
            guard !outcome.isHeld else { continue }
            result.notReached.append(
                "\(carrier.text) carries the network of the session and is not held: \(outcome.reason ?? "it runs")"
            )
        }
        return held.effects
    }

    private func isHeld(_ carrier: TapCarrier, in result: CarrierResult) -> Bool {
        result.carriers.contains { $0.process == carrier.process.pin && $0.isHeld }
    }

    /// Puts the sockets of who is held on record and destroys the connections: what is queued in them would still leave.
    /// Gives the network namespaces in which they have sockets.
    private func sweep(
        _ result: inout CarrierResult,
        _ deadline: Deadline,
        _ apply: Apply
    ) throws(Failure) -> [NamespaceSockets] {
        let held = result.carriers.filter(\.isHeld).map(\.process)
        guard !held.isEmpty else { return [] }
        let scope = IsolationScope(groups: try groups(of: held), processes: held)
        let hunt = try SocketHunt(scope, beside: [], on: host)
        let swept = try SocketSweep(hunt, allowing: AllowList(), reach: .connections).run(by: deadline, apply: apply)
        result.recorded = swept.result.recorded
        result.destroyed = swept.result.destroyed
        for socket in swept.last.sockets where socket.inet?.isConnection == true {
            result.notReached.append("not destroyed, though its process is held: \(socket.text)")
        }
        for line in swept.last.unknown { result.notReached.append("of who carries its network: \(line)") }
        let scanner = ProcessScanner(host)
        let guardian = SupervisorHold(host)
        for process in held where !guardian.isFrozen(process, scanner) {
            result.notReached.append("process \(process.pid) carries its network and is no longer held")
        }
        return swept.last.spaces.values.sorted { $0.inode < $1.inode }
    }

    /// The groups in which they are held.
    private func groups(of processes: [ProcessPin]) throws(Failure) -> [CgroupPin] {
        var found: [CgroupPin] = []
        let scanner = ProcessScanner(host)
        for process in processes {
            for line in scanner.cgroups(of: process.pid) ?? [] where Cgroup.isRandomName(line.path) {
                guard let hierarchy = host.hierarchy(named: line.hierarchy) else { continue }
                let pin = try Cgroup(line.path, in: hierarchy).pin
                if !found.contains(pin) { found.append(pin) }
            }
        }
        return found
    }

    /// Connections that a carrier closed while something was queued: nobody holds them any more, and the kernel knows only
    /// the group in which they were made. Where nobody else stood in it they are destroyed; else they are told.
    private func endOrphans(
        of effects: [ContainmentEffect],
        in spaces: [NamespaceSockets],
        _ result: inout CarrierResult,
        _ deadline: Deadline,
        _ apply: Apply
    ) throws(Failure) {
        var origins: [CgroupPin] = []
        for effect in effects {
            guard let held = effect.held(as: .carrier), held.origin.hierarchy == "v2" else { continue }
            if !origins.contains(held.origin) { origins.append(held.origin) }
        }
        guard !origins.isEmpty else { return }
        for space in spaces {
            let sockets = try space.dump(countersWithin: .zero, by: deadline).inet.filter { $0.isOrphanWithData }
            for origin in origins {
                let left = sockets.filter { $0.cgroupID == origin.inode }
                guard !left.isEmpty else { continue }
                if try isDeserted(origin) {
                    try end(left, in: space, &result, deadline, apply)
                } else {
                    let bytes = left.reduce(0) { $0 + UInt64($1.sendQueue) }
                    result.notReached.append(
                        "\(left.count) closed connections that were made in \(origin.path), where the carrier stood "
                            + "with others, still send \(bytes) bytes"
                    )
                }
            }
        }
    }

    private func end(
        _ sockets: [InetSocket],
        in space: NamespaceSockets,
        _ result: inout CarrierResult,
        _ deadline: Deadline,
        _ apply: Apply
    ) throws(Failure) {
        let effect = ContainmentEffect.destroySockets(
            networkNamespace: space.inode,
            cookies: sockets.map(\.cookie)
        )
        var endings: [NamespaceSockets.Ending] = []
        try apply([effect]) { () throws(Failure) in endings = try space.destroy(sockets, by: deadline) }
        result.destroyed += endings.count { $0 == .destroyed }
        for (socket, ending) in zip(sockets, endings) where ending != .destroyed && ending != .gone {
            result.notReached.append("not destroyed: \(socket.local) to \(socket.remote), closed and still sending")
        }
    }

    /// Whether a group below the root holds nobody, so that what was made in it was the carriers'.
    private func isDeserted(_ pin: CgroupPin) throws(Failure) -> Bool {
        guard pin.path != BytePath("/") else { return false }
        do throws(Failure) {
            return try Cgroup(pin, on: host).memberPids().isEmpty
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return true
        }
    }

    private func tellAllowed(_ result: inout CarrierResult) {
        guard !allowed.isEmpty, !result.namespaces.isEmpty else { return }
        for carrier in result.carriers where carrier.isHeld {
            result.notReached.append(
                "what is allowed cannot be reached either: process \(carrier.process.pid) (\(carrier.name)), which "
                    + "carries the network, is held"
            )
        }
    }
}

extension TapCarrier {
    fileprivate var text: String { "process \(process.pid) (\(process.name))" }
}

extension InetSocket {
    /// Whether it is a TCP connection, in any state in which it can still send; a listener is none.
    var isConnection: Bool {
        guard transport == .tcp else { return false }
        switch state {
        case .listen, .closed, .timeWait: return false
        default: return true
        }
    }

    /// Whether nobody holds it and something is queued in it.
    fileprivate var isOrphanWithData: Bool { isConnection && inode == 0 && sendQueue > 0 }
}
