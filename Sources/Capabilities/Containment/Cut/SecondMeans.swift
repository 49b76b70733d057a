internal import Base
public import Kernel

/// What was done with nftables besides the drop.
public struct SecondMeansResult: Hashable, Sendable, Codable {
    /// The tables that stand.
    public var tables: [PacketTable] = []
    /// Why there is none where there could be one, in words for people. Not a shortfall: the drop is what counts.
    public var notes: [String] = []

    /// Starts with none.
    public init() {}
}

/// The second means of a cut: a table in the session's own network namespace, when the session has one to itself and can
/// never administer it (RT22); in Quell's own namespace, rules that match the sockets of the session's groups.
struct SecondMeans {
    private let host: Host
    private let allowed: AllowList
    private let matched: [CgroupPin]

    private static let administersNetwork: UInt64 = 1 << 12

    init(allowing allowed: AllowList, matching matched: [CgroupPin], on host: Host) {
        self.allowed = allowed
        self.matched = matched
        self.host = host
    }

    func add(
        _ finding: SocketFinding,
        beside standing: [PacketTable],
        by deadline: Deadline,
        apply: Apply
    ) -> SecondMeansResult {
        var result = SecondMeansResult()
        if let obstacle = PacketTables.obstacle() {
            result.notes.append("no rules of nftables: \(obstacle)")
            return result
        }
        do throws(Failure) {
            let home = try NamespaceSockets.own(on: host).inode
            for (inode, space) in finding.spaces.sorted(by: { $0.key < $1.key }) {
                var groups: [CgroupPin] = []
                if inode == home {
                    groups = matched
                    guard !groups.isEmpty else { continue }
                } else if let reason = try obstacle(in: inode, for: finding) {
                    result.notes.append("no rules of nftables in network namespace \(inode): \(reason)")
                    continue
                }
                let known = standing.filter {
                    $0.networkNamespace == inode && $0.pins == nil && $0.groups == groups && $0.allowed == allowed
                }
                add(groups, in: space, unless: known, deadline, apply, &result)
            }
        } catch {
            result.notes.append("no rules of nftables: \(error)")
        }
        return result
    }

    private func add(
        _ groups: [CgroupPin],
        in space: NamespaceSockets,
        unless known: [PacketTable],
        _ deadline: Deadline,
        _ apply: Apply,
        _ result: inout SecondMeansResult
    ) {
        do throws(Failure) {
            let tables = PacketTables(in: space)
            if let one = try tables.standing(among: known, by: deadline, apply) {
                result.tables.append(one)
                return
            }
            let table = PacketTable(
                name: try Cgroup.randomName(),
                networkNamespace: space.inode,
                groups: groups,
                allowed: allowed
            )
            _ = try table.rules()
            try apply([.addTable(table)]) { () throws(Failure) in try tables.add(table, by: deadline) }
            result.tables.append(table)
        } catch {
            result.notes.append("no rules of nftables in network namespace \(space.inode): \(error)")
        }
    }

    /// Why a table in a namespace of the session's does not count, or would hit others; `nil` when it is its own.
    private func obstacle(in namespace: UInt64, for finding: SocketFinding) throws(Failure) -> String? {
        let members = Set(finding.members.map(\.pid))
        let scanner = ProcessScanner(host)
        var others = 0
        for pid in try scanner.pids() where try self.namespace(of: pid) == namespace {
            guard members.contains(pid) || scanner.stands(in: finding.places, pid: pid) != false else {
                others += 1
                continue
            }
            let status: ProcessStatus
            do throws(Failure) {
                status = try ProcessDirectory(pid, on: host).status()
            } catch {
                continue
            }
            let rights = status.effectiveCapabilities | status.boundingCapabilities
            if rights & SecondMeans.administersNetwork != 0 {
                return "process \(pid) may administer it and could take them away (CAP_NET_ADMIN)"
            }
        }
        return others == 0 ? nil : "\(others) processes that are not of the session share it"
    }

    /// `nil` for who has ended, and for who may not be looked at even by root, such as a guarded first process: that one
    /// is of the machine, and the namespace is one that the session made for itself.
    private func namespace(of pid: Int32) throws(Failure) -> UInt64? {
        do throws(Failure) {
            return try ProcessDirectory(pid, on: host).namespace(.network)
        } catch {
            guard error.code == .notFound || error.code == .notPermitted || error.errno == 3 else { throw error }
            return nil
        }
    }
}
