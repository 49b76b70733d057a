public import Base
public import Kernel

/// What holding supervisors did.
public struct HoldResult: Hashable, Sendable, Codable {
    /// Everything that was found, each with whether it is held, and why not.
    public var supervisors: [Supervisor] = []
    /// The effects that were done, in order, for letting them go.
    public var effects: [ContainmentEffect] = []
    /// What a person should know.
    public var notes: [String] = []
    /// What is not known, so that a supervisor may be missing here.
    public var unknown: [String] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether each supervisor that was found is held, and none can be missing.
    public var isComplete: Bool { supervisors.allSatisfy(\.isHeld) && unknown.isEmpty }
}

/// Holds what could start a session again or kill it (RT4): each supervisor's process goes into a frozen group of
/// Quell's own at the root of the hierarchy. A signal would do as well for a shell loop, but whoever has its uid could
/// continue it, its own parent would see it stop, and an accomplice of the session often has both; a frozen group is
/// out of reach and nobody is told (docs/decisions/0012).
///
/// Never held: the machine's first process, threads of the kernel, Quell's own parents, what the machine needs (sshd,
/// systemd, engines), and daemons that serve more than this session. These are named, with the reason.
public struct SupervisorHold {
    let host: Host
    private let responder: [Int32]
    private let patienceMilliseconds: Int

    /// Works on this host; waits that long for the kernel to say frozen.
    public init(_ host: Host, patienceMilliseconds: Int = 2000) {
        self.host = host
        self.patienceMilliseconds = patienceMilliseconds
        responder = Responder.pids(on: host)
    }

    /// Finds the supervisors of a session and holds them. The session need not be frozen. `members` are processes that
    /// are known to be of it beside those that stand in its groups now, `frozen` groups that Quell froze before.
    ///
    /// What cannot be held is in the result and no error. Throws ``Base/Failure/Code/refused`` for what a freeze refuses,
    /// unless it was frozen before.
    public func hold(
        supervisorsOf pin: SessionPin,
        members: [ProcessPin] = [],
        frozen: [CgroupPin] = [],
        root: BytePath = BytePath("/"),
        apply: Apply
    ) throws(Failure) -> HoldResult {
        let policy = FreezePolicy(patienceMilliseconds: patienceMilliseconds, root: root)
        let found = try Freezer(host).findSupervisors(of: pin, policy, members: members, frozen: frozen)
        return hold(found, root: root, apply)
    }

    /// Holds what was found, as far as a process or a unit of systemd's stands for it.
    func hold(
        _ found: SupervisorSearch.Findings,
        as role: HeldRole = .supervisor,
        root: BytePath = BytePath("/"),
        _ apply: Apply
    ) -> HoldResult {
        var result = HoldResult()
        result.notes = found.notes
        result.supervisors = found.supervisors
        holdUnits(&result, root, apply)
        holdEntries(&result, apply)
        let scanner = ProcessScanner(host)
        var loose: [Int] = []
        for index in result.supervisors.indices {
            guard let process = result.supervisors[index].process, result.supervisors[index].reason == nil else {
                continue
            }
            let isManager = result.supervisors[index].kind == .systemdManager
            if let refusal = refusal(process, scanner, sparingManagers: !isManager) {
                result.supervisors[index].reason = refusal
            } else if isFrozen(process, scanner) {
                result.supervisors[index].isHeld = true
            } else {
                loose.append(index)
            }
        }
        guard !loose.isEmpty else { return result }
        do throws(Failure) {
            try take(loose, as: role, &result, scanner, apply)
        } catch {
            for index in loose where !result.supervisors[index].isHeld {
                result.supervisors[index].reason = error.reason
            }
        }
        return result
    }

    private func holdUnits(_ result: inout HoldResult, _ root: BytePath, _ apply: Apply) {
        var idle: Set<Int> = []
        let deadline = Deadline(after: .seconds(7))
        for index in result.supervisors.indices {
            let one = result.supervisors[index]
            guard one.kind == .systemdUnit, one.reason == nil else { continue }
            do throws(Failure) {
                let hold = try UnitHold(root: root, on: host, by: deadline)
                let starts = hold.hold(&result.supervisors[index], &result.effects, apply)
                if !starts { idle.insert(index) }
            } catch {
                result.supervisors[index].reason = error.reason
            }
        }
        guard !idle.isEmpty else { return }
        result.supervisors = result.supervisors.indices.filter { !idle.contains($0) }.map { result.supervisors[$0] }
    }

    /// Why it can never be held; `nil` when it can. A systemd that is no machine's has the name of one that is.
    func refusal(
        _ process: ProcessPin,
        _ scanner: borrowing ProcessScanner,
        sparingManagers: Bool = true
    ) -> String? {
        guard process.pid > 1 else { return "it is the first process of this machine" }
        guard !responder.contains(process.pid) else { return "Quell was started from it" }
        guard let stat = scanner.namedStat(of: process.pid), stat.pin == process else { return "it has ended" }
        guard !stat.numbers.isKernelThread else { return "it is a thread of the kernel" }
        guard Refusals.isGuarded(stat, host) || stat.name.text == "systemd" else { return nil }
        // Its name is its own choice: the kernel knows what it runs.
        guard ParentProgram(stat, on: host).isGuarded else { return nil }
        if !sparingManagers, stat.name.text == "systemd" { return nil }
        return "this machine needs it"
    }

    /// Whether it stands in a frozen group of Quell's at the root of a hierarchy. A group that somebody else froze does
    /// not count: whoever did may be of the session's side, and thaw it.
    func isFrozen(_ process: ProcessPin, _ scanner: borrowing ProcessScanner) -> Bool {
        let places = places(of: process, scanner)
        for line in places.first ?? [] where Cgroup.isRandomName(line.path) && places.allSatisfy({ $0.contains(line) })
        {
            guard let hierarchy = host.hierarchy(named: line.hierarchy) else { continue }
            do throws(Failure) {
                let group = try Cgroup(line.path, in: hierarchy)
                if try group.owner() == 0, try FreezerControl(group).current() == .frozen { return true }
            } catch { continue }
        }
        return false
    }

    /// Where its living threads stand; empty when it has ended.
    private func places(of process: ProcessPin, _ scanner: borrowing ProcessScanner) -> [[CgroupLine]] {
        guard let numbers = scanner.stat(of: process.pid) else { return [] }
        do throws(Failure) {
            return try ProcessDirectory.places(of: process, isHeadless: numbers.isHeadless, on: host)
        } catch {
            return []
        }
    }

    private func take(
        _ loose: [Int],
        as role: HeldRole,
        _ result: inout HoldResult,
        _ scanner: borrowing ProcessScanner,
        _ apply: Apply
    ) throws(Failure) {
        let group = try makeGroup(&result, apply)
        let hierarchy = group.hierarchy
        for index in loose {
            guard let process = result.supervisors[index].process else { continue }
            let lines = places(of: process, scanner).first ?? []
            guard let path = lines.first(where: { $0.hierarchy == hierarchy.name })?.path else {
                result.supervisors[index].reason = "it has ended"
                continue
            }
            do throws(Failure) {
                let origin = try Cgroup(path, in: hierarchy).pin
                let effect = role.holding(process, from: origin, into: group.pin)
                let host = self.host
                try apply([effect]) { () throws(Failure) in try group.adopt(process, on: host) }
                result.effects.append(effect)
            } catch {
                result.supervisors[index].reason = error.reason
            }
        }
        let control = try FreezerControl(group)
        let deadline = Deadline(after: .milliseconds(patienceMilliseconds))
        let isFrozen = try control.wait(for: .frozen, until: deadline)
        let processes = loose.compactMap { result.supervisors[$0].process }
        let headless = processes.filter { scanner.stat(of: $0.pid)?.isHeadless == true }
        let inside = try Headless(headless, in: [group], on: host).correct(Set(group.memberPids()))
        for index in loose where result.supervisors[index].reason == nil {
            guard let process = result.supervisors[index].process else { continue }
            result.supervisors[index].isHeld = isFrozen && inside.contains(process.pid)
            if !result.supervisors[index].isHeld {
                result.supervisors[index].reason = isFrozen ? "it got away" : "it does not freeze"
            }
        }
    }

    /// Makes the group and asks for freezing while it is empty: each process is frozen on arrival.
    private func makeGroup(_ result: inout HoldResult, _ apply: Apply) throws(Failure) -> Cgroup {
        guard let hierarchy = host.unified ?? host.freezer else {
            throw Failure(.notPermitted, "make a cgroup", on: "/", because: "no cgroup hierarchy can be reached")
        }
        let name = try Cgroup.randomName()
        let effect = ContainmentEffect.makeHold(hierarchy: hierarchy.name, name: name)
        var made: Cgroup?
        try apply([effect]) { () throws(Failure) in
            let group = try Cgroup(BytePath("/"), in: hierarchy).makeChild(name)
            try FreezerControl(group).freeze()
            made = group
        }
        guard let made else {
            throw Failure(.system, "make a cgroup", on: name, because: "the effect was recorded and not done")
        }
        result.effects.append(effect)
        return made
    }
}

/// What letting supervisors go did.
public struct LetGoResult: Hashable, Sendable, Codable {
    /// Processes that are back where they came from, and run.
    public var letGo: [ProcessPin] = []
    /// Units of systemd's that are let go: they may restart, or were started again; and entries of cron's.
    public var units: [String] = []
    /// Processes whose group is gone; they run in Quell's.
    public var couldNotReturn: [Unreturned] = []
    /// Groups of Quell's own that were removed.
    public var removed: [CgroupPin] = []
    /// What failed.
    public var failures: [Failure] = []

    /// Starts with nothing done.
    public init() {}

    /// Whether everything runs again where it belongs.
    public var isComplete: Bool { couldNotReturn.isEmpty && failures.isEmpty }
}

extension SupervisorHold {
    /// Lets go what `effects` hold, and removes the groups that are empty then. `emptyGroups` are groups that were made
    /// for holding and in which nothing was ever held. A supervisor that has ended meanwhile is no error.
    public static func letGo(
        _ effects: [ContainmentEffect],
        as role: HeldRole = .supervisor,
        emptyGroups: [CgroupPin] = [],
        on host: Host,
        apply: Apply
    ) throws(Failure) -> LetGoResult {
        var result = LetGoResult()
        var groups = emptyGroups
        for effect in effects.reversed() {
            guard let held = effect.held(as: role), let inverse = effect.inverse else { continue }
            let (process, origin, group) = held
            if !groups.contains(group) { groups.append(group) }
            do throws(Failure) {
                guard try inverse.probe(on: host) == .notDone else { continue }
                try apply([inverse]) { () throws(Failure) in try inverse.performOnLiving(on: host) }
                result.letGo.append(process)
            } catch {
                if error.isOfEndedProcess { continue }
                result.couldNotReturn.append(Unreturned(process: process, origin: origin.path, reason: error.reason))
            }
        }
        if role == .supervisor { letUnitsGo(effects, on: host, apply, &result) }
        for pin in groups {
            do throws(Failure) {
                let group = try Cgroup(pin, on: host)
                if try group.isUnused() {
                    try apply([.removeGroup(group: pin)]) { () throws(Failure) in try group.remove() }
                    result.removed.append(pin)
                } else if !result.couldNotReturn.isEmpty {
                    try apply([.thaw(group: pin)]) { () throws(Failure) in try FreezerControl(group).thaw() }
                }
            } catch {
                if error.code != .notFound && error.code != .changed { result.failures.append(error) }
            }
        }
        return result
    }

    /// Newest first: what starts a unit again only after the unit itself is as it was.
    private static func letUnitsGo(
        _ effects: [ContainmentEffect],
        on host: Host,
        _ apply: Apply,
        _ result: inout LetGoResult
    ) {
        for effect in effects.reversed() {
            let unit: String
            switch effect {
            case .holdUnit(let name, _, _), .stopUnit(let name, _): unit = name
            case .quietWatchdog(let watchdog): unit = watchdog.unit
            case .holdEntry(let hold): unit = "an entry of \(hold.entry.table)"
            default: continue
            }
            guard let inverse = effect.inverse else { continue }
            do throws(Failure) {
                guard try inverse.probe(on: host) == .notDone else { continue }
                try apply([inverse]) { () throws(Failure) in try inverse.perform(on: host) }
                if !result.units.contains(unit) { result.units.append(unit) }
            } catch {
                result.failures.append(error)
            }
        }
    }
}
