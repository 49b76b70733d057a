public import Base
public import Kernel
internal import Sessions

/// Freezes a session and everything that strongly belongs to it, and says what is true afterwards (promise 1).
///
/// Order: Quell leaves the groups itself, refusals, freeze, drop, scans until two agree. Until the kernel says frozen
/// only stat, status, cgroup and ns links are read (RT7), and nothing that the session serves is opened (RT13).
public struct Freezer {
    let host: Host

    /// Works on this host.
    public init(_ host: Host) {
        self.host = host
    }

    /// Freezes. What was done before a failure stays done and is in `apply`'s record.
    ///
    /// `earlier` is what an earlier freeze left: it is taken up, so that nothing is done twice. Without `applyEach` a batch
    /// is recorded as one. `recording` is called before a proof counts, and returns when what `apply` recorded so far will
    /// outlive the machine. `telling` hears the word as soon as it is known: looking around, which changes no word, takes
    /// longer than all the rest. It hears nothing of a freeze by signals.
    ///
    /// Throws ``Base/Failure/Code/refused`` for what DESIGN section 5 refuses, ``Base/Failure/Code/changed`` for a reused
    /// pid or a remade group, ``Base/Failure/Code/notFound`` when nothing of the session is there any more. Threads that do
    /// not freeze, strays that run and supervisors are no errors: they are in the result.
    public func freeze(
        _ subject: Subject,
        _ policy: FreezePolicy = FreezePolicy(),
        after earlier: EarlierFreeze = EarlierFreeze(),
        recording: @escaping () -> Void = {},
        telling: (FreezeResult) -> Void = { _ in },
        applyEach: ApplyEach? = nil,
        apply: Apply
    ) throws(Failure) -> FreezeResult {
        try withoutActuallyEscaping(apply) { apply throws(Failure) in
            var run = try FreezeRun(subject, policy, earlier, host, apply, applyEach)
            run.recording = recording
            do throws(Failure) {
                try run.begin()
            } catch {
                guard error.code == .notPermitted else { throw error }
                return try run.stopBySignals(because: error)
            }
            do throws(Failure) {
                try run.hunt()
            } catch {
                try run.keep(error)
            }
            return run.conclude(telling)
        }
    }
}

/// One of the session's own groups while it is being frozen.
struct HeldGroup {
    let cgroup: Cgroup
    let control: FreezerControl
    var requestedBefore = false
    var isFrozen = false

    init(_ cgroup: Cgroup) throws(Failure) {
        self.cgroup = cgroup
        control = try FreezerControl(cgroup)
    }
}

/// The state of one freeze.
struct FreezeRun: ~Copyable {
    let subject: Subject
    let policy: FreezePolicy
    let earlier: EarlierFreeze
    let host: Host
    let apply: Apply
    let each: ApplyEach?
    let scans: ScanMaker
    let responder: [Int32]
    /// Called before a proof counts.
    var recording: () -> Void = {}
    var result = FreezeResult()
    var held: [HeldGroup] = []
    var covered: [HeldGroup] = []
    var quarantine: HeldGroup?
    var aside: Cgroup?
    var knowledge = Family.Knowledge()
    var sessionLines: [CgroupLine] = []
    var lastScan = Scan()
    var lastFamily: Family?
    var origins: [BytePath: CgroupPin] = [:]
    var unheld: [ProcessPin: String] = [:]
    var strays: [ProcessPin: Set<Mark>] = [:]
    var guests: [ProcessPin: Guest] = [:]
    var stopped: [ProcessPin] = []
    var holds = 0
    /// The gVisor sandbox that the session is, when it is one.
    var sandbox: GVisorSandbox?
    /// Looks without which a stray by a strong mark may have been missed.
    var looks = Looks()

    init(
        _ subject: Subject,
        _ policy: FreezePolicy,
        _ earlier: EarlierFreeze,
        _ host: Host,
        _ apply: @escaping Apply,
        _ each: ApplyEach?
    ) throws(Failure) {
        guard subject.pin.bootID == host.bootID else {
            throw Failure(
                .changed,
                "freeze the session",
                on: subject.pin.bootID,
                because: "this machine was started again since"
            )
        }
        self.subject = subject
        self.policy = policy
        self.earlier = earlier
        self.host = host
        self.apply = apply
        self.each = each
        scans = ScanMaker(host)
        responder = Responder.pids(on: host)
        knowledge.leader = subject.pin.leader
        knowledge.responder = responder
        knowledge.included = Set(subject.included)
        result.notes = host.notes
        takeSandbox()
    }

    /// Everything up to the kernel's word on the session's own groups and the drop.
    mutating func begin() throws(Failure) {
        try checkLeader()
        try openGroups()
        result.notes += try Refusals(policy: policy)
            .check(held.map(\.cgroup), leader: knowledge.leader, on: host)
        try Refusals(policy: policy).check(included: subject.included, responder: responder, on: host)
        try leaveGroups()
        askSentry()
        pauseMachine()
        if held.isEmpty {
            try makeQuarantine()
        } else {
            try freezeGroups()
            if policy.cut { cutGroups() }
            if try takeUp(earlier.quarantine) != nil { try makeQuarantine() }
        }
    }

    /// A reused pid ends it; a leader that has ended is a fact, as long as there are groups.
    mutating func checkLeader() throws(Failure) {
        guard let leader = subject.pin.leader else { return }
        do throws(Failure) {
            let process = try ProcessDirectory(leader, on: host)
            let lines = try process.cgroups()
            sessionLines = FreezeRun.sessionLines(subject.pin.cgroups, leaderLines: lines)
            return
        } catch {
            guard error.code == .notFound, !subject.pin.cgroups.isEmpty else { throw error }
            result.notes.append("the leader, process \(leader.pid), has ended")
        }
        sessionLines = subject.pin.cgroups.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) }
    }

    /// The session's paths in every hierarchy: those that are pinned, and in the other hierarchies the same path when the
    /// leader stands there, as containers do.
    static func sessionLines(_ pins: [CgroupPin], leaderLines: [CgroupLine]) -> [CgroupLine] {
        let pinned = pins.map { CgroupLine(hierarchy: $0.hierarchy, path: $0.path) }
        let others = leaderLines.filter { line in !pins.contains { $0.hierarchy == line.hierarchy } }
        return pinned
            + others.flatMap { line in
                pins.filter { line.path.isAtOrBelow($0.path) }.map {
                    CgroupLine(hierarchy: line.hierarchy, path: $0.path)
                }
            }
    }

    /// v2 groups hold when there are any, because v1-frozen tasks leave the v2 trap: the kernel cannot say frozen in both.
    /// The v1 groups are then covered, and whoever stands only there is a stray that is moved.
    mutating func openGroups() throws(Failure) {
        var opened: [HeldGroup] = []
        for pin in subject.pin.cgroups {
            do throws(Failure) {
                let group = try Cgroup(pin, on: host)
                if group.isRoot {
                    try Refusals(policy: policy).check([group], leader: nil, on: host)
                }
                let domain = try group.domain()
                guard !opened.contains(where: { $0.cgroup.pin == domain.pin }) else { continue }
                opened.append(try HeldGroup(domain))
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
                result.failures.append(error)
            }
        }
        if let failure = result.failures.first, opened.isEmpty {
            // Who was named beside the groups is held all the same, in a group of Quell's.
            let scanner = ProcessScanner(host)
            let lives = subject.included.contains { process in
                guard let stat = scanner.namedStat(of: process.pid) else { return false }
                return stat.pin == process && !stat.numbers.isDead
            }
            guard lives else { throw failure }
            result.failures = []
            result.notes.append("its own cgroup is gone: \(failure.reason)")
        }
        let unified = opened.filter { $0.cgroup.hierarchy.isUnified }
        // runsc leaves the unified hierarchy's root to its processes. There Quell's own group holds them, because only
        // such a group can be cut.
        let isMoved = unified.isEmpty && sandbox != nil && host.unified != nil
        held = unified.isEmpty && !isMoved ? opened : unified
        covered = unified.isEmpty && !isMoved ? [] : opened.filter { !$0.cgroup.hierarchy.isUnified }
        result.coveredGroups = covered.map(\.cgroup.pin)
    }

    /// Quell never freezes itself: it moves itself to the root of the hierarchy instead of refusing (RT11). So is the
    /// machine's first process spared, which a session with root's rights could have moved in.
    private mutating func leaveGroups() throws(Failure) {
        for group in held {
            for pid in hostPids(in: group.cgroup) {
                let hierarchy = group.cgroup.hierarchy
                let host = self.host
                let seen = looks.see { () throws(Failure) in
                    let process = try ProcessDirectory(pid, on: host)
                    return (pin: try process.stat().pin, lines: try process.cgroups())
                }
                guard let seen, let line = seen.lines.first(where: { $0.hierarchy == hierarchy.name }),
                    line.path.isAtOrBelow(group.cgroup.path)
                else { continue }
                let root = try Cgroup(BytePath("/"), in: hierarchy)
                let origin = looks.see { () throws(Failure) in try Cgroup(line.path, in: hierarchy).pin }
                let from = origin ?? CgroupPin(hierarchy: hierarchy.name, path: line.path, inode: 0)
                try perform([.move(process: seen.pin, from: from, to: root.pin)]) { () throws(Failure) in
                    try root.adopt(pid)
                }
                result.notes.append(
                    "process \(pid) stood in \(line.path) and was moved to the root of \(hierarchy.name)"
                )
            }
        }
    }

    /// Which of Quell and the first process may stand in a group. Its list is read first: it takes no lock that a session
    /// can keep busy. Where it has more groups than there is time, both may.
    private func hostPids(in group: Cgroup) -> [Int32] {
        let wanted = [Responder.ownPid, 1]
        var found: [Int32] = []
        do throws(Failure) {
            if let inside = try group.members(among: wanted) { return inside }
            let isWhole = try group.forEachInTree(until: Deadline(after: .milliseconds(20))) { below throws(Failure) in
                found += try below.memberPids().filter(wanted.contains)
            }
            return isWhole ? found : wanted
        } catch {
            return wanted
        }
    }

    private mutating func freezeGroups() throws(Failure) {
        for index in held.indices {
            if earlier.frozen.contains(held[index].cgroup.pin) { continue }
            held[index].requestedBefore = try held[index].control.isRequested()
        }
        let effects = held.map {
            ContainmentEffect.freeze(group: $0.cgroup.pin, requestedBefore: $0.requestedBefore)
        }
        let controls = held.map(\.control)
        var requested = Instant.now()
        var frozen: Instant?
        try perform(effects) { () throws(Failure) in
            for control in controls { try control.freeze() }
            requested = Instant.now()
            frozen = FreezeRun.moment(ofWordOf: controls)
        }
        result.times.requested = requested
        if let frozen {
            for index in held.indices { held[index].isFrozen = true }
            result.times.frozen = frozen
            return
        }
        // What does not freeze at once is waited for after the first look at strays, which run meanwhile.
        let deadline = Deadline(after: .milliseconds(min(50, policy.patienceMilliseconds)))
        var all = true
        for index in held.indices {
            held[index].isFrozen = try awaitFrozen(held[index], until: deadline)
            all = all && held[index].isFrozen
        }
        if all { result.times.frozen = Instant.now() }
    }

    /// When the kernel said frozen of all groups, asked before the outcome is recorded; `nil` when it takes longer than a
    /// record should wait, or when it cannot be asked, which is met again where it is waited for.
    private static func moment(ofWordOf controls: [FreezerControl]) -> Instant? {
        let deadline = Deadline(after: .milliseconds(10))
        for control in controls {
            do throws(Failure) {
                guard try control.wait(for: .frozen, until: deadline) else { return nil }
            } catch {
                return nil
            }
        }
        return Instant.now()
    }

    /// Waits for the kernel's word. Where a v1 freezer held some before, that word never comes, and each thread is looked
    /// at instead.
    mutating func awaitFrozen(_ group: HeldGroup, until deadline: Deadline) throws(Failure) -> Bool {
        let pins = result.coveredGroups
        guard !pins.isEmpty else { return try group.control.wait(for: .frozen, until: deadline) }
        repeat {
            if try group.control.wait(for: .frozen, until: Deadline(after: .milliseconds(50))) { return true }
            guard try ThreadProof(covered: pins, on: host).holds(group.cgroup) else { continue }
            result.notes.append("a v1 freezer held it before; the v2 request stands and takes over when that one thaws")
            return true
        } while !deadline.hasPassed
        return false
    }

    /// A freeze stands without its drop: what cannot be cut is told and stops nothing.
    private mutating func cutGroups() {
        do throws(Failure) {
            let cut = try Cut.drop(held.map(\.cgroup.pin), on: host, apply: apply)
            result.effects += cut.drops.map { .attachDrop(group: $0.group, program: $0.program) }
            result.cut = cut
            if !cut.drops.isEmpty { result.times.cut = Instant.now() }
        } catch {
            result.cut = CutResult()
            result.cut?.failures.append(error)
        }
    }

    /// What is frozen and cut stands, whatever ended the search for the rest: then the failure is a part of the result.
    mutating func keep(_ failure: Failure) throws(Failure) {
        guard !held.isEmpty || !strays.isEmpty else { throw failure }
        result.failures.append(failure)
        result.scansAgreed = false
        result.times.proven = nil
    }

    mutating func perform(
        _ effects: [ContainmentEffect],
        _ act: () throws(Failure) -> Void
    ) throws(Failure) {
        try apply(effects, act)
        result.effects += effects
    }
}

/// Quell itself and the processes that wait for it.
enum Responder {
    static var ownPid: Int32 { ProcessScanner.ownPid }

    /// Quell's pid and those of its parents, itself first. Few, and a set of them would make the runtime search its
    /// conformances before a freeze.
    static func pids(on host: Host) -> [Int32] { ProcessScanner(host).lineage(of: ownPid) }
}
