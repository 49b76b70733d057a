internal import Base
public import Kernel

/// How the self-test of a cut went (RT2).
public struct CutTest: Hashable, Sendable, Codable {
    /// The ways to talk that were open before the cut and were tried.
    public var tried: Set<CutProbe.Channel> = []
    /// What still passed after the cut, and what could not be shown, in words for people; empty when the cut is proven.
    public var shortfalls: [String] = []

    /// Starts with nothing tried.
    public init() {}

    /// Whether the test showed that nothing passes.
    public var isProven: Bool { shortfalls.isEmpty }
}

/// Tries a cut with a process of Quell's own: what talked before the cut must not talk after it, with old sockets and new
/// ones, both families, both directions. A test that cannot see success proves nothing, so talking before comes first.
///
/// Nothing is ever run inside the session, and nothing is made below its groups: whoever may write there would see it, and
/// could freeze the probe. It stands in a group beside the session's, gets the program that cuts the session, and the
/// kernel is asked which programs are in force for the session.
final class CutTrial {
    private let probe: CutProbe
    private let group: Cgroup
    private let effect: ContainmentEffect
    private let span: Duration
    private var test = CutTest()
    private var isOver = false

    /// Makes the group, moves the probe in and lets it talk.
    ///
    /// - Throws: what kept the test from being begun; nothing is left then.
    init(span: Duration, on host: Host, by deadline: Deadline, apply: Apply) throws(Failure) {
        guard let unified = host.unified else {
            throw Failure(.notFound, "try the cut", on: "cgroups", because: "there is no v2 hierarchy")
        }
        self.span = span
        probe = try CutProbe()
        let parent = try Cgroup(BytePath("/"), in: unified)
        (group, effect) = try CutTrial.place(probe, below: parent, try Cgroup.randomName(), apply)
        do throws(Failure) {
            let opened = try probe.open(by: deadline)
            let passed = try probe.exchange(within: .milliseconds(500), by: deadline)
            test.tried = opened.intersection(passed.inward).intersection(passed.outward)
        } catch {
            try end(on: host, apply: apply)
            throw error
        }
        for channel in probe.channels where !test.tried.contains(channel) {
            test.shortfalls.append("\(channel.text) did not work before the cut, so it proves nothing")
        }
        for family in ["IPv4", "IPv6"] where !probe.channels.contains(where: { $0.text.hasSuffix(family) }) {
            test.shortfalls.append("this machine has no \(family) on loopback to try")
        }
    }

    private static func place(
        _ probe: CutProbe,
        below parent: Cgroup,
        _ name: String,
        _ apply: Apply
    ) throws(Failure) -> (Cgroup, ContainmentEffect) {
        let effect = ContainmentEffect.beginTrial(parent: parent.pin, name: name)
        var made: Cgroup?
        try apply([effect]) { () throws(Failure) in
            let group = try parent.makeChild(name)
            do throws(Failure) {
                try group.adopt(probe.pid)
            } catch {
                try group.remove()
                throw error
            }
            made = group
        }
        guard let made else { throw Failure(.system, "try the cut", on: name, because: "the group was not made") }
        return (made, effect)
    }

    /// With the drop: tries everything again, and asks the kernel what is in force for the session.
    func conclude(_ cut: CutResult, on host: Host, by deadline: Deadline) throws(Failure) -> CutTest {
        guard let program = cut.drops.first?.program else {
            test.shortfalls.append("there is no drop to try")
            return test
        }
        try Cut.attach(DropProgram(id: program), to: group)
        let passed = try probe.exchange(within: span, by: deadline)
        for channel in passed.outward { test.shortfalls.append("\(channel.text) still sends on an old socket") }
        for channel in passed.inward { test.shortfalls.append("\(channel.text) still receives on an old socket") }
        for channel in try probe.openAnew(by: deadline) {
            test.shortfalls.append("\(channel.text) still gets out on a new socket")
        }
        for drop in cut.drops { try checkForce(of: drop, on: host) }
        return test
    }

    private func checkForce(of drop: Drop, on host: Host) throws(Failure) {
        var lacking: [String] = []
        try Cgroup(drop.group, on: host).forEachInTree { group throws(Failure) in
            for direction in PacketDirection.allCases {
                do throws(Failure) {
                    guard try !DropProgram.inForce(on: group, direction).contains(drop.program) else { continue }
                    lacking.append("the drop is not in force on \(group.path) (\(direction.rawValue))")
                } catch {
                    // A group that vanishes meanwhile has no sockets to ask for.
                    guard group.stillExists() else { continue }
                    throw error
                }
            }
        }
        test.shortfalls += lacking
    }

    /// Ends the probe and takes its group away.
    func end(on host: Host, apply: Apply) throws(Failure) {
        guard !isOver, let inverse = effect.inverse else { return }
        isOver = true
        probe.end()
        try apply([inverse]) { () throws(Failure) in try inverse.perform(on: host) }
    }
}
