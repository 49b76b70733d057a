import Base
import CParked
import Glibc
import Kernel

/// Sockets of families that have their own diagnosis: packet, netlink, vsock. Sources: linux/packet_diag.h,
/// linux/netlink_diag.h, linux/vm_sockets_diag.h.
enum SocketFamily: String, CaseIterable {
    case packet, netlink, vsock

    private var number: UInt8 {
        switch self {
        case .packet: 17
        case .netlink: 16
        case .vsock: 40
        }
    }

    /// The body of a dump request: everything of the family, of every protocol and state.
    var body: [UInt8] {
        let anyCookie = [UInt8](repeating: 0xff, count: 8)
        let noInode = [UInt8](repeating: 0, count: 4)
        let show: [UInt8] = [1, 0, 0, 0]
        switch self {
        case .packet: return [number, 0, 0, 0] + noInode + show + anyCookie
        case .netlink: return [number, 255, 0, 0] + noInode + show + anyCookie
        case .vsock: return [number, 0, 0, 0] + [0xff, 0xff, 0xff, 0xff] + noInode + show + anyCookie
        }
    }

    /// The inode and the line of one message; `nil` when it is of another family or shorter than its form.
    func socket(_ message: NetlinkMessage) -> (inode: UInt64, line: JSONObject)? {
        let bytes = message.payload
        guard bytes.number8(0) == number else { return nil }
        var line = JSONObject()
        line["kind"] = .string(rawValue)
        line["type"] = bytes.number8(1).map { .integer(Int64($0)) }
        let inode: UInt32?
        switch self {
        case .packet:
            inode = bytes.number32(4)
            line["protocol"] = bytes.number16(2).map { .string("0x" + String($0, radix: 16)) }
            line["interface"] = message.attributes(from: 16)[0].flatMap { NetworkText.number($0) }
        case .netlink:
            inode = bytes.number32(16)
            line["protocol"] = bytes.number8(2).map { .integer(Int64($0)) }
            line["port"] = bytes.number32(4).map { .integer(Int64($0)) }
            line["remotePort"] = bytes.number32(8).map { .integer(Int64($0)) }
        case .vsock:
            inode = bytes.number32(20)
            line["state"] = bytes.number8(2).map { .integer(Int64($0)) }
            line["local"] = SocketFamily.place(bytes, 4)
            line["remote"] = SocketFamily.place(bytes, 12)
        }
        guard let inode else { return nil }
        line["inode"] = .string(String(inode))
        return (UInt64(inode), line)
    }

    /// `cid:port`.
    private static func place(_ bytes: ArraySlice<UInt8>, _ offset: Int) -> JSONValue? {
        guard let machine = bytes.number32(offset), let port = bytes.number32(offset + 4) else { return nil }
        return .string("\(machine):\(port)")
    }

    /// All sockets of the family in a namespace; none, when the kernel cannot diagnose it.
    func all(in namespace: Int32) throws(Failure) -> [(inode: UInt64, line: JSONObject)] {
        do throws(Failure) {
            let talk = try NetlinkTalk(.socketDiagnosis, in: namespace)
            return try talk.dump(20, body).compactMap(socket)
        } catch {
            guard error.errno == ENOENT || error.errno == EINVAL || error.errno == EOPNOTSUPP else { throw error }
            return []
        }
    }

    /// What the kernel calls the protocol of a socket behind a descriptor, `UNIX` or `AF_VSOCK`, when no dump told of
    /// it (system.sockprotoname, xattr(7)); `nil` when it does not say.
    static func protocolName(of holder: ProcessesItem.Holder, on host: Host) -> String? {
        do throws(Failure) {
            let process = try ProcessDirectory(holder.pin, on: host)
            let held = try process.open(holder.link, Int32(pathOnly))
            var buffer = [CChar](repeating: 0, count: 128)
            let count = quell_parked_protocol(held.number, &buffer, buffer.count)
            guard count > 0 else { return nil }
            let name = buffer[..<count].prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            return String(decoding: name, as: UTF8.self)
        } catch {
            return nil
        }
    }

    /// O_PATH, which Swift's Glibc does not name. Source: asm-generic/fcntl.h.
    private static let pathOnly = 0o10000000
}
