public import Base
public import Kernel
internal import Glibc

/// One primitive act of containment: it can be probed alone, and undone alone where there is an inverse. Everything it
/// needs to be undone is in it, so that it is on disk before the act.
public enum ContainmentEffect: Hashable, Sendable {
    /// Freeze a group and all below. `requestedBefore` says that somebody had asked for it already: then nothing undoes it.
    case freeze(group: CgroupPin, requestedBefore: Bool)
    /// Thaw a group.
    case thaw(group: CgroupPin)
    /// Make a group of that name at the root of a hierarchy.
    case makeGroup(hierarchy: String, name: String)
    /// Remove an empty group that Quell made.
    case removeGroup(group: CgroupPin)
    /// Move a process with all its threads.
    case move(process: ProcessPin, from: CgroupPin, to: CgroupPin)
    /// Move one thread of a process between v1 groups.
    case moveThread(process: ProcessPin, thread: Int32, from: CgroupPin, to: CgroupPin)
    /// Attach the drop program with that id both ways.
    case attachDrop(group: CgroupPin, program: UInt32)
    /// Detach the drop program with that id both ways.
    case detachDrop(group: CgroupPin, program: UInt32)
    /// Send a signal to one process.
    case signal(process: ProcessPin, number: Int32)
    /// Kill everything in a group and below.
    case killGroup(group: CgroupPin)
    /// Keep on record what these sockets of the session are. Changes nothing: it is evidence of what is destroyed next.
    case recordSockets([SessionSocket])
    /// Destroy these sockets of a network namespace. Nothing brings them back.
    case destroySockets(networkNamespace: UInt64, cookies: [UInt64])
    /// Make a group of that name below another one, for the probe that tries a cut.
    case beginTrial(parent: CgroupPin, name: String)
    /// Remove that group.
    case endTrial(parent: CgroupPin, name: String)
    /// Load a table of nftables.
    case addTable(PacketTable)
    /// Remove a table of nftables.
    case removeTable(PacketTable)
    /// Make a group of that name at the root of a hierarchy, for supervisors, peers or carriers, and freeze it while it is
    /// empty.
    case makeHold(hierarchy: String, name: String)
    /// Hold a supervisor: move it into Quell's frozen group.
    case hold(process: ProcessPin, from: CgroupPin, into: CgroupPin)
    /// Hold a process that carries the session's network from outside: move it into Quell's frozen group.
    case holdCarrier(process: ProcessPin, from: CgroupPin, into: CgroupPin)
    /// Let it go: move it back to where it stood.
    case letCarrierGo(process: ProcessPin, from: CgroupPin, to: CgroupPin)
    /// Keep systemd from restarting and killing a unit: that drop-in, taken up by that systemctl.
    case holdUnit(unit: String, dropIn: BytePath, systemctl: BytePath)
    /// Take that drop-in away.
    case letUnitGo(unit: String, dropIn: BytePath, systemctl: BytePath)
    /// Stop a timer, a socket or a path of systemd's that starts a unit.
    case stopUnit(unit: String, systemctl: BytePath)
    /// Start it again.
    case startUnit(unit: String, systemctl: BytePath)
    /// Turn the watchdog that systemd has for a running service off.
    case quietWatchdog(Watchdog)
    /// Turn it on again, as it was.
    case wakeWatchdog(Watchdog)
    /// Make an entry of cron's a comment.
    case holdEntry(CronHold)
    /// Make that comment an entry again.
    case letEntryGo(CronHold)
    /// Have a QEMU pause its machine, by its monitor at that path.
    case pauseMachine(process: ProcessPin, monitor: BytePath)
    /// Have it go on.
    case continueMachine(process: ProcessPin, monitor: BytePath)
    /// Let a supervisor go: move it from Quell's frozen group back to where it stood.
    case letGo(process: ProcessPin, from: CgroupPin, to: CgroupPin)

    /// The effect that takes this one back, or `nil` where there is none: a kill, a freeze that somebody else had asked
    /// for before, a made group (its inode is not known when it is made; see ``Thaw``), a detached program (the next one
    /// has another id).
    public var inverse: ContainmentEffect? {
        switch self {
        case .freeze(let group, let requestedBefore): requestedBefore ? nil : .thaw(group: group)
        case .thaw(let group): .freeze(group: group, requestedBefore: false)
        case .move(let process, let from, let to): .move(process: process, from: to, to: from)
        case .moveThread(let process, let thread, let from, let to):
            .moveThread(process: process, thread: thread, from: to, to: from)
        case .attachDrop(let group, let program): .detachDrop(group: group, program: program)
        case .signal(let process, let number):
            switch number {
            case SIGSTOP: .signal(process: process, number: SIGCONT)
            case SIGCONT: .signal(process: process, number: SIGSTOP)
            default: nil
            }
        case .beginTrial(let parent, let name): .endTrial(parent: parent, name: name)
        case .addTable(let table): .removeTable(table)
        case .recordSockets, .destroySockets, .endTrial, .removeTable: nil
        case .hold(let process, let from, let into): .letGo(process: process, from: into, to: from)
        case .letGo(let process, let from, let to): .hold(process: process, from: to, into: from)
        case .holdCarrier(let process, let from, let into): .letCarrierGo(process: process, from: into, to: from)
        case .letCarrierGo(let process, let from, let to): .holdCarrier(process: process, from: to, into: from)
        case .pauseMachine(let process, let monitor): .continueMachine(process: process, monitor: monitor)
        case .continueMachine(let process, let monitor): .pauseMachine(process: process, monitor: monitor)
        case .holdUnit(let unit, let dropIn, let systemctl):
            .letUnitGo(unit: unit, dropIn: dropIn, systemctl: systemctl)
        case .letUnitGo(let unit, let dropIn, let systemctl):
            .holdUnit(unit: unit, dropIn: dropIn, systemctl: systemctl)
        case .stopUnit(let unit, let systemctl): .startUnit(unit: unit, systemctl: systemctl)
        case .startUnit(let unit, let systemctl): .stopUnit(unit: unit, systemctl: systemctl)
        case .quietWatchdog(let watchdog): .wakeWatchdog(watchdog)
        case .wakeWatchdog(let watchdog): .quietWatchdog(watchdog)
        case .holdEntry(let hold): .letEntryGo(hold)
        case .letEntryGo(let hold): .holdEntry(hold)
        case .makeGroup, .makeHold, .removeGroup, .detachDrop, .killGroup: nil
        }
    }

    /// One line for plans and journals, with hostile names escaped.
    public var summary: String {
        switch self {
        case .freeze(let group, _): "freeze \(group.hierarchy) \(group.path)"
        case .thaw(let group): "thaw \(group.hierarchy) \(group.path)"
        case .makeGroup(let hierarchy, let name): "make the group \(hierarchy) /\(name)"
        case .removeGroup(let group): "remove the group \(group.hierarchy) \(group.path)"
        case .move(let process, let from, let to): "move process \(process.pid) from \(from.path) to \(to.path)"
        case .moveThread(let process, let thread, let from, let to):
            "move thread \(thread) of process \(process.pid) from \(from.path) to \(to.path)"
        case .attachDrop(let group, let program): "drop the network of \(group.path) (program \(program))"
        case .detachDrop(let group, let program): "give \(group.path) its network back (program \(program))"
        case .signal(let process, let number): "send signal \(number) to process \(process.pid)"
        case .killGroup(let group): "kill \(group.hierarchy) \(group.path)"
        case .recordSockets(let sockets): "keep on record what \(sockets.count) sockets are"
        case .destroySockets(let namespace, let cookies):
            "destroy \(cookies.count) sockets in network namespace \(namespace), which cannot be undone"
        case .beginTrial(let parent, let name): "try the cut in a group \(name) below \(parent.path)"
        case .endTrial(let parent, let name): "remove the group \(name) below \(parent.path)"
        case .addTable(let table): "load the table \(table.name) in network namespace \(table.networkNamespace)"
        case .removeTable(let table): "remove the table \(table.name) in network namespace \(table.networkNamespace)"
        case .makeHold(let hierarchy, let name): "make the frozen group \(hierarchy) /\(name) for who is held beside it"
        case .holdCarrier(let process, _, let into):
            "hold process \(process.pid), which carries its network, in \(into.path)"
        case .letCarrierGo(let process, _, let to):
            "let process \(process.pid), which carries its network, go back to \(to.path)"
        case .hold(let process, _, let into): "hold supervisor \(process.pid) in \(into.path)"
        case .holdUnit(let unit, let dropIn, _):
            "keep systemd from restarting \(Escaped.terminal(unit)), by \(dropIn) and daemon-reload"
        case .letUnitGo(let unit, let dropIn, _):
            "let systemd restart \(Escaped.terminal(unit)) again: remove \(dropIn) and daemon-reload"
        case .pauseMachine(let process, let monitor): "have QEMU \(process.pid) pause its machine (\(monitor))"
        case .continueMachine(let process, let monitor): "have QEMU \(process.pid) go on (\(monitor))"
        case .stopUnit(let unit, _): "systemctl stop \(Escaped.terminal(unit))"
        case .startUnit(let unit, _): "systemctl start \(Escaped.terminal(unit))"
        case .quietWatchdog(let watchdog): "turn systemd's watchdog of \(Escaped.terminal(watchdog.unit)) off"
        case .wakeWatchdog(let watchdog): "turn systemd's watchdog of \(Escaped.terminal(watchdog.unit)) on again"
        case .holdEntry(let hold): "make the entry \(hold.entry.line) in \(hold.entry.table) a comment"
        case .letEntryGo(let hold): "make the comment in \(hold.entry.table) the entry \(hold.entry.line) again"
        case .letGo(let process, _, let to): "let supervisor \(process.pid) go back to \(to.path)"
        }
    }

    /// Does it, on the pinned objects only. A process that has ended meanwhile needs nothing done and is no error for
    /// moves and signals; a group that is gone or was made anew is.
    public func perform(on host: Host) throws(Failure) {
        do throws(Failure) {
            try performOnLiving(on: host)
        } catch {
            guard error.isOfEndedProcess else { throw error }
        }
    }

    /// The same, but a process that has ended is ``Base/Failure/Code/notFound``, so that the record says what became of it
    /// (``Base/Failure/isOfEndedProcess``).
    func performOnLiving(on host: Host) throws(Failure) {
        switch self {
        case .freeze(let group, _): try FreezerControl(Cgroup(group, on: host)).freeze()
        case .thaw(let group): try FreezerControl(Cgroup(group, on: host)).thaw()
        case .makeGroup(let hierarchy, let name): _ = try ContainmentEffect.makeGroup(name, in: hierarchy, on: host)
        case .removeGroup(let group): try Cgroup(group, on: host).remove()
        case .makeHold(let hierarchy, let name):
            try FreezerControl(try ContainmentEffect.makeGroup(name, in: hierarchy, on: host)).freeze()
        case .move(let process, _, let to), .hold(let process, _, let to), .letGo(let process, _, let to),
            .holdCarrier(let process, _, let to), .letCarrierGo(let process, _, let to):
            try Cgroup(to, on: host).adopt(process, on: host)
        case .moveThread(let process, let thread, _, let to):
            try Cgroup(to, on: host).adopt(thread: thread, of: process, on: host)
        case .attachDrop(let group, _): _ = try Cut.attach(DropProgram(), to: Cgroup(group, on: host))
        case .detachDrop(let group, let program): try Cut.detach(program, from: Cgroup(group, on: host))
        case .signal(let process, let number): try PidFD(process, on: host).send(number)
        case .killGroup(let group): try Cgroup(group, on: host).killAll()
        case .pauseMachine(let process, let monitor):
            try MachineMonitor.ask(process, at: monitor, on: host, by: Deadline(after: .seconds(2))) {
                it throws(Failure) in try it.pause()
            }
        case .continueMachine(let process, let monitor):
            try MachineMonitor.ask(process, at: monitor, on: host, by: Deadline(after: .seconds(2))) {
                it throws(Failure) in try it.go()
            }
        case .holdUnit(_, let dropIn, let systemctl): try UnitHold.put(dropIn, SystemdManager(systemctl))
        case .letUnitGo(_, let dropIn, let systemctl): try UnitHold.remove(dropIn, SystemdManager(systemctl))
        case .stopUnit(let unit, let systemctl): try SystemdManager(systemctl).stop(unit)
        case .startUnit(let unit, let systemctl): try SystemdManager(systemctl).start(unit)
        case .quietWatchdog(let watchdog): try watchdog.quiet(on: host)
        case .wakeWatchdog(let watchdog): try watchdog.wake(on: host)
        case .holdEntry(let hold): try hold.put()
        case .letEntryGo(let hold): try hold.take()
        case .recordSockets: return
        case .destroySockets, .beginTrial:
            throw Failure(.refused, summary, on: "", because: "only quell isolate does it", hint: "quell isolate")
        case .endTrial(let parent, let name): try ContainmentEffect.endTrial(parent, name, on: host)
        case .addTable(let table):
            try PacketTables(in: .find(table.networkNamespace, on: host)).add(table, by: Deadline(after: .seconds(5)))
        case .removeTable(let table):
            let tables = PacketTables(in: try .find(table.networkNamespace, on: host))
            try tables.remove(table, by: Deadline(after: .seconds(5)))
        }
    }

    static func makeGroup(_ name: String, in hierarchy: String, on host: Host) throws(Failure) -> Cgroup {
        guard let found = host.hierarchy(named: hierarchy) else {
            throw Failure(.notFound, "make a cgroup", on: name, because: "the hierarchy \(hierarchy) is not mounted")
        }
        return try Cgroup(BytePath("/"), in: found).makeChild(name)
    }

    /// A probe that has just died leaves its group a moment later. A group that is gone with its parent is no error.
    private static func endTrial(_ parent: CgroupPin, _ name: String, on host: Host) throws(Failure) {
        let deadline = Deadline(after: .seconds(2))
        while true {
            do throws(Failure) {
                let group = try Cgroup(parent.path.appending(name), in: Cgroup(parent, on: host).hierarchy)
                try group.remove()
                return
            } catch {
                if error.code == .notFound || error.code == .changed { return }
                guard error.errno == 16, !deadline.hasPassed else { throw error }
            }
            usleep(1000)
        }
    }
}

extension Failure {
    /// Whether it says no more than that a process has ended, its pid used again or not.
    var isOfEndedProcess: Bool { errno == ESRCH || code == .notFound && attempt == ProcessDirectory.finding }
}

extension Cgroup {
    /// Whether nobody stands in it and no group is below it.
    public func isUnused() throws(Failure) -> Bool {
        guard try memberPids().isEmpty else { return false }
        return try isLeaf()
    }

    /// Moves a pinned process into this group. The kernel takes a number, so the process is held by one pidfd from before
    /// its start time is checked until after the move: while it lives, its number is nobody else's.
    ///
    /// - Throws: `notFound` when it has ended, which ``Base/Failure/isOfEndedProcess`` tells; `changed` when it ended while
    ///   it was moved and its number was used again: another one may stand in the group then.
    func adopt(_ process: ProcessPin, on host: Host) throws(Failure) {
        try whileHeld(process, on: host) { () throws(Failure) in try adopt(process.pid) }
    }

    /// The same for one thread of it.
    func adopt(thread: Int32, of process: ProcessPin, on host: Host) throws(Failure) {
        try whileHeld(process, on: host) { () throws(Failure) in try adoptThread(thread) }
    }

    private func whileHeld(_ process: ProcessPin, on host: Host, _ move: () throws(Failure) -> Void) throws(Failure) {
        let held = try PidFD(process, on: host)
        try move()
        guard try held.hasExited() else { return }
        _ = try ProcessDirectory(process, on: host)
        throw Failure(
            .notFound,
            ProcessDirectory.finding,
            on: String(process.pid),
            because: "it ended before it could be moved"
        )
    }
}
