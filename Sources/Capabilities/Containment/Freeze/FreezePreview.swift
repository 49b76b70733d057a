public import Base
internal import Kernel

/// What a freeze would meet, asked beforehand: nothing is changed, and what it finds may be different a moment later.
public struct FreezePreview: Hashable, Sendable, Codable {
    /// The groups that would be frozen; none when Quell would make one.
    public var groups: [CgroupPin] = []
    /// Those of them that are frozen already.
    public var frozen: [CgroupPin] = []
    /// The processes inside and of the session.
    public var members: [ProcessPin] = []
    /// Processes outside that would be held, by strong marks.
    public var strays: [Stray] = []
    /// Processes outside with weaker marks, which only `--include` takes along.
    public var listed: [Stray] = []
    /// Processes inside that would be moved aside.
    public var guests: [Guest] = []
    /// What could start it again.
    public var supervisors: [Supervisor] = []
    /// Who is joined to it, what it serves, which locks it holds.
    public var surroundings = Surroundings()
    /// What a person should know.
    public var notes: [String] = []
}

extension Freezer {
    /// Looks what a freeze would meet, with the same refusals. Only the session's processes are looked at as a freeze
    /// does before it is frozen; descriptor tables and lists of sockets besides, which need no answer of the session's.
    ///
    /// - Throws: as ``freeze(_:_:after:applyEach:apply:)``.
    public func preview(_ subject: Subject, _ policy: FreezePolicy = FreezePolicy()) throws(Failure) -> FreezePreview {
        let nothing: Apply = { effects, _ throws(Failure) in
            throw Failure(.refused, "look only", on: effects.first?.summary ?? "", because: "nothing is done in a plan")
        }
        var run = try FreezeRun(subject, policy, EarlierFreeze(), host, nothing, nil)
        return try run.preview()
    }

    /// What could start a session again, found as a freeze finds it and with the same refusals; changes nothing. `members`
    /// are of it wherever they stand. Groups in `frozen` were frozen by Quell and are not asked about again.
    func findSupervisors(
        of pin: SessionPin,
        _ policy: FreezePolicy,
        members: [ProcessPin],
        frozen: [CgroupPin]
    ) throws(Failure) -> SupervisorSearch.Findings {
        let nothing: Apply = { effects, _ throws(Failure) in
            throw Failure(
                .refused,
                "look only",
                on: effects.first?.summary ?? "",
                because: "nothing is done by looking"
            )
        }
        var run = try FreezeRun(Subject(pin: pin), policy, EarlierFreeze(), host, nothing, nil)
        return try run.supervisors(with: members, frozen: frozen)
    }
}

extension FreezeRun {
    /// Guests, and so their parents, are nobody's business here (RT11). A session whose groups are gone, and of which Quell
    /// holds members elsewhere, is looked for by these.
    fileprivate mutating func supervisors(
        with members: [ProcessPin],
        frozen: [CgroupPin]
    ) throws(Failure) -> SupervisorSearch.Findings {
        do throws(Failure) {
            try checkLeader()
            try openGroups()
        } catch {
            guard error.code == .notFound || error.code == .changed, !members.isEmpty else { throw error }
        }
        let groups = held.map(\.cgroup).filter { !frozen.contains($0.pin) }
        if !groups.isEmpty || frozen.isEmpty {
            try Refusals(policy: policy, verb: "hold what restarts").check(groups, leader: knowledge.leader, on: host)
        }
        knowledge.settled = Set(members)
        let family = try look()
        return findSupervisors(of: family.members + family.strays.map(\.process))
    }

    mutating func preview() throws(Failure) -> FreezePreview {
        try checkLeader()
        try openGroups()
        try Refusals(policy: policy).check(held.map(\.cgroup), leader: knowledge.leader, on: host)
        try Refusals(policy: policy).check(included: subject.included, responder: responder, on: host)
        let family = try look()
        var preview = FreezePreview()
        preview.groups = held.map(\.cgroup.pin)
        for group in held where try group.control.current() == .frozen { preview.frozen.append(group.cgroup.pin) }
        preview.members = family.members.map(\.pin)
        for (process, marks) in family.strays {
            strays[process.pin] = marks
            // Without groups of its own the session's plain descendants are its members.
            if held.isEmpty,
                marks == [.lineage] || marks == [.lineage, .kernelSession] || process.pin == subject.pin.leader
            {
                preview.members.append(process.pin)
                continue
            }
            preview.strays.append(
                Stray(
                    process: process.pin,
                    name: scans.stat(of: process.pin)?.name ?? BytePath(""),
                    marks: Mark.allCases.filter(marks.contains),
                    isHeld: false
                )
            )
        }
        for (process, reason) in family.guests {
            let name = scans.stat(of: process.pin)?.name ?? BytePath("")
            guests[process.pin] = Guest(process: process.pin, name: name, reason: reason, isSpared: false)
        }
        listWeak()
        preview.guests = guests.values.sorted { $0.process.pid < $1.process.pid }
        preview.listed = result.listed
        let supervisors = findSupervisors(of: family.members + family.strays.map(\.process))
        preview.supervisors = supervisors.supervisors
        preview.notes = result.notes + supervisors.notes
        preview.surroundings = Surroundings.look(
            at: preview.members + preview.strays.map(\.process),
            on: host,
            by: Deadline(after: .milliseconds(max(policy.lookMilliseconds, 1)))
        )
        let known = Set(supervisors.supervisors.compactMap(\.process))
        preview.surroundings.peers.removeAll { known.contains($0.process) }
        SupervisorHold(host).tell(&preview.surroundings.peers)
        return preview
    }
}
