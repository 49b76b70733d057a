public import Base

/// The nftables of one network namespace, by nft(8) in a child that enters it. nft is a program of root's at a fixed path,
/// with an empty environment and a deadline.
public struct PacketTables {
    /// Where nft is.
    public static let program = BytePath("/usr/sbin/nft")

    private let space: NamespaceSockets

    /// Those of a namespace.
    public init(in space: NamespaceSockets) { self.space = space }

    /// Why nft cannot be used here; `nil` when it can.
    public static func obstacle() -> String? {
        do throws(Failure) {
            try RootOwned.check(program, "start")
            return nil
        } catch {
            return error.code == .notFound ? "\(program) is not installed" : error.description
        }
    }

    /// Loads a table in one transaction; a table of that name must not be there.
    ///
    /// - Throws: `refused` when the name is taken or nft does not take the rules, `timedOut` or `system`.
    public func add(_ table: PacketTable, by deadline: Deadline) throws(Failure) {
        guard try handle(of: table, by: deadline) == nil else {
            throw Failure(.refused, "add the table", on: table.name, because: "the name is taken already")
        }
        _ = try nft(["-f", "-"], table.rules(), seeingCgroups: !table.groups.isEmpty, by: deadline)
    }

    /// Takes away the table of that name and family, by the handle that the kernel gave it; one that is gone is `notFound`.
    public func remove(_ table: PacketTable, by deadline: Deadline) throws(Failure) {
        guard let handle = try handle(of: table, by: deadline) else {
            throw Failure(.notFound, "remove the table", on: table.name, because: "it is gone")
        }
        _ = try nft(["delete", "table", table.family, "handle", "\(handle)"], "", by: deadline)
    }

    /// The handle of the table of that name and family; `nil` when there is none.
    public func handle(of wanted: PacketTable, by deadline: Deadline) throws(Failure) -> UInt64? {
        let bytes = try nft(["-j", "-a", "list", "tables"], "", by: deadline)
        let document = try JSONReader.read(bytes)
        for entry in document["nftables"]?.array ?? [] {
            guard let table = entry["table"], table["family"]?.string == wanted.family,
                table["name"]?.string == wanted.name,
                let handle = table["handle"]?.integer
            else { continue }
            return UInt64(clamping: handle)
        }
        return nil
    }

    /// Whether every interface that a table drops is there still, and no other one in its place; `true` for a table that
    /// has nothing to do with interfaces. When one is gone, the table cuts nothing there any more.
    public func hasInterfaces(of table: PacketTable, by deadline: Deadline) throws(Failure) -> Bool {
        guard let pins = table.pins else { return true }
        let links = try NetworkLinks.list(in: space, by: deadline)
        return pins.allSatisfy { $0.isAmong(links) }
    }

    private func nft(
        _ arguments: [String],
        _ input: String,
        seeingCgroups: Bool = false,
        by deadline: Deadline
    ) throws(Failure) -> [UInt8] {
        let output = try ChildProcess.run(
            .rootOwned(PacketTables.program),
            arguments.map { BytePath($0) },
            input: Array(input.utf8),
            inNetworkNamespace: space.number,
            seeingCgroups: seeingCgroups,
            limit: 16 << 20,
            by: deadline
        )
        switch output.end {
        case .exited(0) where !output.wasCut: return output.bytes
        case .overran:
            throw Failure(.timedOut, "run", on: "\(PacketTables.program)", because: "it did not end in time")
        case .exited(126):
            throw Failure(
                .notPermitted,
                "run",
                on: "\(PacketTables.program)",
                because: "the network namespace cannot be entered"
            )
        default:
            let text = String(decoding: output.bytes.prefix(400), as: UTF8.self)
            throw Failure(.refused, "run", on: "\(PacketTables.program)", because: text)
        }
    }
}
