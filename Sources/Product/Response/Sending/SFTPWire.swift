import Base
import Bundles

/// The packets of SFTP version 3 that sending needs. Source: draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL for fsync.
enum SFTPWire {
    /// What a server may answer with at most: statuses and handles are short.
    static let largestReply = 64 << 10

    /// The types of packets.
    enum Kind: UInt8 {
        case initialise = 1
        case version = 2
        case open = 3
        case close = 4
        case write = 6
        case look = 7
        case setAttributes = 9
        case remove = 13
        case makeDirectory = 14
        case rename = 18
        case status = 101
        case handle = 102
        case attributes = 105
        case extended = 200
        case extendedReply = 201
    }

    /// One packet with its length in front.
    static func packet(_ kind: Kind, _ body: [UInt8]) -> [UInt8] {
        number(UInt32(body.count + 1)) + [kind.rawValue] + body
    }

    static func number(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    }

    static func number(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] { number(UInt32(bytes.count)) + bytes }

    /// The words of a status, when the server's own are empty.
    static func words(_ status: UInt32) -> String {
        switch status {
        case 2: "no such file"
        case 3: "permission denied"
        case 4: "failure"
        case 8: "the server cannot do that"
        default: "status \(status)"
        }
    }
}

/// What a server answered. Hostile: read with bounds.
struct SFTPReply: Hashable {
    /// What it says.
    enum Content: Hashable {
        case version(UInt32)
        case status(id: UInt32, code: UInt32, words: String)
        case handle(id: UInt32, [UInt8])
        case attributes(id: UInt32, size: UInt64?)
        /// What `fstatvfs@openssh.com` gives: bytes that may still be written there, by who has no special rights;
        /// `nil` when the file system there does not say.
        case room(id: UInt32, bytes: UInt64?)
    }

    let content: Content

    /// Reads the body of a packet, type and all; `nil` for anything but the five.
    init?(_ body: [UInt8]) {
        var reader = Reader(body.dropFirst())
        guard let type = body.first, let first = reader.number() else { return nil }
        switch SFTPWire.Kind(rawValue: type) {
        case .version: content = .version(first)
        case .status:
            guard let code = reader.number() else { return nil }
            let words = reader.string().map { String(decoding: $0.prefix(200), as: UTF8.self) } ?? ""
            content = .status(id: first, code: code, words: words)
        case .handle:
            guard let handle = reader.string(), handle.count <= 256 else { return nil }
            content = .handle(id: first, handle)
        case .attributes:
            guard let flags = reader.number() else { return nil }
            guard flags & 1 != 0 else {
                content = .attributes(id: first, size: nil)
                return
            }
            guard let size = reader.long() else { return nil }
            content = .attributes(id: first, size: size)
        case .extendedReply:
            // Eleven numbers; the second is the size of a block, the third how many there are, the fifth how many are free.
            var numbers: [UInt64] = []
            while let number = reader.long() { numbers.append(number) }
            guard numbers.count == 11 else { return nil }
            content = .room(id: first, bytes: FreeRoom.bytes(free: numbers[4], of: numbers[2], size: numbers[1]))
        default: return nil
        }
    }

    private struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ rest: ArraySlice<UInt8>) { self.rest = rest }

        mutating func number() -> UInt32? {
            guard rest.count >= 4 else { return nil }
            let value = rest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            rest = rest.dropFirst(4)
            return value
        }

        mutating func long() -> UInt64? {
            guard rest.count >= 8 else { return nil }
            let value = rest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(8)
            return value
        }

        mutating func string() -> [UInt8]? {
            guard let count = number(), rest.count >= Int(count) else { return nil }
            let bytes = Array(rest.prefix(Int(count)))
            rest = rest.dropFirst(Int(count))
            return bytes
        }
    }
}
