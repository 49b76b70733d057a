internal import Base
public import Kernel

/// What was cut at the host's end of networks.
public struct LinkCutResult: Hashable, Sendable, Codable {
    /// The tables that stand.
    public var tables: [PacketTable] = []
    /// The network namespaces of which every way out is cut, by inode.
    public var namespaces: [UInt64] = []
    /// Ways out that are not cut, in words for people.
    public var notReached: [String] = []

    /// Starts with none.
    public init() {}
}

/// Cuts networks at the host's end (RT22). A packet socket hands whole frames to an interface, and no drop on a cgroup
/// sees them: gVisor's network stack sends so. What leaves such a namespace by a veth arrives at its other end in Quell's
/// own namespace, where the session administers nothing, and is dropped there, both ways.
struct LinkCut {
    private let host: Host
    private let allowed: AllowList
    private let quiet: Set<UInt64>

    /// `quiet` are namespaces whose taps lead nowhere, because who carries them is held.
    init(allowing allowed: AllowList, besides quiet: [UInt64], on host: Host) {
        self.allowed = allowed
        self.quiet = Set(quiet)
        self.host = host
    }

    func cut(
        _ finding: SocketFinding,
        beside standing: [PacketTable],
        by deadline: Deadline,
        apply: Apply
    ) -> LinkCutResult {
        var result = LinkCutResult()
        let senders = Dictionary(grouping: finding.sockets.filter(\.sendsFrames), by: \.networkNamespace)
        for (inode, sockets) in senders.sorted(by: { $0.key < $1.key }) {
            guard let space = finding.spaces[inode] else { continue }
            do throws(Failure) {
                let home = try NamespaceSockets.own(on: host)
                guard inode != home.inode else { continue }
                let ends = try ends(of: space, sockets, finding, from: home, deadline)
                result.notReached += ends.others
                guard !ends.links.isEmpty else {
                    if ends.others.isEmpty { result.namespaces.append(inode) }
                    continue
                }
                try load(ends.links, in: home, beside: standing, deadline, apply, &result)
                if ends.others.isEmpty { result.namespaces.append(inode) }
            } catch {
                result.notReached.append("the host's end of network namespace \(inode): \(error)")
            }
        }
        return result
    }

    private func load(
        _ pins: [LinkPin],
        in home: NamespaceSockets,
        beside standing: [PacketTable],
        _ deadline: Deadline,
        _ apply: Apply,
        _ result: inout LinkCutResult
    ) throws(Failure) {
        let tables = PacketTables(in: home)
        let names = pins.map(\.name).joined(separator: " ")
        if let obstacle = PacketTables.obstacle() {
            throw Failure(.notFound, "drop at the interfaces", on: names, because: obstacle)
        }
        let known = standing.filter { $0.networkNamespace == home.inode && $0.pins == pins && $0.allowed == allowed }
        if let one = try tables.standing(among: known, by: deadline, apply) {
            result.tables.append(one)
            return
        }
        let table = PacketTable(
            name: try Cgroup.randomName(),
            networkNamespace: home.inode,
            allowed: allowed,
            pins: pins
        )
        _ = try table.rules()
        try apply([.addTable(table)]) { () throws(Failure) in try tables.add(table, by: deadline) }
        result.tables.append(table)
    }

    /// The names of the host's ends, and in words what leads elsewhere.
    private func ends(
        of space: NamespaceSockets,
        _ sockets: [SessionSocket],
        _ finding: SocketFinding,
        from home: NamespaceSockets,
        _ deadline: Deadline
    ) throws(Failure) -> (links: [LinkPin], others: [String]) {
        if let sharers = try finding.sharers(of: space.inode, on: host) {
            let place = "network namespace \(space.inode) is not cut at the host's end"
            return ([], ["\(place): \(sharers) and is not of the session"])
        }
        let here = try NetworkLinks.list(in: home, by: deadline)
        let inside = try NetworkLinks.list(in: space, by: deadline).filter { !$0.isLoopback }
        let number = try number(of: space, finding, deadline)
        var links: [LinkPin] = []
        var others: [String] = []
        for link in inside where link.kind != "tun" || !quiet.contains(space.inode) {
            let end = here.first { end in number.map { end.isOtherEnd(of: link, in: $0) } ?? false }
            if let pin = end.flatMap({ LinkPin($0, into: space.inode) }) {
                // nft looks for an interface of that name before it takes a number for one.
                if here.contains(where: { $0.name == BytePath("\(pin.index)") }) {
                    others.append("interface \(pin.name) is not cut: its number \(pin.index) is another one's name")
                } else {
                    links.append(pin)
                }
            } else {
                others.append(try elsewhere(link, space, finding))
            }
        }
        return (links.sorted { $0.index < $1.index }, others)
    }

    private func elsewhere(
        _ link: NetworkLink,
        _ space: NamespaceSockets,
        _ finding: SocketFinding
    ) throws(Failure) -> String {
        let kind = link.kind.isEmpty ? "a device of the machine" : Escaped.terminal(link.kind)
        let place = "interface \(link.name) (\(kind)) of network namespace \(space.inode)"
        guard link.kind == "tun" else { return "\(place) has no end here at which it could be cut" }
        let members = Set(finding.members.map(\.pid))
        let carriers = try TapCarriers(on: host).find(of: [space.inode]).filter { !members.contains($0.process.pid) }
        guard !carriers.isEmpty else { return "\(place): no process is known that carries what it sends" }
        let names = carriers.map { "process \($0.process.pid) (\($0.process.name))" }.joined(separator: ", ")
        let pids = carriers.map { "pid:\($0.process.pid)" }.joined(separator: " ")
        return "\(place) is carried by \(names), outside of the session, which is stopped by: quell freeze \(pids)"
    }

    /// How Quell's namespace numbers it, asked by a member that stands in it before and after.
    private func number(
        of space: NamespaceSockets,
        _ finding: SocketFinding,
        _ deadline: Deadline
    ) throws(Failure) -> Int32? {
        for pin in finding.members where try stands(pin, in: space.inode) {
            let number = try NetworkLinks.number(ofNamespaceOf: pin.pid, by: deadline)
            if try stands(pin, in: space.inode) { return number }
        }
        return nil
    }

    private func stands(_ pin: ProcessPin, in namespace: UInt64) throws(Failure) -> Bool {
        do throws(Failure) {
            return try ProcessDirectory(pin, on: host).namespace(.network) == namespace
        } catch {
            guard error.code == .notFound || error.code == .changed || error.errno == 3 else { throw error }
            return false
        }
    }
}
