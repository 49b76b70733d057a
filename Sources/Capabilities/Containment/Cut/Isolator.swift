public import Base
public import Kernel

/// What an isolation may do.
public struct IsolationPolicy: Hashable, Sendable, Codable {
    /// What stays reachable.
    public var allowed: AllowList
    /// How long a packet may take that must not come.
    public var patienceMilliseconds: Int
    /// Where rules of nftables are loaded as a second means.
    public enum Tables: String, Sendable, Codable {
        /// In network namespaces of the session's own; in Quell's own only for a group that the drop cannot cut.
        case whereNeeded
        /// Also in Quell's own, beside a drop that stands.
        case everywhere
        /// Nowhere.
        case nowhere
    }

    /// Where rules of nftables are loaded.
    public var tables: Tables

    /// Takes all parts.
    public init(
        allowed: AllowList = AllowList(),
        patienceMilliseconds: Int = 100,
        tables: Tables = .whereNeeded
    ) {
        self.allowed = allowed
        self.patienceMilliseconds = patienceMilliseconds
        self.tables = tables
    }
}

/// What was there before an isolation, as the case's journal tells it.
public struct EarlierCut: Hashable, Sendable, Codable {
    /// The drops that stand.
    public var drops: [Drop]
    /// The tables that stand.
    public var tables: [PacketTable]
    /// Groups that were frozen by us, with a reason where one was needed.
    public var frozen: [CgroupPin]

    /// Takes all parts.
    public init(drops: [Drop] = [], tables: [PacketTable] = [], frozen: [CgroupPin] = []) {
        self.drops = drops
        self.tables = tables
        self.frozen = frozen
    }
}

/// What is true after an isolation.
public struct IsolationResult: Hashable, Sendable, Codable {
    /// The drops.
    public var cut = CutResult()
    /// The sockets.
    public var sockets = SweepResult()
    /// The rules of nftables.
    public var tables = SecondMeansResult()
    /// The host's ends of networks that packet sockets of the session send to.
    public var links = LinkCutResult()
    /// Who carries its networks from outside.
    public var carriers = CarrierResult()
    /// The self-test.
    public var test = CutTest()
    /// What is not known, so that a group of the session may be left out.
    public var unknown: [String] = []

    /// Starts with nothing done.
    public init() {}

    /// Everything that keeps the isolation from being whole and proven, in words for people.
    public var shortfalls: [String] {
        cut.notReached + cut.failures.map(\.description) + sockets.shortfalls + unknown + links.notReached
            + carriers.notReached
            + test.shortfalls.map { "not proven: \($0)" }
    }
}

/// Isolates a session: the drop, its sockets on record, their destruction, a second means, and a proof (DESIGN section 5).
/// Whatever fails, what was cut stays cut (RT2).
public struct Isolator {
    private let host: Host

    /// Works on this host.
    public init(_ host: Host) { self.host = host }

    /// Isolates. What was done before a failure stays done and is in `apply`'s record.
    ///
    /// Throws ``Base/Failure/Code/refused`` for the root, slices, and groups that hold what the machine needs, unless we
    /// froze them before. Everything else that is missing is in the result.
    public func isolate(
        _ scope: IsolationScope,
        leader: ProcessPin? = nil,
        _ policy: IsolationPolicy = IsolationPolicy(),
        after earlier: EarlierCut = EarlierCut(),
        by deadline: Deadline,
        apply: Apply
    ) throws(Failure) -> IsolationResult {
        try refuse(scope, leader, earlier)
        var result = IsolationResult()
        // First of all: what comes before can be seen, and held up, by the session (RT13).
        do throws(Failure) {
            result.cut = try Cut.drop(
                scope.groups.filter { $0.hierarchy == "v2" },
                allowing: policy.allowed,
                replacing: earlier.drops,
                on: host,
                apply: apply
            )
        } catch {
            result.cut.failures.append(error)
        }
        var last: SocketFinding?
        do throws(Failure) {
            let hunt = try SocketHunt(scope, beside: result.cut.drops, on: host)
            let swept = try SocketSweep(hunt, allowing: policy.allowed).run(by: deadline, apply: apply)
            result.sockets = swept.result
            last = swept.last
        } catch {
            result.sockets.lack("the sockets were not all recorded and destroyed: \(error)")
        }
        if let last, policy.tables != .nowhere {
            let cut = policy.tables == .everywhere ? [] : result.cut.drops.map(\.group)
            let matched = scope.groups.filter { $0.hierarchy == "v2" && !cut.contains($0) }
            let means = SecondMeans(allowing: policy.allowed, matching: matched, on: host)
            result.tables = means.add(last, beside: earlier.tables, by: deadline, apply: apply)
        }
        if let last {
            let carriers = CarrierHold(allowing: policy.allowed, on: host)
            result.carriers = carriers.hold(last, by: deadline, apply: apply)
        }
        if let last, policy.tables != .nowhere {
            let quiet = result.carriers.namespaces
            let ends = LinkCut(allowing: policy.allowed, besides: quiet, on: host)
            result.links = ends.cut(last, beside: earlier.tables, by: deadline, apply: apply)
            result.sockets.settle(behind: result.links.namespaces)
        }
        test(policy, deadline, apply, &result)
        if let last { compare(last, scope, policy.allowed, deadline, &result) }
        return result
    }

    private func refuse(
        _ scope: IsolationScope,
        _ leader: ProcessPin?,
        _ earlier: EarlierCut
    ) throws(Failure) {
        var groups: [Cgroup] = []
        for pin in scope.groups where !earlier.frozen.contains(pin) {
            do throws(Failure) {
                groups.append(try Cgroup(pin, on: host))
            } catch {
                guard error.code == .notFound || error.code == .changed, scope.groups.count > 1 else { throw error }
            }
        }
        try Refusals(policy: FreezePolicy(), verb: "isolate").check(groups, leader: leader, on: host)
    }

    private func test(
        _ policy: IsolationPolicy,
        _ deadline: Deadline,
        _ apply: Apply,
        _ result: inout IsolationResult
    ) {
        let trial: CutTrial
        do throws(Failure) {
            trial = try CutTrial(
                span: .milliseconds(policy.patienceMilliseconds),
                on: host,
                by: min(deadline, Deadline(after: .seconds(2))),
                apply: apply
            )
        } catch {
            result.test.shortfalls.append("the self-test could not be begun: \(error)")
            return
        }
        do throws(Failure) {
            result.test = try trial.conclude(result.cut, on: host, by: min(deadline, Deadline(after: .seconds(3))))
        } catch {
            result.test.shortfalls.append("the self-test did not come to its end: \(error)")
        }
        do throws(Failure) { try trial.end(on: host, apply: apply) } catch {
            result.test.shortfalls.append("the group of the self-test is left: \(error)")
        }
    }

    private func compare(
        _ before: SocketFinding,
        _ scope: IsolationScope,
        _ allowed: AllowList,
        _ deadline: Deadline,
        _ result: inout IsolationResult
    ) {
        do throws(Failure) {
            let hunt = try SocketHunt(scope, beside: result.cut.drops, on: host)
            let limit = min(deadline, Deadline(after: .seconds(3)))
            let after = try hunt.find(countingBytes: before.hasCounters, by: limit)
            result.test.shortfalls += Isolator.progress(from: before, to: after, besides: allowed)
        } catch {
            result.test.shortfalls.append("whether its sockets are silent: \(error)")
        }
    }

    /// What moved over the session's connections between two looks, also seen from their far ends on this machine.
    static func progress(
        from before: SocketFinding,
        to after: SocketFinding,
        besides allowed: AllowList
    ) -> [String] {
        var lines: [String] = []
        var counters: [UInt64: TCPCounters] = [:]
        for socket in before.sockets { socket.inet.map { counters[$0.cookie] = $0.counters } }
        for socket in after.sockets {
            guard let inet = socket.inet, !allowed.permits(inet.remote), let now = inet.counters,
                let then = counters[inet.cookie]
            else { continue }
            if now.bytesAcknowledged > then.bytesAcknowledged { lines.append("bytes went out over \(socket.text)") }
            if now.bytesReceived > then.bytesReceived { lines.append("bytes came in over \(socket.text)") }
        }
        for (cookie, end) in after.farEnds {
            guard !allowed.permits(end.socket.local), let then = before.farEnds[cookie], end.bytes > then.bytes else {
                continue
            }
            lines.append("\(end.bytes - then.bytes) bytes reached \(end.socket.local) from \(end.socket.remote)")
        }
        return lines
    }
}
