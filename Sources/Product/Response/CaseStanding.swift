public import Base
public import Casework
public import Containment
import Credentials
public import Engine
import Kernel
import Sessions

/// Whether what was done in a case is still true, asked from the world, and what to do next.
public struct CaseStanding: Sendable {
    /// One thing that was done.
    public struct Fact: Hashable, Sendable {
        /// Whether it is true now.
        public let holds: Bool
        /// What it is, one line; may hold hostile names.
        public let text: String
    }

    /// Everything that was done and not taken back, as it is now; of a group that holds nobody there is nothing to say.
    public let facts: [Fact]
    /// The sessions' groups that were frozen and hold nobody any more, or are gone.
    public let ended: [CgroupPin]
    /// A run that goes on.
    public struct LiveRun: Hashable, Sendable {
        /// Its name.
        public let run: String
        /// Who is at it.
        public let holder: RunHolder
    }

    /// Groups that Quell made and that hold nobody any more, because the session has ended; the next thaw removes them.
    public let leftovers: [CgroupPin]
    /// Who is joined to the sessions that are held now, what these serve, and which locks they hold (RT23).
    public let surroundings: [Surroundings]
    /// The groups that are held or cut: what happens to them changes the facts.
    public let groups: [CgroupPin]
    /// The leases of cuts that stand.
    public let leases: [LeaseStanding]
    /// Runs that go on now.
    public let liveRuns: [LiveRun]
    /// Runs that were interrupted, or whose approval has expired or was denied.
    public let unfinishedRuns: [String]
    /// What waits for approval, or has it and waits to be resumed.
    public let approvals: [ApprovalStanding]
    /// Whether the case is closed.
    public let isClosed: Bool
    /// The next command, made of ids only (RT14).
    public let next: String

    /// Whether every fact holds and no lease is overdue (RT2).
    public var stands: Bool { facts.allSatisfy(\.holds) && !leases.contains { $0.lease.isOverdue } }

    /// Asks the kernel and the providers. Changes nothing.
    ///
    /// - Throws: `malformed` or `notVerified` when the journal is not as it was written.
    public init(of place: Workplace) throws(Failure) {
        let home = place.home
        let registry = try ActionCatalogue.registry(at: place)
        let context = RunContext(home, registry, by: place.responder)
        var live: [LiveRun] = []
        var interrupted: [String] = []
        let approvals = try ApprovalDesk(home).open()
        for run in try Recovery(context).unfinishedRuns() {
            if approvals.contains(where: { $0.request.run == run }) { continue }
            if let holder = try home.holder(ofRun: run) {
                live.append(LiveRun(run: run, holder: holder))
            } else {
                interrupted.append(run)
            }
        }
        isClosed = try home.isClosed()
        liveRuns = live
        unfinishedRuns = interrupted
        self.approvals = approvals
        var facts: [Fact] = []
        var isFrozen = false
        var leftovers: [CgroupPin] = []
        var ended: SessionPin?
        var empty: [CgroupPin] = []
        var acted: SessionPin?
        var broken: SessionPin?
        var surroundings: [Surroundings] = []
        var leases: [LeaseStanding] = []
        var groups: [CgroupPin] = []
        for pin in try home.subjects() {
            guard pin.bootID == place.host.bootID else {
                facts.append(Fact(holds: false, text: "the machine was restarted: nothing of before stands"))
                continue
            }
            let held = try HeldSession(of: pin, in: home, on: place.host)
            let found =
                try CaseStanding.freezes(held, on: place.host) + CaseStanding.drops(held, on: place.host)
                + CaseStanding.supervisors(held, on: place.host)
            if !held.effects.isEmpty { acted = pin }
            if broken == nil, found.contains(where: { !$0.holds }) { broken = pin }
            for group in held.frozenGroups {
                if try StandingHolds.isPopulated(group, on: place.host) {
                    isFrozen = true
                } else if !empty.contains(group) {
                    empty.append(group)
                }
            }
            for fact in found where !facts.contains(fact) { facts.append(fact) }
            if let around = try CaseStanding.surroundings(of: held, on: place.host) { surroundings.append(around) }
            groups += held.frozenGroups + held.drops.map(\.group)
            if let lease = try LeaseStanding.standing(held, pin, on: place.host) { leases.append(lease) }
            let left = try CaseStanding.leftovers(of: held, on: place.host)
            if !left.isEmpty { ended = pin }
            leftovers += left.filter { !leftovers.contains($0) }
        }
        self.surroundings = surroundings
        self.leases = leases
        self.groups = groups
        self.leftovers = leftovers
        self.ended = empty.filter { !leftovers.contains($0) }
        facts += try CaseStanding.credentials(at: place)
        self.facts = facts
        // Never one that somebody only named, perhaps by mistake: first of whom something is no longer true, then the
        // newest that something was done to.
        let newest = try home.subjects().last
        let subject = broken ?? acted ?? newest
        let thaw = ended?.leader.map { "quell thaw pid:\($0.pid) --case \(home.id) --waive ended" }
        let isApproved = approvals.contains { $0.state == .approved }
        if interrupted.isEmpty, !isApproved, !approvals.isEmpty, facts.allSatisfy(\.holds) {
            next = "quell approve \(home.id) --show"
        } else {
            let unfinished = interrupted + approvals.filter { $0.state == .approved }.map(\.request.run)
            next = try CaseStanding.next(at: place, subject, facts, unfinished, isFrozen: isFrozen, afterEnd: thaw)
        }
    }

    private static func freezes(_ held: HeldSession, on host: Host) throws(Failure) -> [Fact] {
        var facts: [Fact] = []
        var isHeld = false
        for effect in held.effects {
            guard case .freeze(let group, _) = effect else { continue }
            isHeld = true
            guard try StandingHolds.isPopulated(group, on: host) else { continue }
            let state = try effect.probe(on: host)
            facts.append(Fact(holds: state == .done, text: "\(group.hierarchy) \(group.path) is frozen"))
        }
        guard let result = held.lastFreeze, isHeld else { return facts }
        let check = try FreezeCheck(of: result, on: host)
        if !check.movedOut.isEmpty {
            let pids = check.movedOut.map { "\($0.pid)" }.joined(separator: ", ")
            facts.append(Fact(holds: false, text: "every member stands in a frozen group: \(pids) moved out"))
        }
        // Of whom nothing is left, what they used on their way out says nothing.
        if check.thawed.isEmpty, check.processes > 0, let used = check.usedMicroseconds, used > 0,
            let group = result.groups.first?.group
        {
            let text = "nothing ran since the freeze: \(group.path) used \(used) microseconds of CPU time"
            facts.append(Fact(holds: false, text: text))
        }
        if !check.joined.isEmpty {
            let pids = check.joined.map { "\($0.pid)" }.joined(separator: ", ")
            facts.append(Fact(holds: false, text: "nobody joined since the freeze: \(pids) did"))
        }
        return facts
    }

    /// What stands around a session that is held, as it is now; `nil` when nothing of it is held.
    private static func surroundings(of held: HeldSession, on host: Host) throws(Failure) -> Surroundings? {
        var isAnybodyHeld = false
        for group in held.frozenGroups where !held.members.isEmpty {
            if try StandingHolds.isPopulated(group, on: host) { isAnybodyHeld = true }
        }
        guard isAnybodyHeld else { return nil }
        var found = Surroundings.look(at: held.members, on: host, by: Deadline(after: .seconds(1)))
        found.peers.removeAll { held.supervisors.contains($0.process) }
        for index in found.peers.indices where held.peers.contains(found.peers[index].process) {
            found.peers[index].isHeld = true
        }
        return found
    }

    /// The groups that Quell made for a session of which nobody is left: they stand until the next thaw.
    private static func leftovers(of held: HeldSession, on host: Host) throws(Failure) -> [CgroupPin] {
        var unused: [CgroupPin] = []
        for pin in held.frozenGroups + held.ownGroups {
            do throws(Failure) {
                let group = try Cgroup(pin, on: host)
                guard try !FreezerControl(group).isPopulated() else { return [] }
                if held.ownGroups.contains(pin), !unused.contains(pin) { unused.append(pin) }
            } catch {
                guard error.code == .notFound || error.code == .changed else { throw error }
            }
        }
        return unused
    }

    /// A supervisor that has ended brings nothing back, and that is as good as held.
    private static func supervisors(_ held: HeldSession, on host: Host) throws(Failure) -> [Fact] {
        var facts: [Fact] = []
        for effect in held.effects {
            if case .holdUnit(let unit, _, _) = effect {
                let text = "unit \(Escaped.terminal(unit)) is kept from restarting"
                facts.append(Fact(holds: try effect.probe(on: host) == .done, text: text))
            }
            if case .holdEntry(let hold) = effect {
                let text = "cron's entry \(hold.entry.line) in \(hold.entry.table) is held"
                facts.append(Fact(holds: try effect.probe(on: host) == .done, text: text))
            }
            if case .stopUnit(let unit, _) = effect {
                let text = "\(Escaped.terminal(unit)) is stopped, and starts nothing"
                facts.append(Fact(holds: try effect.probe(on: host) == .done, text: text))
            }
            guard let hold = effect.held(as: .supervisor) else { continue }
            let what = held.peers.contains(hold.process) ? "peer" : "supervisor"
            if let fact = try fact(that: effect, holds: hold.process, in: hold.group, called: what, on: host) {
                facts.append(fact)
            }
        }
        return facts
    }

    /// `nil` for one that has ended.
    private static func fact(
        that effect: ContainmentEffect,
        holds process: ProcessPin,
        in group: CgroupPin,
        called what: String,
        on host: Host
    ) throws(Failure) -> Fact? {
        guard let stat = ProcessScanner(host).namedStat(of: process.pid), stat.pin == process, !stat.numbers.isDead
        else { return nil }
        let isInside = try effect.probe(on: host) == .done
        let isFrozen = try ContainmentEffect.freeze(group: group, requestedBefore: false).probe(on: host) == .done
        return Fact(holds: isInside && isFrozen, text: "\(what) \(process.pid) (\(stat.name)) is held")
    }

    private static func drops(_ held: HeldSession, on host: Host) throws(Failure) -> [Fact] {
        var facts: [Fact] = []
        for drop in held.drops where try StandingHolds.isPopulated(drop.group, on: host) {
            let effect = ContainmentEffect.attachDrop(group: drop.group, program: drop.program)
            let state = try effect.probe(on: host)
            facts.append(Fact(holds: state == .done, text: "the network of \(drop.group.path) is dropped"))
        }
        for table in held.tables {
            let state = try ContainmentEffect.addTable(table).probe(on: host)
            // Of one whose interface is gone there is nothing to say.
            if state == .partly { continue }
            facts.append(Fact(holds: state == .done, text: "the table \(table.name) of nftables stands"))
        }
        for effect in held.carriers {
            guard let carrier = effect.held(as: .carrier) else { continue }
            let what = "network carrier"
            if let fact = try fact(that: effect, holds: carrier.process, in: carrier.group, called: what, on: host) {
                facts.append(fact)
            }
        }
        return facts
    }

    /// The last receipt of each credential, looked at again.
    private static func credentials(at place: Workplace) throws(Failure) -> [Fact] {
        var receipts: [String: Receipt] = [:]
        for entry in try place.home.journal.notes(about: "step-ended") {
            guard entry.meant.body["action"]?.string == RevokeAction.descriptor.name,
                let output = entry.meant.body["output"]
            else { continue }
            for receipt in try JSONDecoding.decode(RevokeAction.Output.self, from: output).receipts {
                receipts[receipt.handle.description] = receipt
            }
        }
        var facts: [Fact] = []
        for (name, receipt) in receipts.sorted(by: { $0.key < $1.key }) {
            facts.append(try fact(of: receipt, called: name, at: place))
        }
        return facts
    }

    private static func fact(of receipt: Receipt, called name: String, at place: Workplace) throws(Failure) -> Fact {
        guard receipt.verdict == .dead || receipt.verdict == .wasAlreadyDead else {
            return Fact(holds: false, text: receipt.sentence)
        }
        let records = place.inventory.agents.flatMap(\.credentials)
        guard let record = records.first(where: { $0.handle == name }) else {
            return Fact(holds: false, text: "\(name) is dead: cannot be asked again, the inventory does not declare it")
        }
        do throws(Failure) {
            let target = try RevocationTarget(try DeclaredCredential(record), of: nil)
            let seen = try RedisProvider(on: place.host).inspect(target, by: Deadline(after: .seconds(5)))
            return Fact(holds: seen.sighting.isDead, text: "\(name) is dead")
        } catch {
            return Fact(holds: false, text: "\(name) is dead: cannot be asked again, \(error)")
        }
    }

    private static func next(
        at place: Workplace,
        _ subject: SessionPin?,
        _ facts: [Fact],
        _ unfinished: [String],
        isFrozen: Bool,
        afterEnd thaw: String?
    ) throws(Failure) -> String {
        let home = place.home
        // After a reboot there is nothing left to be resumed (RT20).
        if !unfinished.isEmpty, try home.opening().host == home.host { return "quell resume \(home.id)" }
        guard let subject, let leader = try livingLeader(of: subject, on: place.host) else {
            if let thaw { return thaw }
            return try !hasCaptures(home) ? "quell case show \(home.id)" : "quell timeline \(home.id)"
        }
        if facts.contains(where: { !$0.holds }) { return "quell freeze \(leader) --case \(home.id)" }
        if isFrozen, try !hasCaptureThatCounts(of: subject, at: place) {
            return "quell capture \(leader) --case \(home.id)"
        }
        return try !hasCaptures(home) ? "quell case show \(home.id)" : "quell timeline \(home.id)"
    }

    /// Whether Quell captured anything for the case; what was imported is none.
    private static func hasCaptures(_ home: Case) throws(Failure) -> Bool {
        try home.captures().contains { $0.purpose != .foreign }
    }

    /// Whether a kill would be permitted now, as far as the journal and the kernel know; bundles are not read again.
    private static func hasCaptureThatCounts(of pin: SessionPin, at place: Workplace) throws(Failure) -> Bool {
        let context = RunContext(place.home, ActionRegistry(), by: place.responder) { _ in }
        do throws(Failure) {
            let counted = try context.captureThatCounts(for: KillAction.descriptor, on: [pin])
            guard let capture = counted else { return true }
            try UnbrokenHold(in: place.home, on: place.host).require(of: [pin], since: capture, to: "kill")
            return true
        } catch {
            guard error.code == .refused else { throw error }
            return false
        }
    }

    /// The leader of a session as a locator; `nil` when that very process has ended, because its pid may be anybody's by
    /// now (RT35).
    private static func livingLeader(of pin: SessionPin, on host: Host) throws(Failure) -> String? {
        guard pin.bootID == host.bootID, let leader = pin.leader else { return nil }
        do throws(Failure) {
            let numbers = try ProcessDirectory(leader, on: host).stat().numbers
            return numbers.isDead ? nil : "pid:\(leader.pid)"
        } catch {
            guard error.code == .notFound || error.code == .changed else { throw error }
            return nil
        }
    }
}
