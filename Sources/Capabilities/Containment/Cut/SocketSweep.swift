internal import Base
internal import Kernel

/// What a sweep of a session's sockets did.
public struct SweepResult: Hashable, Sendable, Codable {
    /// How many sockets were found and put on record before anything was destroyed.
    public var recorded = 0
    /// How many the kernel destroyed.
    public var destroyed = 0
    /// In how many network namespaces.
    public var namespaces = 0
    /// Sockets that are there still and are cut: internet sockets with their group, packet sockets at the host's end.
    public var cut: [SessionSocket] = []
    /// Sockets that still reach out past the drop: this is what a cut leaves open.
    public var open: [SessionSocket] = []
    /// Sockets that were made elsewhere and are silent only as long as their processes are frozen: destroyed, they could
    /// be connected again.
    public var silentWhileFrozen = 0
    /// What could not be done or looked at, in words for people, each once.
    public var shortfalls: [String] = []
    /// Whether every process of the session was frozen.
    public var isFrozen = false

    /// Starts with nothing done.
    public init() {}

    /// Packet sockets of network namespaces whose ways out are all cut at the host's end are cut, too.
    mutating func settle(behind namespaces: [UInt64]) {
        for socket in open where socket.sendsFrames && namespaces.contains(socket.networkNamespace) {
            shortfalls.removeAll { $0 == SweepResult.past(socket) }
            cut.append(socket)
        }
        open.removeAll { $0.sendsFrames && namespaces.contains($0.networkNamespace) }
    }

    static func past(_ socket: SessionSocket) -> String { "past the drop: \(socket.text)" }

    mutating func lack(_ line: String) {
        if !shortfalls.contains(line) { shortfalls.append(line) }
    }
}

/// Puts the sockets of a session on record and destroys them (SOCK_DESTROY): those made in its cgroups, and those that its
/// processes hold from elsewhere. By what they are, never by when they were made (RT22). It cannot be undone.
struct SocketSweep {
    /// What is destroyed.
    enum Reach {
        /// Every internet socket.
        case everything
        /// TCP connections only: of who is held to send nothing, and must find its listening sockets again.
        case connections
    }

    private let allowed: AllowList
    private let hunt: SocketHunt
    private let reach: Reach

    /// How many sockets an entry of the record has at most.
    private static let batch = 64

    init(_ hunt: SocketHunt, allowing allowed: AllowList, reach: Reach = .everything) {
        self.hunt = hunt
        self.reach = reach
        self.allowed = allowed
    }

    /// Sweeps until a look finds nothing new; gives the last look as well.
    func run(by deadline: Deadline, apply: Apply) throws(Failure) -> (result: SweepResult, last: SocketFinding) {
        var result = SweepResult()
        var finding = try hunt.find(by: deadline)
        var recorded: Set<SocketKey> = []
        var tried: Set<SocketKey> = []
        var foreign: Set<UInt64> = []
        var parked: Set<UInt64> = []
        var known: Set<UInt64> = []
        for _ in 0..<4 {
            let fresh = finding.sockets.filter { recorded.insert(SocketKey($0)).inserted }
            for part in fresh.parts(of: SocketSweep.batch) {
                try apply([.recordSockets(part)]) { () throws(Failure) in }
            }
            result.recorded += fresh.count
            parked.formUnion(finding.parked)
            known.formUnion(fresh.map(\.inode))
            foreign.formUnion(fresh.filter { $0.inet != nil && $0.isCut != true }.map(\.inode))
            let doomed = finding.sockets.filter { isDoomed($0) && tried.insert(SocketKey($0)).inserted }
            guard !doomed.isEmpty else { break }
            try destroy(doomed, finding, &result, deadline, apply)
            finding = try hunt.find(countingBytes: finding.hasCounters, by: deadline)
        }
        result.silentWhileFrozen = parked.subtracting(finding.parked).count
        for (inode, line) in finding.unseen where !known.contains(inode) { result.lack(line) }
        judge(finding, foreign.subtracting(parked).subtracting([0]), &result)
        return (result, finding)
    }

    private func isDoomed(_ socket: SessionSocket) -> Bool {
        guard let inet = socket.inet, inet.state != .timeWait else { return false }
        guard reach == .everything else { return inet.isConnection }
        return !allowed.permits(inet.remote) || socket.isCut != true
    }

    private func destroy(
        _ sockets: [SessionSocket],
        _ finding: SocketFinding,
        _ result: inout SweepResult,
        _ deadline: Deadline,
        _ apply: Apply
    ) throws(Failure) {
        for (inode, those) in Dictionary(grouping: sockets, by: \.networkNamespace).sorted(by: { $0.key < $1.key }) {
            guard let space = finding.spaces[inode] else { continue }
            for part in those.parts(of: 256) {
                let inet = part.compactMap(\.inet)
                let effect = ContainmentEffect.destroySockets(networkNamespace: inode, cookies: inet.map(\.cookie))
                var endings: [NamespaceSockets.Ending] = []
                try apply([effect]) { () throws(Failure) in endings = try space.destroy(inet, by: deadline) }
                for (socket, ending) in zip(part, endings) { take(socket, ending, &result) }
            }
        }
    }

    private func take(_ socket: SessionSocket, _ ending: NamespaceSockets.Ending, _ result: inout SweepResult) {
        switch ending {
        case .destroyed: result.destroyed += 1
        case .gone: return
        case .locked: result.lack("not destroyed: \(socket.text): a process holds its lock")
        case .refused(95): result.lack("sockets are not destroyed: this kernel has no INET_DIAG_DESTROY (EOPNOTSUPP)")
        case .refused(let number):
            guard socket.isCut != true else { return }
            result.lack(
                "not destroyed: \(socket.text): \(Failure(errno: number, "destroy", on: BytePath("socket")).reason)"
            )
        }
    }

    /// What is there after the last round.
    private func judge(_ finding: SocketFinding, _ foreign: Set<UInt64>, _ result: inout SweepResult) {
        result.namespaces = Set(finding.sockets.map(\.networkNamespace)).count
        result.isFrozen = finding.isFrozen
        for line in finding.unknown { result.lack(line) }
        for socket in finding.sockets {
            if let inet = socket.inet {
                guard inet.state != .timeWait else { continue }
                if socket.isCut == true { result.cut.append(socket) } else { result.open.append(socket) }
            } else if let other = socket.other {
                if other.wayOut != nil { result.open.append(socket) }
                // Closed; where it was made is not told, but it is known for those that were seen before.
                if other.isInternet, foreign.contains(socket.inode) { result.silentWhileFrozen += 1 }
            }
        }
        for socket in result.open { result.lack(SweepResult.past(socket)) }
        if result.silentWhileFrozen > 0, !finding.isFrozen {
            result.lack(
                "\(result.silentWhileFrozen) sockets from elsewhere were ended, but their processes run and can connect "
                    + "them again: freeze the session"
            )
        }
    }
}

/// By what a socket is known again.
private struct SocketKey: Hashable {
    let space: UInt64
    let inode: UInt64
    let cookie: UInt64

    init(_ socket: SessionSocket) {
        space = socket.networkNamespace
        inode = socket.inode
        cookie = socket.inet?.cookie ?? 0
    }
}

extension Array {
    fileprivate func parts(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min(count, $0 + size)]) }
    }
}
