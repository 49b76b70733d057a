import Base
import CParked
import Glibc
import Kernel

/// One netlink message: its type and what stands behind its header.
struct NetlinkMessage: Equatable {
    let type: UInt16
    let payload: ArraySlice<UInt8>

    /// The messages of one datagram; a length that does not fit ends them. Source: netlink(7).
    static func all(in datagram: ArraySlice<UInt8>) -> [NetlinkMessage] {
        var found: [NetlinkMessage] = []
        var rest = datagram
        while let length = rest.number32(0), length >= 16, Int(length) <= rest.count, let type = rest.number16(4) {
            found.append(NetlinkMessage(type: type, payload: rest.dropFirst(16).prefix(Int(length) - 16)))
            rest = rest.dropFirst(min(rest.count, (Int(length) + 3) & ~3))
        }
        return found
    }

    /// The attributes behind `offset` bytes of the payload, by their numbers without flags; the last of equal ones.
    func attributes(from offset: Int) -> [Int: ArraySlice<UInt8>] {
        NetlinkMessage.attributes(payload.dropFirst(offset))
    }

    /// The attributes of a nested attribute.
    static func attributes(_ bytes: ArraySlice<UInt8>) -> [Int: ArraySlice<UInt8>] {
        var found: [Int: ArraySlice<UInt8>] = [:]
        var rest = bytes
        while let length = rest.number16(0), let type = rest.number16(2), length >= 4, Int(length) <= rest.count {
            found[Int(type & 0x3fff)] = rest.dropFirst(4).prefix(Int(length) - 4)
            rest = rest.dropFirst(min(rest.count, (Int(length) + 3) & ~3))
        }
        return found
    }
}

extension ArraySlice<UInt8> {
    /// A number in the host's order at an offset from the start of the slice; `nil` behind its end.
    func number16(_ offset: Int) -> UInt16? {
        guard offset >= 0, offset + 2 <= count else { return nil }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self) }
    }

    /// The same of four bytes.
    func number32(_ offset: Int) -> UInt32? {
        guard offset >= 0, offset + 4 <= count else { return nil }
        return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
    }

    /// One byte.
    func number8(_ offset: Int) -> UInt8? { offset >= 0 && offset < count ? self[startIndex + offset] : nil }
}

/// Asks the kernel for tables over netlink in one network namespace.
struct NetlinkTalk: ~Copyable {
    /// Bytes of one table that are taken.
    static let mostBytes = 32 << 20

    /// The families that are asked.
    enum Family: Int32 {
        case route = 0
        case socketDiagnosis = 4
        case netfilter = 12
    }

    private let socket: Descriptor
    private let family: Family

    /// Opens one; the caller's own namespace stays.
    init(_ family: Family, in namespace: Int32) throws(Failure) {
        let opened = quell_parked_netlink(family.rawValue, namespace)
        guard opened >= 0 else { throw Failure(errno: -opened, "open netlink", on: BytePath("\(family)")) }
        socket = Descriptor(adopting: opened)
        self.family = family
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// All messages of a dump.
    ///
    /// - Throws: `system` with what the kernel answered instead, ENOENT for what it was built without among them;
    ///   `timedOut` when it stops answering; `refused` when there is more than ``mostBytes``.
    func dump(_ type: UInt16, _ body: [UInt8]) throws(Failure) -> [NetlinkMessage] {
        let subject = BytePath("\(family) \(type)")
        let request =
            NetlinkTalk.bytes(UInt32(16 + body.count)) + NetlinkTalk.bytes(type) + NetlinkTalk.bytes(UInt16(0x301))
            + NetlinkTalk.bytes(UInt32(1)) + NetlinkTalk.bytes(UInt32(0)) + body
        guard send(socket.number, request, request.count, 0) == request.count else {
            throw Failure(errno: errno, "ask over netlink", on: subject)
        }
        var found: [NetlinkMessage] = []
        var taken = 0
        while true {
            var count = 0
            let datagram = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, filled in
                count = recv(socket.number, buffer.baseAddress, buffer.count, 0)
                filled = max(0, count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(errno: count < 0 ? errno : EIO, "listen to netlink", on: subject) }
            taken += count
            guard taken <= NetlinkTalk.mostBytes else {
                throw Failure(.refused, "list", on: "\(subject)", because: "more than \(NetlinkTalk.mostBytes) bytes")
            }
            for message in NetlinkMessage.all(in: datagram[...]) {
                if message.type == 3 { return found }
                if message.type == 2 {
                    let number = Int32(bitPattern: message.payload.number32(0) ?? 0)
                    guard number != 0 else { return found }
                    throw Failure(errno: 0 &- number, "list", on: subject)
                }
                found.append(message)
            }
        }
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
}
