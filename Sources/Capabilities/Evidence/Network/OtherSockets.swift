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

    /// What a dump of the family gave.
    enum Dump {
        /// All that there are.
        case sockets([(inode: UInt64, line: JSONObject)])
        /// The kernel was built without a diagnosis of the family.
        case absent
    }

    /// All sockets of the family in a namespace.
    ///
    /// - Throws: what ``NetlinkTalk`` throws; `malformed` when the kernel tells of one in an unknown form.
    func all(in namespace: Int32) throws(Failure) -> Dump {
        let messages: [NetlinkMessage]
        do throws(Failure) {
            let talk = try NetlinkTalk(.socketDiagnosis, in: namespace)
            messages = try talk.dump(20, body)
        } catch {
            guard error.errno == ENOENT || error.errno == EINVAL || error.errno == EOPNOTSUPP else { throw error }
            return .absent
        }
        return .sockets(try sockets(messages))
    }

    /// The sockets of a dump.
    ///
    /// - Throws: `malformed` when a message is not of the form of the family: what it told of would be lost.
    func sockets(_ messages: [NetlinkMessage]) throws(Failure) -> [(inode: UInt64, line: JSONObject)] {
        let found = messages.compactMap(socket)
        guard found.count == messages.count else {
            let reason = "\(messages.count - found.count) of \(messages.count) messages are not of the known form"
            throw Failure(.malformed, "list the sockets", on: rawValue, because: reason)
        }
        return found
    }

    /// What the kernel calls the protocol of a socket behind a descriptor, `UNIX` or `AF_VSOCK`, when no dump told of
    /// it (system.sockprotoname, xattr(7)).
    ///
    /// - Throws: `notFound` when its holder is gone, `changed` when the pid was used again, `system` when the kernel
    ///   does not say.
    static func protocolName(of holder: ProcessesItem.Holder, on host: Host) throws(Failure) -> String {
        let process = try ProcessDirectory(holder.pin, on: host)
        let held = try process.open(holder.link, Int32(pathOnly))
        var buffer = [CChar](repeating: 0, count: 128)
        let count = quell_parked_protocol(held.number, &buffer, buffer.count)
        guard count > 0 else {
            let subject = BytePath("/proc/\(holder.pin.pid)/\(holder.link)")
            throw Failure(errno: count < 0 ? errno : ENODATA, "read the protocol of a socket", on: subject)
        }
        let name = buffer[..<count].prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: name, as: UTF8.self)
    }

    /// O_PATH, which Swift's Glibc does not name. Source: asm-generic/fcntl.h.
    private static let pathOnly = 0o10000000
}
