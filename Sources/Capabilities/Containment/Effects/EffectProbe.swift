public import Base
public import Kernel
internal import Glibc

/// What the world says about one effect.
public enum ContainmentEffectState: String, Sendable, Codable {
    /// It is not so.
    case notDone
    /// It is so.
    case done
    /// Half of it is so: asked for but not effective, one direction of two.
    case partly
    /// The world does not tell: the group was removed or made anew.
    case cannotTell
}

extension ContainmentEffect {
    /// Asks the kernel whether the effect stands now. Reads only. A process that has ended leaves nothing to be done:
    /// a move of it is ``ContainmentEffectState/notDone``, a killing signal ``ContainmentEffectState/done``.
    public func probe(on host: Host) throws(Failure) -> ContainmentEffectState {
        do throws(Failure) {
            return try look(on: host)
        } catch {
            if error.code == .notFound || error.code == .changed { return .cannotTell }
            throw error
        }
    }

    private func look(on host: Host) throws(Failure) -> ContainmentEffectState {
        switch self {
        case .freeze(let group, _):
            let control = try FreezerControl(Cgroup(group, on: host))
            if try control.current() == .frozen { return .done }
            return try control.isRequested() ? .partly : .notDone
        case .thaw(let group):
            let control = try FreezerControl(Cgroup(group, on: host))
            return try control.isRequested() ? .notDone : .done
        case .makeHold(let hierarchy, let name):
            guard let found = host.hierarchy(named: hierarchy) else { return .cannotTell }
            guard ContainmentEffect.exists(BytePath("/" + name), in: found) else { return .notDone }
            let group = try Cgroup(BytePath("/" + name), in: found)
            return try FreezerControl(group).isRequested() ? .done : .partly
        case .hold(let process, let from, let to), .letGo(let process, let from, let to),
            .holdCarrier(let process, let from, let to), .letCarrierGo(let process, let from, let to):
            return try ContainmentEffect.place(of: process, nil, from, to, host)
        case .makeGroup(let hierarchy, let name):
            guard let found = host.hierarchy(named: hierarchy) else { return .cannotTell }
            return ContainmentEffect.exists(BytePath("/" + name), in: found) ? .done : .notDone
        case .removeGroup(let group):
            guard let found = host.hierarchy(named: group.hierarchy) else { return .cannotTell }
            return ContainmentEffect.exists(group.path, in: found) ? .notDone : .done
        case .move(let process, let from, let to):
            return try ContainmentEffect.place(of: process, nil, from, to, host)
        case .moveThread(let process, let thread, let from, let to):
            return try ContainmentEffect.place(of: process, thread, from, to, host)
        case .attachDrop(let group, let program):
            return ContainmentEffect.count(try Cut.directions(of: program, on: Cgroup(group, on: host)))
        case .detachDrop(let group, let program):
            switch try Cut.directions(of: program, on: Cgroup(group, on: host)) {
            case 0: return .done
            case 1: return .partly
            default: return .notDone
            }
        case .signal(let process, let number): return try ContainmentEffect.signalled(process, number, host)
        case .killGroup(let group):
            guard let found = host.hierarchy(named: group.hierarchy) else { return .cannotTell }
            guard ContainmentEffect.exists(group.path, in: found) else { return .done }
            return try FreezerControl(Cgroup(group, on: host)).isPopulated() ? .notDone : .done
        case .recordSockets: return .done
        case .destroySockets(let namespace, let cookies):
            let there = try NamespaceSockets.find(namespace, on: host).dump(by: Deadline(after: .seconds(2)))
            let left = Set(cookies).intersection(there.inet.map(\.cookie)).count
            return left == 0 ? .done : left < cookies.count ? .partly : .notDone
        case .beginTrial(let parent, let name):
            return ContainmentEffect.exists(parent.path.appending(name), in: try Cgroup(parent, on: host).hierarchy)
                ? .done : .notDone
        case .endTrial(let parent, let name):
            return ContainmentEffect.exists(parent.path.appending(name), in: try Cgroup(parent, on: host).hierarchy)
                ? .notDone : .done
        case .pauseMachine(let process, let monitor):
            return ContainmentEffect.runs(process, monitor, host).map { $0 ? .notDone : .done } ?? .cannotTell
        case .continueMachine(let process, let monitor):
            return ContainmentEffect.runs(process, monitor, host).map { $0 ? .done : .notDone } ?? .cannotTell
        case .holdUnit(let unit, let dropIn, let systemctl):
            return UnitHold.state(unit, dropIn, SystemdManager(systemctl))
        case .letUnitGo(_, let dropIn, _): return UnitHold.isThere(dropIn) ? .notDone : .done
        case .stopUnit(let unit, let systemctl):
            let manager = SystemdManager(systemctl)
            let state = try manager.state(of: unit)
            if state == "deactivating" { return .partly }
            guard state == "active" else { return .done }
            return try manager.hasJob(unit) ? .partly : .notDone
        case .startUnit(let unit, let systemctl):
            let manager = SystemdManager(systemctl)
            guard try manager.isActive(unit) else { return .notDone }
            return try manager.hasJob(unit) ? .notDone : .done
        case .quietWatchdog(let watchdog): return try watchdog.isQuiet() ? .done : .notDone
        case .wakeWatchdog(let watchdog): return try watchdog.isQuiet() ? .notDone : .done
        case .holdEntry(let hold): return hold.isThere() ? .done : .notDone
        case .letEntryGo(let hold): return hold.isThere() ? .notDone : .done
        case .addTable(let table): return try ContainmentEffect.standing(of: table, host)
        case .removeTable(let table):
            return try ContainmentEffect.standing(of: table, host) == .notDone ? .done : .notDone
        }
    }

    /// By the monitor's word, which a frozen one does not give: `nil` then.
    private static func runs(_ process: ProcessPin, _ monitor: BytePath, _ host: Host) -> Bool? {
        let soon = Deadline(after: .milliseconds(300))
        do throws(Failure) {
            return try MachineMonitor.ask(process, at: monitor, on: host, by: soon) { it throws(Failure) in
                try it.isRunning()
            }
        } catch {
            return nil
        }
    }

    /// Of a table whose interface is gone there is a part: it has to be taken away and cuts nothing.
    private static func standing(of table: PacketTable, _ host: Host) throws(Failure) -> ContainmentEffectState {
        let tables = PacketTables(in: try .find(table.networkNamespace, on: host))
        let deadline = Deadline(after: .seconds(5))
        guard try tables.handle(of: table, by: deadline) != nil else { return .notDone }
        return try tables.hasInterfaces(of: table, by: deadline) ? .done : .partly
    }

    private static func exists(_ path: BytePath, in hierarchy: CgroupHierarchy) -> Bool {
        do throws(Failure) {
            _ = try Cgroup(path, in: hierarchy)
            return true
        } catch {
            return false
        }
    }

    private static func count(_ directions: Int) -> ContainmentEffectState {
        switch directions {
        case 0: .notDone
        case 1: .partly
        default: .done
        }
    }

    private static func place(
        of process: ProcessPin,
        _ thread: Int32?,
        _ from: CgroupPin,
        _ to: CgroupPin,
        _ host: Host
    ) throws(Failure) -> ContainmentEffectState {
        let places: [[CgroupLine]]
        do throws(Failure) {
            let directory = try ProcessDirectory(process, on: host)
            // Who has ended and is not reaped yet still has a line of its group, and cannot be moved any more.
            let numbers = try directory.stat().numbers
            if numbers.isDead { return .notDone }
            if let thread {
                places = [try directory.threadCgroups(thread)]
            } else {
                places = try directory.places(isHeadless: numbers.isHeadless)
            }
        } catch {
            if error.code == .notFound || error.code == .changed { return .notDone }
            throw error
        }
        let here = Set(places.map { lines in lines.first { $0.hierarchy == to.hierarchy }?.path })
        if here == [to.path] { return .done }
        if here.contains(to.path) { return .partly }
        return here.isSubset(of: [from.path]) ? .notDone : .cannotTell
    }

    private static func signalled(
        _ process: ProcessPin,
        _ number: Int32,
        _ host: Host
    ) throws(Failure) -> ContainmentEffectState {
        let numbers: StatNumbers
        do throws(Failure) {
            numbers = try ProcessDirectory(process, on: host).stat().numbers
        } catch {
            if error.code == .notFound || error.code == .changed { return number == SIGKILL ? .done : .notDone }
            throw error
        }
        let isStopped = numbers.state == UInt8(ascii: "T") || numbers.state == UInt8(ascii: "t")
        switch number {
        case SIGSTOP: return isStopped ? .done : .notDone
        case SIGCONT: return isStopped ? .notDone : .done
        case SIGKILL: return numbers.isDead ? .done : .notDone
        default: return .cannotTell
        }
    }
}
