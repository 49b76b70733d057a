public import Base
internal import CLinux
internal import Glibc

/// A direction of packets, as seen from the cgroup.
public enum PacketDirection: String, Sendable, CaseIterable, Codable {
    /// Packets that a socket of the group would receive.
    case ingress
    /// Packets that a socket of the group would send.
    case egress
}

/// A BPF program that drops every packet but those of an allow list, to be attached to cgroups of the unified hierarchy.
/// It stays attached after Quell has ended, until it is detached or the cgroup is removed.
///
/// The cgroup of a packet is that of its socket when the socket was made: sockets older than a move into the cgroup are
/// not covered, nor are AF_UNIX, AF_VSOCK and packet sockets. Source: bpf(2), linux/bpf.h.
public final class DropProgram: Sendable {
    /// The id of the program, unique as long as the machine is up.
    public let id: UInt32
    /// The kernel's digest over the instructions: programs with the same one do the same.
    private let tag: UInt64
    private let descriptor: Descriptor

    /// Loads the program for a list; for an empty one it is the two instructions `r0 = 0; exit`.
    public init(allowing allowed: AllowList = AllowList()) throws(Failure) {
        let instructions = PacketProgram.dropping(except: allowed)
        let loaded = quell_bpf_load_packet(instructions, UInt32(instructions.count), "quell_drop")
        let problem = errno
        var id: UInt32 = 0
        var tag: UInt64 = 0
        let isKnown = loaded >= 0 && quell_bpf_program_info(loaded, &id, &tag) == 0
        let reason = loaded < 0 ? problem : errno
        descriptor = Descriptor(adopting: loaded)
        self.id = id
        self.tag = tag
        guard isKnown else { throw Failure(errno: reason, "load the drop program", on: BytePath("bpf")) }
    }

    /// Opens a program that is loaded already.
    ///
    /// - Throws: ``Base/Failure/Code/notFound`` when no program has that id any more.
    public init(id: UInt32) throws(Failure) {
        let loaded = quell_bpf_program_by_id(id)
        let problem = errno
        var found: UInt32 = 0
        var tag: UInt64 = 0
        let isKnown = loaded >= 0 && quell_bpf_program_info(loaded, &found, &tag) == 0
        let reason = loaded < 0 ? problem : errno
        descriptor = Descriptor(adopting: loaded)
        self.id = found
        self.tag = tag
        guard isKnown else { throw Failure(errno: reason, "find the drop program", on: BytePath("\(id)")) }
    }

    /// Attaches it beside whatever is attached already (BPF_F_ALLOW_MULTI). EPERM means that somebody attached an
    /// exclusive program above.
    public func attach(to cgroup: Cgroup, _ direction: PacketDirection) throws(Failure) {
        guard quell_bpf_attach(cgroup.directory.number, descriptor.number, direction == .egress ? 1 : 0) == 0 else {
            throw Failure(errno: errno, "attach the drop program (\(direction.rawValue))", on: cgroup.path)
        }
    }

    /// The ids of the programs attached to this very cgroup, in the kernel's order.
    public static func attached(to cgroup: Cgroup, _ direction: PacketDirection) throws(Failure) -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: 64)
        var count = UInt32(ids.count)
        guard quell_bpf_query(cgroup.directory.number, direction == .egress ? 1 : 0, &ids, &count) == 0 else {
            throw Failure(errno: errno, "ask which programs are attached", on: cgroup.path)
        }
        return Array(ids.prefix(Int(count)))
    }

    /// The ids of all programs that run on packets of the cgroup's sockets, those of its ancestors included: what one of
    /// them drops is dropped.
    public static func inForce(on cgroup: Cgroup, _ direction: PacketDirection) throws(Failure) -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: 256)
        var count = UInt32(ids.count)
        let result = quell_bpf_query_effective(cgroup.directory.number, direction == .egress ? 1 : 0, &ids, &count)
        guard result == 0 else {
            throw Failure(errno: errno, "ask which programs are in force", on: cgroup.path)
        }
        return Array(ids.prefix(Int(count)))
    }

    /// A program with these very instructions that is attached to the cgroup already, such as the one of an earlier
    /// freeze, and in which directions; `nil` when there is none. One that is attached both ways comes first.
    public func standing(on cgroup: Cgroup) throws(Failure) -> StandingDrop? {
        var found: [StandingDrop] = []
        for direction in PacketDirection.allCases {
            for id in try DropProgram.attached(to: cgroup, direction) {
                if let index = found.firstIndex(where: { $0.id == id }) {
                    found[index].directions.append(direction)
                } else if let other = try? DropProgram(id: id), other.tag == tag {
                    found.append(StandingDrop(id: id, directions: [direction]))
                }
            }
        }
        return found.first { $0.isWhole } ?? found.first
    }

    /// Detaches exactly the program with that id; one that is not attached (any more) is
    /// ``Base/Failure/Code/notFound``.
    public static func detach(id: UInt32, from cgroup: Cgroup, _ direction: PacketDirection) throws(Failure) {
        let program = quell_bpf_program_by_id(id)
        guard program >= 0 else { throw Failure(errno: errno, "find the drop program \(id)", on: cgroup.path) }
        let owned = Descriptor(adopting: program)
        guard quell_bpf_detach(cgroup.directory.number, owned.number, direction == .egress ? 1 : 0) == 0 else {
            throw Failure(errno: errno, "detach the drop program (\(direction.rawValue))", on: cgroup.path)
        }
    }
}

/// A drop program that was found attached to a cgroup.
public struct StandingDrop: Hashable, Sendable {
    /// The id of the program.
    public let id: UInt32
    /// The directions it is attached in.
    public internal(set) var directions: [PacketDirection]

    /// Whether nothing passes in either direction.
    public var isWhole: Bool { directions.count == PacketDirection.allCases.count }
}
