internal import Base
internal import Glibc
internal import Kernel

/// Reads back what a server saved. Both files, aclfile and redis.conf, have the users as lines `user NAME on|off ...`.
enum RedisSavedUsers {
    private static let limit = 16 << 20

    /// How the user stands in the file; `notKnown` when the file cannot be read, `missing` when it has no such line.
    /// The path came from the server: nothing but that one word is taken from the file.
    static func standing(of principal: String, in path: BytePath?) -> Standing {
        guard let path, path.isAbsolute, let bytes = read(path) else { return .notKnown }
        return standing(of: principal, in: bytes)
    }

    static func standing(of principal: String, in bytes: [UInt8]) -> Standing {
        var found = Standing.missing
        for line in bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            guard let entry = RedisAccessList.entry(String(decoding: line, as: UTF8.self)) else { continue }
            if entry.name == principal { found = entry.isEnabled ? .enabled : .disabled }
        }
        return found
    }

    private static func read(_ path: BytePath) -> [UInt8]? {
        do throws(Failure) {
            let root = try Descriptor(opening: BytePath("/"), O_RDONLY | O_DIRECTORY)
            let file = try root.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolving: [.noMagicLinks])
            guard try file.identity(of: path).mode & S_IFMT == S_IFREG else { return nil }
            return try file.readToEnd(limit: limit, from: path)
        } catch {
            // What cannot be read back is not known; the receipt says so.
            return nil
        }
    }
}
