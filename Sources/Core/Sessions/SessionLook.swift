import Base
import Glibc
import Kernel

/// One look at the machine that ends in one session. Its steps: who stands where, who leads, who belongs, which cgroups
/// hold nobody else.
struct SessionLook: ~Copyable {
    let host: Host
    let locator: Locator
    let agent: AgentRecord?
    /// Below which the files of runtimes lie; `/` but for tests.
    let root: BytePath
    let scanner: ProcessScanner
    var failures: [Failure] = []
    /// The processes that every one of the named groups lists, itself or below it.
    var listedEverywhere = Set<Int32>()
    /// How long the groups below one may be walked; without it, until the end.
    let patience: Duration?
    /// Whether it could not be told in time who stands in a group.
    var isCutShort = false

    /// The gVisor sandbox that the session is, when it is one.
    var sandbox: GVisorSandbox?

    init(
        host: Host,
        locator: Locator,
        agent: AgentRecord?,
        root: BytePath = BytePath("/"),
        patience: Duration? = nil
    ) {
        self.root = root
        self.patience = patience
        self.host = host
        self.locator = locator
        self.agent = agent
        scanner = ProcessScanner(host)
    }

    /// The session of cgroups that were named. `pinned` is the leader that is already known, when it still lives.
    mutating func session(of groups: [Cgroup], pinned: ProcessPin? = nil) throws(Failure) -> Session {
        let inside = try processes(below: groups)
        var family = Family(relatives: look(at: inside))
        // Of some of the processes nobody can say who leads: without a leader all count.
        if isCutShort, pinned == nil {
            return assemble(leader: nil, kin: [:], family: family, named: groups, inside: inside)
        }
        let leader = pinned.flatMap { family.living($0) } ?? family.leader(excluding: notLeaders(in: family))
        guard var leader else { return assemble(leader: nil, kin: [:], family: family, named: groups, inside: inside) }
        leader = sentry(of: leader, in: family) ?? leader
        var kin = family.descendants(of: leader)
        if kin.count < family.relatives.count {
            family = Family(relatives: family.relatives.merging(ancestors(of: family, without: kin)) { old, _ in old })
            kin = family.descendants(of: leader)
        }
        addGofers(in: family, to: &kin)
        addSharers(of: leader, among: inside, in: family, to: &kin)
        addOrphans(of: leader, among: inside, in: family, to: &kin)
        return assemble(
            leader: leader,
            kin: kin.filter { inside.contains($0.key) },
            family: family,
            named: groups,
            inside: inside
        )
    }

    /// The session around a process: the process, its descendants and, in a private pid namespace, everybody in it and
    /// the program that started only that.
    mutating func session(around pid: Int32) throws(Failure) -> Session {
        let family = Family(relatives: look(at: Set(try scanner.pids())))
        guard let named = family.relatives[pid] else { throw noProcess(pid) }
        guard pid != 1, !named.isKernelThread else {
            throw Failure(
                .refused,
                "take the process for a session",
                on: String(pid),
                because: pid == 1 ? "it is the first process of the machine" : "it is a thread of the kernel"
            )
        }
        // A gofer has a pid namespace of its own, which says nothing about the sandbox.
        let sentry = sentry(of: named, in: family)
        let cell = sentry == nil ? cell(around: named, in: family) : nil
        let leader = sentry ?? cell?.leader ?? named
        var kin = cell?.sharers ?? [:]
        kin.merge(family.descendants(of: leader)) { _, lineage in lineage }
        addGofers(in: family, to: &kin)
        let standing = standings(of: kin)
        for group in standing where !group.isRoot {
            let inside = try processes(below: [group])
            if isCutShort { break }
            let others = inside.subtracting(kin.keys)
            let orphans = orphans(of: leader, among: others, in: family, kin: kin)
            // Orphans are believed only where nobody else stands: a shared cgroup is full of them.
            if others.isSubset(of: orphans.keys) { kin.merge(orphans) { old, _ in old } }
        }
        let session = assemble(leader: leader, kin: kin, family: family, named: [], inside: Set(kin.keys))
        return session.run(by: cell?.runtime ?? session.runtime)
    }

    /// The sentry of the gVisor sandbox that a process is a part of; `nil` for any other process.
    private mutating func sentry(of relative: Relative, in family: Family) -> Relative? {
        sandbox = GVisorLookup(on: host, root: root).sandbox(holding: relative.pin.pid)
        guard let sandbox else { return nil }
        guard let sentry = family.living(sandbox.sentry) else {
            self.sandbox = nil
            return nil
        }
        return sentry
    }

    private func addGofers(in family: Family, to kin: inout [Int32: Lineage]) {
        for gofer in sandbox?.gofers ?? [] {
            guard let relative = family.living(gofer) else { continue }
            kin.merge(family.descendants(of: relative)) { known, _ in known }
            kin[gofer.pid] = .sandbox
        }
    }

    private func noProcess(_ pid: Int32) -> Failure {
        let isThread = scanner.stat(of: pid) != nil
        return Failure(
            .notFound,
            ProcessDirectory.finding,
            on: String(pid),
            because: isThread ? "this is a thread, not a process" : "no process has that pid",
            hint: "quell"
        )
    }

    /// All processes of the groups and of everything below them. A group that vanishes meanwhile holds nobody; threaded
    /// groups hold threads of processes that their domain lists.
    private mutating func processes(below groups: [Cgroup]) throws(Failure) -> Set<Int32> {
        var found = Set<Int32>()
        for (number, top) in groups.enumerated() {
            let listed = try members(of: top)
            listedEverywhere = number == 0 ? listed : listedEverywhere.intersection(listed)
            found.formUnion(listed)
        }
        // Processes of a pid namespace that Quell does not see are listed as 0.
        if found.remove(0) != nil {
            failures.append(
                Failure(
                    .notPermitted,
                    "name every process of the cgroup",
                    on: groups.map(\.path.description).joined(separator: " "),
                    because: "some are outside of Quell's pid namespace"
                )
            )
        }
        found.remove(getpid())
        return found
    }

    private func look(at pids: Set<Int32>) -> [Int32: Relative] {
        var relatives: [Int32: Relative] = [:]
        relatives.reserveCapacity(pids.count)
        let own = getpid()
        let found = ProcessReaders(host).read(pids.filter { $0 != own }) { scanner, pid in
            scanner.namedStat(of: pid).map(Relative.init)
        }
        for relative in found { relatives[relative.pin.pid] = relative }
        return relatives
    }

    /// The pids above a process, its parent first, up to the first process of the machine.
    private func ancestors(above relative: Relative) -> [Int32] {
        var above: [Int32] = []
        var parent = relative.parent
        while parent > 0, above.count < 1024 {
            above.append(parent)
            parent = scanner.stat(of: parent)?.parent ?? 0
        }
        return above
    }

    /// The processes above those that no lineage was found for: it may lead through a process that left the cgroup.
    private func ancestors(of family: Family, without kin: [Int32: Lineage]) -> [Int32: Relative] {
        var found: [Int32: Relative] = [:]
        for relative in family.relatives.values where kin[relative.pin.pid] == nil {
            var parent = relative.parent
            while parent > 1, family.relatives[parent] == nil, found[parent] == nil,
                let stat = scanner.namedStat(of: parent)
            {
                found[parent] = Relative(stat)
                parent = stat.numbers.parent
            }
        }
        return found
    }

    /// Who is never taken for the leader: Quell's own ancestors, whom a loop may have moved in, and, when the inventory
    /// knows a dedicated uid, whoever has another one.
    private mutating func notLeaders(in family: Family) -> Set<Int32> {
        var excluded = Set<Int32>()
        if host.procWindow != .recorded, let own = scanner.namedStat(of: getpid()) {
            excluded.formUnion(ancestors(above: Relative(own)))
        }
        if let uid = agent?.uid {
            let strangers = family.relatives.values.filter { realUID(of: $0.pin) != uid }.map(\.pin.pid)
            if strangers.count < family.relatives.count { excluded.formUnion(strangers) }
        }
        return excluded
    }

    private mutating func addSharers(
        of leader: Relative,
        among inside: Set<Int32>,
        in family: Family,
        to kin: inout [Int32: Lineage]
    ) {
        let others = inside.subtracting(kin.keys)
        guard !others.isEmpty, let shared = privateNamespace(of: leader.pin) else { return }
        for pid in others {
            if let other = family.relatives[pid], namespace(of: other.pin) == shared { kin[pid] = .pidNamespace }
        }
    }

    private mutating func addOrphans(
        of leader: Relative,
        among inside: Set<Int32>,
        in family: Family,
        to kin: inout [Int32: Lineage]
    ) {
        let found = orphans(of: leader, among: inside.subtracting(kin.keys), in: family, kin: kin)
        kin.merge(found) { old, _ in old }
    }

    private mutating func orphans(
        of leader: Relative,
        among candidates: Set<Int32>,
        in family: Family,
        kin: [Int32: Lineage]
    ) -> [Int32: Lineage] {
        guard !candidates.isEmpty, let uid = realUID(of: leader.pin) else { return [:] }
        let reapers = family.reapers(above: leader, ancestors: ancestors(above: leader), known: kin)
        var uids: [Int32: Bool] = [:]
        for pid in candidates {
            guard let candidate = family.relatives[pid], reapers.contains(candidate.parent) else { continue }
            uids[pid] = realUID(of: candidate.pin) == uid
        }
        return family.orphans(among: candidates, of: leader, reapers: reapers) { uids[$0.pin.pid] ?? false }
    }

    /// The pid namespace of a process when it is not that of the machine's first process.
    mutating func privateNamespace(of pin: ProcessPin) -> UInt64? {
        guard let own = namespace(of: pin), let machine = machineNamespace(), own != machine else { return nil }
        return own
    }

    private func machineNamespace() -> UInt64? {
        for pid in [1, getpid()] {
            do throws(Failure) {
                if let inode = try ProcessDirectory(pid, on: host).namespace(.pid) { return inode }
            } catch { continue }
        }
        return nil
    }

    mutating func namespace(of pin: ProcessPin) -> UInt64? {
        do throws(Failure) {
            return try ProcessDirectory(pin, on: host).namespace(.pid)
        } catch {
            keep(error)
            return nil
        }
    }

    mutating func realUID(of pin: ProcessPin) -> UInt32? {
        do throws(Failure) {
            return try ProcessDirectory(pin, on: host).status().uids.first
        } catch {
            keep(error)
            return nil
        }
    }

    /// A process that ended meanwhile is no failure; of those that say the same about many processes the first is kept.
    mutating func keep(_ failure: Failure) {
        guard failure.code != .notFound, failure.code != .changed else { return }
        let isKnown = failures.contains { $0.attempt == failure.attempt && $0.reason == failure.reason }
        if !isKnown { failures.append(failure) }
    }
}
