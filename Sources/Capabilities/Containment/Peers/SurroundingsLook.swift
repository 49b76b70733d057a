public import Base
public import Kernel

extension Surroundings {
    /// Looks who is joined to `members`, what these serve and which locks they hold: descriptor tables of every process
    /// of this machine, and lists of sockets. Links and numbers are read; nothing that the session serves is opened. It
    /// takes milliseconds, so it comes after the proof of a freeze, never before it (RT7).
    ///
    /// What could not be looked at is in the result and no error. The lists of sockets come from a child that is given up
    /// at the deadline; what comes from them is looked at for no more than 200 ms.
    public static func look(
        at members: [ProcessPin],
        sparing own: Set<Int32> = [],
        on host: Host,
        by deadline: Deadline
    ) -> Surroundings {
        var look = SurroundingsLook(host, deadline)
        look.readMembers(members)
        look.readOutsiders(except: own.union([ProcessScanner.ownPid]))
        look.readServersOfFIFOs()
        look.readSockets()
        var found = look.surroundings(by: min(deadline, Deadline(after: .milliseconds(200))))
        found.bound()
        return found
    }
}

/// The state of one look.
private struct SurroundingsLook {
    private let host: Host
    private let deadline: Deadline
    private var members: [JoinedProcess] = []
    private var outsiders: [JoinedProcess] = []
    private var spaces: [UInt64: NamespaceSockets] = [:]
    private var unix: [UnixSocket] = []
    private var inet: [SeenInetSocket] = []
    private var hidden = 0
    /// The inodes of the named FIFOs that are looked for with outsiders.
    private var fifos: Set<UInt64> = []
    private var unknown: [String] = []

    init(_ host: Host, _ deadline: Deadline) {
        self.host = host
        self.deadline = deadline
    }

    mutating func readMembers(_ pins: [ProcessPin]) {
        for pin in pins {
            guard !deadline.hasPassed else { return tellHurry("members") }
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                let joints = try process.joints(fifos: .all, by: deadline)
                members.append(JoinedProcess(pin: pin, name: try process.stat().name, joints: joints))
                guard let space = try process.namespace(.network), spaces[space] == nil else { continue }
                spaces[space] = try NamespaceSockets(of: process)
            } catch {
                // Who has ended is joined to nobody.
                guard error.code != .notFound, error.code != .changed, error.errno != 3 else { continue }
                unknown.append("what process \(pin.pid) is joined to: \(error.reason)")
            }
        }
    }

    /// Everybody else; of named FIFOs those of the members, so that the files of a whole machine are not looked at.
    mutating func readOutsiders(except own: Set<Int32>) {
        fifos = SurroundingsLook.inodes(of: members)
        let inside = Set(members.map(\.pin.pid))
        let scanner = ProcessScanner(host)
        do throws(Failure) {
            for pid in try scanner.pids() where !inside.contains(pid) && !own.contains(pid) {
                guard !deadline.hasPassed else { return tellHurry("processes outside") }
                guard let stat = scanner.namedStat(of: pid), !stat.numbers.isKernelThread, !stat.numbers.isDead else {
                    continue
                }
                readOutsider(stat)
            }
        } catch {
            unknown.append("who is joined to it: \(error)")
        }
        if hidden > 0 { unknown.append("what \(hidden) processes outside are joined to: not permitted") }
    }

    /// A tool server at a FIFO may have others for its other clients: where there is such a server, all FIFOs that it has
    /// are looked for with everybody.
    mutating func readServersOfFIFOs() {
        guard !fifos.isEmpty else { return }
        var all = fifos
        for server in outsiders where !server.joints.fifos.isEmpty {
            do throws(Failure) {
                let joints = try ProcessDirectory(server.pin, on: host).joints(fifos: .all, by: deadline)
                all.formUnion(joints.fifos.keys.map(\.inode))
            } catch {
                // Who has ended serves nobody.
                continue
            }
        }
        guard all != fifos else { return }
        fifos = all
        let seen = outsiders
        outsiders = []
        for one in seen {
            guard !deadline.hasPassed else {
                outsiders = seen
                return tellHurry("clients of its servers")
            }
            guard let stat = ProcessScanner(host).namedStat(of: one.pin.pid), stat.pin == one.pin else { continue }
            readOutsider(stat)
        }
    }

    private static func inodes(of processes: [JoinedProcess]) -> Set<UInt64> {
        Set(processes.flatMap { $0.joints.fifos.keys.map(\.inode) })
    }

    private mutating func readOutsider(_ stat: ProcessStat) {
        do throws(Failure) {
            let joints = try ProcessDirectory(stat.pin, on: host).joints(fifos: .among(fifos), by: deadline)
            outsiders.append(JoinedProcess(pin: stat.pin, name: stat.name, joints: joints))
        } catch {
            // The machine's first process may hide from root; it is nobody's tool server.
            if error.code == .notPermitted, stat.pid > 1 { hidden += 1 }
            if error.code == .timedOut { unknown.append("what process \(stat.pid) is joined to: \(error.reason)") }
        }
    }

    mutating func readSockets() {
        do throws(Failure) {
            let home = try NamespaceSockets.own(on: host)
            if spaces[home.inode] == nil { spaces[home.inode] = home }
        } catch {
            unknown.append("the sockets of this machine: \(error)")
        }
        for (inode, space) in spaces.sorted(by: { $0.key < $1.key }) {
            do throws(Failure) {
                // Without counters, which need the lock of each socket.
                let dump = try space.dump(countersWithin: .zero, by: deadline)
                unix += dump.unix
                inet += dump.inet.map { SeenInetSocket(space: inode, socket: $0) }
                if dump.isUncertain { unknown.append("the list of sockets changed while it was read") }
            } catch {
                unknown.append("the sockets of network namespace \(inode): \(error)")
            }
        }
    }

    func surroundings(by deadline: Deadline) -> Surroundings {
        var found = Surroundings()
        found.unknown = unknown
        let finding = JointFinding(
            members: members,
            outsiders: outsiders,
            unix: unix,
            inet: inet,
            by: deadline
        )
        found.peers = finding.peers(&found.unknown)
        found.services = finding.services(&found.unknown)
        addLocks(&found, deadline)
        return found
    }

    /// A lock is a member's when the kernel names it as the taker, or when a descriptor of a member stands for it: who
    /// took it may have ended, and a lock of an open file description has no taker.
    private func addLocks(_ found: inout Surroundings, _ deadline: Deadline) {
        do throws(Failure) {
            let all = try host.fileLocks()
            guard !all.isEmpty else { return }
            let inside = Set(members.map(\.pin.pid))
            let scanner = ProcessScanner(host)
            let pids = Set(all.compactMap(\.pid))
            let isAnybodys = all.contains { $0.pid == nil } || pids.contains { scanner.stat(of: $0) == nil }
            let takers = pids.intersection(inside)
            let list = LockList(all)
            var told = LockList.Told()
            for member in members where takers.contains(member.pin.pid) || isAnybodys {
                guard !deadline.hasPassed else {
                    found.unknown.append("which locks the rest holds: no time was left")
                    return
                }
                try addLocks(of: member, list, &told, &found, deadline)
            }
        } catch {
            found.unknown.append("which locks it holds: \(error)")
        }
    }

    private func addLocks(
        of member: JoinedProcess,
        _ all: LockList,
        _ told: inout LockList.Told,
        _ found: inout Surroundings,
        _ deadline: Deadline
    ) throws(Failure) {
        var own: [(lock: FileLock, path: BytePath)] = []
        do throws(Failure) {
            own = try ProcessDirectory(member.pin, on: host).locks(by: deadline)
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
        }
        for (lock, path) in own {
            var counted = lock
            counted.waiting = all.waiting(for: lock)
            if told.insert(counted) { found.locks.append(SessionLock(process: member.pin, lock: counted, path: path)) }
        }
        for lock in all.taken(by: member.pin.pid) where told.insert(fileOf: lock) {
            found.locks.append(SessionLock(process: member.pin, lock: lock, path: nil))
        }
    }

    private mutating func tellHurry(_ who: String) {
        unknown.append("what the rest of the \(who) is joined to: no time was left")
    }
}
