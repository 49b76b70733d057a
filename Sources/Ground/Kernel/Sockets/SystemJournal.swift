public import Base
internal import Glibc

/// The host's journal, by its native protocol: one datagram an entry (systemd "Native Journal Protocol"). Quell repeats its
/// signed checkpoints there, out of reach of who owns the store (RT15).
public struct SystemJournal: Sendable {
    private let path: BytePath

    /// Takes the socket of journald.
    public init(at path: BytePath = BytePath("/run/systemd/journal/socket")) { self.path = path }

    /// Sends one entry, at once or not at all; `false` when nobody takes it. A host without journald is not an error.
    ///
    /// - Parameter fields: names of `[A-Z0-9_]`, and values of any text; a longer one than fits a datagram is not sent.
    @discardableResult
    public func send(_ fields: [(name: String, value: String)]) -> Bool {
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.bytes.count < capacity else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.bytes) }
        let datagram = SystemJournal.datagram(fields)
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                sendto(
                    socket,
                    datagram,
                    datagram.count,
                    Int32(MSG_DONTWAIT | MSG_NOSIGNAL),
                    generic,
                    socklen_t(MemoryLayout<sockaddr_un>.size)
                )
            }
        }
        return sent == datagram.count
    }

    /// `NAME=value` and a line feed; a value with a line feed as `NAME`, a line feed, its length in 8 bytes
    /// little-endian, the value and a line feed.
    static func datagram(_ fields: [(name: String, value: String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields {
            bytes += name.utf8
            if value.utf8.contains(0x0A) {
                bytes.append(0x0A)
                withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { bytes += $0 }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes += value.utf8
            bytes.append(0x0A)
        }
        return bytes
    }
}
