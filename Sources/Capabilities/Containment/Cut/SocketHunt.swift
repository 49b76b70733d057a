internal import Base
internal import Kernel

/// What one look for the sockets of a session found.
struct SocketFinding {
    /// Every socket of the session.
    var sockets: [SessionSocket] = []
    /// The network namespaces in which they are, and in which members stand, by inode.
    var spaces: [UInt64: NamespaceSockets] = [:]
    /// Sockets that do not belong to the session at the other end of its connections, by cookie, with the bytes that
    /// reached them.
    var farEnds: [UInt64: (socket: InetSocket, bytes: UInt64)] = [:]
    /// The members that were looked at.
    var members: [ProcessPin] = []
    /// Where members stand that were born since.
    var places = CgroupPathSet([])
    /// What could not be looked at, in words for people.
    var unknown: [String] = []
    /// Sockets that are registered with an io_uring and stand in no list, by inode, in words for people.
    var unseen: [UInt64: String] = [:]
    /// The inodes of sockets of the session that no table shows.
    var parked: Set<UInt64> = []
    /// Whether every member is frozen.
    var isFrozen = true
    /// Whether the bytes that its connections moved are known.
    var hasCounters = true
}

/// Looks for the sockets of a session: by the cgroup in which they were made, and by the descriptors of its processes,
/// also those that were made elsewhere, before a process was moved or by whoever passed them in (RT22), and those that are
/// parked where no descriptor shows them (RT29).
struct SocketHunt {
    private let host: Host
    private let scope: IsolationScope
    /// The inodes of the groups that are cut, and of all below.
    private let cut: Set<UInt64>

    init(_ scope: IsolationScope, beside drops: [Drop], on host: Host) throws(Failure) {
        self.scope = scope
        self.host = host
        cut = try SocketHunt.inodes(of: drops.map(\.group), on: host)
    }

    /// The inodes of these groups and of all below; a group that is gone has none.
    private static func inodes(of groups: [CgroupPin], on host: Host) throws(Failure) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for pin in groups where pin.hierarchy == "v2" {
            do throws(Failure) {
                try Cgroup(pin, on: host).forEachInTree { group throws(Failure) in found.insert(group.inode) }
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        return found
    }

    /// `hasCounters` is `false` when an earlier look was held up by them.
    func find(countingBytes hasCounters: Bool = true, by deadline: Deadline) throws(Failure) -> SocketFinding {
        var finding = SocketFinding()
        finding.hasCounters = hasCounters
        let own = try SocketHunt.inodes(of: scope.groups, on: host)
        finding.isFrozen = areFrozen()
        var places = ParkingPlaces()
        let held = try holdings(&finding, &places)
        finding.unknown += places.unknown
        finding.places = CgroupPathSet(scope.groups.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) })
        let home = try NamespaceSockets.own(on: host)
        if finding.spaces[home.inode] == nil { finding.spaces[home.inode] = home }
        var dumps: [UInt64: NamespaceSockets.Dump] = [:]
        try dump(&dumps, &finding, deadline)
        let hidden = lookInto(held, beyond: dumps, &finding)
        try dump(&dumps, &finding, deadline)
        let loose = dumps.values.flatMap(\.inet).filter { socket in
            held[socket.inode] == nil && socket.cgroupID.map { !own.contains($0) } ?? true
        }
        let search = ParkedSockets(from: scope.origins, in: places, on: host)
        let parked = try search.find(among: loose, members: finding.members, by: deadline)
        finding.unknown += parked.unknown
        finding.parked = Set(loose.lazy.filter { parked.theirs[$0.cookie] != nil && $0.inode != 0 }.map(\.inode))
        var seen: Set<UInt64> = []
        for (space, dump) in dumps.sorted(by: { $0.key < $1.key }) {
            for socket in dump.inet {
                let isOwn = socket.cgroupID.map(own.contains) ?? false
                let pins = held[socket.inode]?.pins ?? parked.theirs[socket.cookie]
                guard isOwn || pins != nil else { continue }
                seen.insert(socket.inode)
                finding.sockets.append(
                    SessionSocket(
                        in: space,
                        inet: socket,
                        inode: socket.inode,
                        holders: pins ?? [],
                        isCut: socket.cgroupID.map(cut.contains)
                    )
                )
            }
            for socket in dump.unix {
                if let pin = places.registered[socket.inode]?.first {
                    finding.unknown.append(
                        "what is in flight to a unix socket that process \(pin.pid) registered with an io_uring"
                    )
                    seen.insert(socket.inode)
                }
                guard let holders = held[socket.inode]?.pins else { continue }
                seen.insert(socket.inode)
                finding.sockets.append(SessionSocket(in: space, unix: socket, inode: socket.inode, holders: holders))
            }
        }
        for (inode, found) in hidden.sorted(by: { $0.key < $1.key }) where !seen.contains(inode) {
            let holders = held[inode]?.pins ?? []
            finding.sockets.append(SessionSocket(in: found.space, other: found.facts, inode: inode, holders: holders))
        }
        for (inode, pins) in places.registered where !seen.contains(inode) {
            guard let pin = pins.first else { continue }
            finding.unseen[inode] = "what socket \(inode) is that process \(pin.pid) registered with an io_uring"
        }
        keepFarEnds(of: dumps, &finding)
        return finding
    }

    private func areFrozen() -> Bool {
        guard !scope.groups.isEmpty else { return false }
        return scope.groups.allSatisfy { pin in
            do throws(Failure) {
                let group = try Cgroup(pin, on: host)
                if try FreezerControl(group).current() == .frozen { return true }
                return try isCovered(group)
            } catch {
                // A group that is gone holds nobody.
                return error.code == .notFound || error.code == .changed
            }
        }
    }

    /// Whether everybody in a v1 group stands in one of the v2 groups, which hold them then.
    private func isCovered(_ group: Cgroup) throws(Failure) -> Bool {
        guard !group.hierarchy.isUnified else { return false }
        let paths = scope.groups.filter { $0.hierarchy == "v2" }
        let lines = CgroupPathSet(paths.map { CgroupLine(hierarchy: "v2", path: $0.path) })
        let scanner = ProcessScanner(host)
        for pid in try group.treeMembers().flatMap(\.pids) where scanner.stands(in: lines, pid: pid) == false {
            return false
        }
        return true
    }

    // MARK: Descriptors

    private struct Held {
        var pins: [ProcessPin] = []
        var descriptor: SocketHolding
    }

    private func holdings(
        _ finding: inout SocketFinding,
        _ places: inout ParkingPlaces
    ) throws(Failure) -> [UInt64: Held] {
        var held: [UInt64: Held] = [:]
        for pid in try pids() {
            do throws(Failure) {
                let process = try ProcessDirectory(pid, on: host)
                let stat = try process.stat()
                let pin = stat.pin
                finding.members.append(pin)
                if try standsOutside(process, stat.numbers) {
                    finding.unknown.append(
                        "process \(pid) stands outside the groups that are cut: its new sockets get out"
                    )
                }
                let table = try process.socketTable { held[$0] != nil }
                places.take(table, of: pin)
                for holding in table.holdings {
                    held[holding.inode, default: Held(descriptor: holding)].pins.append(pin)
                }
                for (inode, thread) in try process.networkNamespaces() where finding.spaces[inode] == nil {
                    finding.spaces[inode] = try NamespaceSockets(of: process, thread: thread)
                }
            } catch {
                // A process that has ended has no sockets.
                guard error.code != .notFound, error.code != .changed, error.errno != 3 else { continue }
                finding.unknown.append("sockets that process \(pid) may have: \(error)")
            }
        }
        return held
    }

    /// Whether a member, of a v1 group say, makes its sockets where no drop is.
    private func standsOutside(
        _ process: borrowing ProcessDirectory,
        _ numbers: StatNumbers
    ) throws(Failure) -> Bool {
        let lines = try process.places(isHeadless: numbers.isHeadless).flatMap { $0 }
        return lines.contains { line in
            line.hierarchy == "v2"
                && !scope.groups.contains { $0.hierarchy == "v2" && line.path.isAtOrBelow($0.path) }
        }
    }

    /// Everybody in the groups and whoever is named besides; never Quell itself.
    private func pids() throws(Failure) -> [Int32] {
        var pids: Set<Int32> = []
        for pin in scope.processes where try isAlive(pin) { pids.insert(pin.pid) }
        var groups: [Cgroup] = []
        for pin in scope.groups {
            do throws(Failure) {
                let group = try Cgroup(pin, on: host).domain()
                pids.formUnion(try group.treeMembers().flatMap(\.pids))
                groups.append(group)
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        pids.formUnion(try Headless(in: groups, on: host).any.map(\.pid))
        return pids.subtracting([Responder.ownPid, 0]).sorted()
    }

    /// Who cannot be looked at for another reason than that it has ended may have sockets.
    private func isAlive(_ pin: ProcessPin) throws(Failure) -> Bool {
        do throws(Failure) {
            _ = try ProcessDirectory(pin, on: host)
            return true
        } catch {
            guard error.isOfEndedProcess || error.code == .changed else { throw error }
            return false
        }
    }

    // MARK: Lists

    private func dump(
        _ dumps: inout [UInt64: NamespaceSockets.Dump],
        _ finding: inout SocketFinding,
        _ deadline: Deadline
    ) throws(Failure) {
        for (inode, space) in finding.spaces where dumps[inode] == nil {
            let patience: Duration = finding.hasCounters ? .milliseconds(500) : .zero
            let dump = try space.dump(countersWithin: patience, by: deadline)
            finding.hasCounters = finding.hasCounters && dump.hasCounters
            dumps[inode] = dump
        }
        if !finding.hasCounters {
            finding.unknown.append("how many bytes its sockets moved: a process holds the lock of one of them")
        }
    }

    /// Held sockets that no list has: of other families, closed, or in a namespace where no process stands.
    private func lookInto(
        _ held: [UInt64: Held],
        beyond dumps: [UInt64: NamespaceSockets.Dump],
        _ finding: inout SocketFinding
    ) -> [UInt64: (facts: SocketFacts, space: UInt64)] {
        var known: Set<UInt64> = []
        for dump in dumps.values {
            known.formUnion(dump.inet.map(\.inode))
            known.formUnion(dump.unix.map(\.inode))
        }
        var found: [UInt64: (facts: SocketFacts, space: UInt64)] = [:]
        for (inode, one) in held where !known.contains(inode) {
            guard let pin = one.pins.first else { continue }
            do throws(Failure) {
                let seen = try PidFD(pin, on: host).facts(of: one.descriptor)
                found[inode] = (seen.facts, seen.space.inode)
                if finding.spaces[seen.space.inode] == nil { finding.spaces[seen.space.inode] = seen.space }
            } catch {
                // Closed meanwhile, with its process or without.
                guard error.code != .notFound, error.code != .changed, error.errno != 9, error.errno != 3 else {
                    continue
                }
                finding.unknown.append("what socket \(inode) of process \(pin.pid) is: \(error)")
            }
        }
        return found
    }

    /// The other ends of the session's connections on this machine.
    private func keepFarEnds(of dumps: [UInt64: NamespaceSockets.Dump], _ finding: inout SocketFinding) {
        struct Ends: Hashable {
            let near: Endpoint
            let far: Endpoint
        }
        var near: Set<Ends> = []
        var mine: Set<UInt64> = []
        for case let socket? in finding.sockets.map(\.inet) where socket.transport == .tcp {
            near.insert(Ends(near: socket.local.unmapped, far: socket.remote.unmapped))
            mine.insert(socket.cookie)
        }
        guard !near.isEmpty else { return }
        for dump in dumps.values {
            for socket in dump.inet where socket.transport == .tcp && !mine.contains(socket.cookie) {
                guard near.contains(Ends(near: socket.remote.unmapped, far: socket.local.unmapped)) else { continue }
                finding.farEnds[socket.cookie] = (socket, socket.counters?.bytesReceived ?? 0)
            }
        }
    }
}
