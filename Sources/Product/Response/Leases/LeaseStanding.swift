public import Base
public import Casework
import Containment
public import Kernel
import Sessions

/// A lease of a cut that stands now.
public struct LeaseStanding: Sendable {
    /// Whose.
    public let pin: SessionPin
    /// The lease.
    public let lease: CutLease

    /// The leases of the cuts of a case that stand; of a cut that was released, or whose group is gone, there is none.
    ///
    /// - Throws: `malformed` when the journal is not of Quell's form, or why the kernel cannot be asked.
    public static func standing(in home: Case, on host: Host) throws(Failure) -> [LeaseStanding] {
        var found: [LeaseStanding] = []
        for pin in try home.subjects() where pin.bootID == host.bootID {
            let held = try HeldSession(of: pin, in: home, on: host)
            if let lease = try standing(held, pin, on: host) { found.append(lease) }
        }
        return found
    }

    static func standing(_ held: HeldSession, _ pin: SessionPin, on host: Host) throws(Failure) -> LeaseStanding? {
        guard let lease = held.lease else { return nil }
        for drop in held.drops {
            let effect = ContainmentEffect.attachDrop(group: drop.group, program: drop.program)
            if try effect.probe(on: host) == .done { return LeaseStanding(pin: pin, lease: lease) }
        }
        return nil
    }

    /// Whose it is, for people: the leader, or the group where no leader is known.
    public var name: String {
        pin.leader.map { "pid:\($0.pid)" } ?? pin.cgroups.first?.path.description ?? "a session that is not known"
    }

    /// A command about the session that can be typed as it is, of numbers only (RT14); where only a path names the session,
    /// the one that shows the case.
    public func hint(_ verb: String, in home: CaseID) -> String { pin.hint(verb, in: home) }
}

/// What the guard of leases does: it tells, and nothing else. A cut whose lease ended stands until a person releases it.
public struct LeaseGuard {
    private let home: Case
    private let host: Host
    private let announce: (String) -> Void
    private var told: [CutLease: Deadline] = [:]

    /// How often an overdue lease is told again.
    private static let interval = Duration.seconds(900)

    /// Looks after the leases of a case; `announce` gets what people must know.
    public init(_ home: Case, on host: Host, announce: @escaping (String) -> Void) {
        self.home = home
        self.host = host
        self.announce = announce
    }

    /// Tells what is overdue, once in the journal of the case, again and again outside of it. Gives how long nothing will
    /// change by itself; `nil` when there is nothing left to look after.
    ///
    /// - Throws: `notVerified` when the journal does not hold and something is to be recorded, `refused` for a case of
    ///   another machine or of another life of this one (RT20).
    public mutating func look() throws(Failure) -> Duration? {
        guard try home.opening().host == home.host else {
            throw Failure(.refused, "guard the lease", on: home.id.text, because: "the case is of another machine")
        }
        let leases = try LeaseStanding.standing(in: home, on: host)
        guard !leases.isEmpty else { return nil }
        for one in leases where one.lease.isOverdue && told[one.lease].map(\.hasPassed) ?? true {
            if told[one.lease] == nil { try record(one) }
            told[one.lease] = Deadline(after: LeaseGuard.interval)
            announce(
                "the lease of the cut of \(one.name) in case \(home.id) is overdue; the cut stays: "
                    + "\(LeaseGuard.commands(one, in: home.id).joined(separator: ", or "))"
            )
        }
        let next = leases.map(\.lease.remaining).filter { $0 > .zero }.min() ?? .seconds(10)
        return min(next, .seconds(10))
    }

    /// What can be done about it: each command once, where no leader is known.
    static func commands(_ one: LeaseStanding, in home: CaseID) -> [String] {
        let show = "quell status \(home)"
        let release = one.hint("release", in: home)
        guard release != show else { return [show] }
        return [show, release, "\(one.hint("isolate", in: home)) --lease \(one.lease.seconds)s"]
    }

    private func record(_ one: LeaseStanding) throws(Failure) {
        let ends = try home.journal.notes(about: "lease-overdue").contains {
            $0.meant.body["endsAtBootMilliseconds"]?.integer == one.lease.endsAtBootMilliseconds
        }
        guard !ends else { return }
        _ = try home.journal.verify().verified(of: home.id)
        let body: JSONValue = [
            "endsAtBootMilliseconds": .integer(one.lease.endsAtBootMilliseconds),
            "seconds": .integer(one.lease.seconds),
            "pin": try JSONEncoding.value(of: one.pin),
        ]
        try home.journal.append([EntryDraft(note: "lease-overdue", body, by: .quell)])
    }
}
