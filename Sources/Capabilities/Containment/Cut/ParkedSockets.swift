internal import Base
internal import Kernel

/// Where members of a session can have parked sockets that no descriptor of theirs shows (RT29): in messages that nobody
/// has received, and in the files of an io_uring.
struct ParkingPlaces {
    /// Sockets that are registered with an io_uring, by inode, with the members.
    private(set) var registered: [UInt64: [ProcessPin]] = [:]
    /// Whether any member has such a place that is in use.
    private(set) var areUsed = false
    /// What may be parked and cannot be told, in words for people.
    private(set) var unknown: [String] = []

    mutating func take(_ table: SocketTable, of pin: ProcessPin) {
        for inode in table.registered { registered[inode, default: []].append(pin) }
        if table.inFlight > 0 || table.rings > 0 { areUsed = true }
        if table.inFlight > 0 {
            unknown.append(
                "what is in flight to process \(pin.pid): \(table.inFlight) descriptors that nobody has received, and a "
                    + "socket among them gets out past the drop"
            )
        }
        if table.unnamed > 0 {
            unknown.append(
                "what \(table.unnamed) files are that process \(pin.pid) registered with an io_uring: this kernel does "
                    + "not tell"
            )
        }
        if table.busyRings > 0 {
            unknown.append("what process \(pin.pid) registered with an io_uring: it is in use")
        }
    }
}

/// Finds connections of a session that no process has in its table: in the groups that its members were moved out of, or
/// registered with their io_urings, or closed with a queue that the kernel goes on sending. Whatever somebody else's table
/// shows is left alone (RT11).
struct ParkedSockets {
    /// What a search found.
    struct Finding {
        /// The session's, by cookie, with the members that keep them where that is known.
        var theirs: [UInt64: [ProcessPin]] = [:]
        /// Those that may be the session's, and what could not be looked at, in words for people.
        var unknown: [String] = []
    }

    private let host: Host
    /// The v2 groups that members were moved out of, by inode.
    private let origins: [UInt64: CgroupPin]
    private let places: ParkingPlaces

    init(from origins: [CgroupPin], in places: ParkingPlaces, on host: Host) {
        let unified = origins.filter { $0.hierarchy == "v2" }
        self.origins = Dictionary(unified.map { ($0.inode, $0) }) { first, _ in first }
        self.places = places
        self.host = host
    }

    /// Searches among sockets that no member has in its table.
    func find(
        among sockets: [InetSocket],
        members: [ProcessPin],
        by deadline: Deadline
    ) throws(Failure) -> Finding {
        var finding = Finding()
        var orphans = sockets.filter { socket in
            guard socket.inode != 0 else { return false }
            if places.registered[socket.inode] != nil { return true }
            return origin(of: socket) != nil && socket.remote.port != 0 && socket.state != .listen
        }
        // Looked at twice: what is passed between two others is in no table for a moment.
        for _ in 0..<2 where !orphans.isEmpty {
            let others = try tables(besides: Set(members.map(\.pid)), deadline)
            guard others.isWhole else {
                let count = orphans.count
                finding.unknown.append("whether others hold \(count) sockets that may be its own: no time was left")
                return finding
            }
            orphans.removeAll { socket in
                let isHeld = others.sockets.contains(socket.inode)
                if isHeld, let pin = places.registered[socket.inode]?.first {
                    finding.unknown.append(
                        "\(socket.words) is registered with an io_uring of process \(pin.pid) and held by others, too"
                    )
                }
                return isHeld
            }
            orphans.removeAll { socket in
                // Of who hides from root, as a guarded first process does, no more is known than the group.
                guard let group = socket.cgroupID, others.hiddenGroups.contains(group),
                    places.registered[socket.inode] == nil
                else { return false }
                if places.areUsed { finding.unknown.append("\(socket.words) is held by nobody who may be looked at") }
                return true
            }
        }
        let closed = sockets.filter { $0.isClosedWithQueue && origin(of: $0) != nil }
        let uids = orphans.isEmpty && closed.isEmpty ? [] : try uids(of: members)
        for socket in orphans {
            if let pins = places.registered[socket.inode] {
                finding.theirs[socket.cookie] = pins
            } else if uids.contains(socket.uid), places.areUsed || socket.uid != 0 {
                finding.theirs[socket.cookie] = []
            } else {
                // The kernel has such sockets itself, as root: those of a network filesystem.
                finding.unknown.append("\(socket.words) was made where its members came from and no process holds it")
            }
        }
        for socket in closed where uids.contains(socket.uid) {
            guard let group = origin(of: socket) else { continue }
            // Where nobody else stands, nobody else made it.
            if try isEmpty(group) {
                finding.theirs[socket.cookie] = []
            } else {
                finding.unknown.append(
                    "\(socket.words) was made where its members came from and closed, and \(socket.sendQueue) bytes of it "
                        + "are still sent"
                )
            }
        }
        return finding
    }

    private func origin(of socket: InetSocket) -> CgroupPin? { socket.cgroupID.flatMap { origins[$0] } }

    private func isEmpty(_ pin: CgroupPin) throws(Failure) -> Bool {
        do throws(Failure) {
            let group = try Cgroup(pin, on: host)
            if group.isRoot { return false }
            return try !FreezerControl(group).isPopulated()
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return true
        }
    }

    private struct Tables {
        var sockets: Set<UInt64> = []
        /// The inodes of the groups of processes that may not be looked at, even by root.
        var hiddenGroups: Set<UInt64> = []
        var isWhole = true
    }

    private func tables(besides members: Set<Int32>, _ deadline: Deadline) throws(Failure) -> Tables {
        var tables = Tables()
        for pid in try ProcessScanner(host).pids() where !members.contains(pid) {
            guard !deadline.hasPassed else {
                tables.isWhole = false
                return tables
            }
            do throws(Failure) {
                let process = try ProcessDirectory(pid, on: host)
                do throws(Failure) {
                    tables.sockets.formUnion(try process.socketHoldings().map(\.inode))
                } catch {
                    guard error.code == .notPermitted else { throw error }
                    for line in try process.cgroups() where line.hierarchy == "v2" {
                        guard let unified = host.unified else { continue }
                        tables.hiddenGroups.insert(try Cgroup(line.path, in: unified).inode)
                    }
                }
            } catch {
                // A process that has ended holds nothing.
                guard error.code != .notFound, error.code != .changed, error.errno != 3 else { continue }
                throw error
            }
        }
        return tables
    }

    private func uids(of members: [ProcessPin]) throws(Failure) -> Set<UInt32> {
        var uids: Set<UInt32> = []
        for pin in members {
            do throws(Failure) {
                uids.formUnion(try ProcessDirectory(pin, on: host).status().uids)
            } catch {
                guard error.code == .notFound || error.code == .changed || error.errno == 3 else { throw error }
            }
        }
        return uids
    }
}

extension InetSocket {
    /// Whether nobody can have it any more and the kernel sends on what is queued.
    fileprivate var isClosedWithQueue: Bool {
        switch state {
        case .finWait1, .closing, .lastAck: inode == 0 && sendQueue > 0
        default: false
        }
    }

    fileprivate var words: String { "\(transport.rawValue) \(local) to \(remote) (uid \(uid))" }
}
