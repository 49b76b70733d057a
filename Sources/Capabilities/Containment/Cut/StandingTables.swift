public import Base
public import Kernel

extension PacketTables {
    /// The first of the tables on record that is there still. One that somebody else took away goes from the record, too:
    /// then it stands no more for anybody who asks.
    func standing(
        among known: [PacketTable],
        by deadline: Deadline,
        _ apply: Apply
    ) throws(Failure) -> PacketTable? {
        for table in known {
            if try handle(of: table, by: deadline) != nil { return table }
            try apply([.removeTable(table)]) { () throws(Failure) in }
        }
        return nil
    }
}

extension Cut {
    /// The tables at interfaces that cut nobody any more: the interface is gone, or nobody stands in the network namespace
    /// behind it. After a kill that left nobody they have no use, and the next who gets that namespace must not be cut.
    public static func spentTables(among tables: [PacketTable], on host: Host) throws(Failure) -> [PacketTable] {
        let deadline = Deadline(after: .seconds(5))
        let home = try NamespaceSockets.own(on: host)
        var spent: [PacketTable] = []
        for table in tables where table.networkNamespace == home.inode {
            guard let pins = table.pins else { continue }
            let isThere = try PacketTables(in: home).hasInterfaces(of: table, by: deadline)
            let isUsed = try standsAnybody(in: Set(pins.map(\.peerNamespace)), host)
            if !isThere || !isUsed { spent.append(table) }
        }
        return spent
    }

    private static func standsAnybody(in namespaces: Set<UInt64>, _ host: Host) throws(Failure) -> Bool {
        let scanner = ProcessScanner(host)
        return try scanner.pids().contains { pid in
            guard scanner.stat(of: pid)?.isDead == false else { return false }
            return scanner.namespace(.network, of: pid).map(namespaces.contains) ?? false
        }
    }
}
