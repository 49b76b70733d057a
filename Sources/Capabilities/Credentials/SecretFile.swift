public import Base
internal import Glibc
internal import Kernel

/// Reads a secret out of a file without following links or waiting for anybody.
public enum SecretFile {
    /// Longest accepted secret in bytes.
    public static let limit = 4096

    /// Reads an admin secret: a regular file of root's with no bits for others, one name, in a directory that only root
    /// can write. One line end behind it is dropped.
    ///
    /// - Throws: `refused` naming what is wrong with the file, `notFound` or `system` when it cannot be read. No failure
    ///   holds any byte of it.
    public static func readAdmin(_ path: BytePath) throws(Failure) -> Secret {
        try checkFolder(path)
        return try read(path) { facts in
            if facts.st_uid != 0 { return "it belongs to uid \(facts.st_uid), not to root" }
            if facts.st_mode & 0o077 != 0 { return "others than root have rights on it; it must have mode 0600" }
            return nil
        }
    }

    /// Reads the agent's own secret. The file may be the agent's; it counts only as what the agent may have known.
    ///
    /// - Throws: As ``readAdmin(_:)``.
    public static func readProbe(_ path: BytePath) throws(Failure) -> Secret {
        try read(path) { _ in nil }
    }

    private static func read(_ path: BytePath, _ objection: (stat) -> String?) throws(Failure) -> Secret {
        let attempt = "read a secret"
        guard path.isAbsolute else { throw refusal(path, "it is not an absolute path") }
        let root = try Descriptor(opening: BytePath("/"), O_RDONLY | O_DIRECTORY)
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        let file = try root.open(path, flags, resolving: [.noSymlinks, .noMagicLinks], to: attempt)
        var facts = stat()
        guard fstat(file.number, &facts) == 0 else { throw Failure(errno: errno, attempt, on: path) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw refusal(path, "it is not a regular file") }
        guard facts.st_nlink == 1 else { throw refusal(path, "it has \(facts.st_nlink) names") }
        if let reason = objection(facts) { throw refusal(path, reason) }
        var bytes = try file.readToEnd(limit: limit + 3, from: path)
        defer { for index in bytes.indices { bytes[index] = 0 } }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw refusal(path, "it is empty") }
        guard bytes.count <= limit else { throw refusal(path, "it is longer than \(limit) bytes") }
        return Secret(bytes)
    }

    private static func checkFolder(_ path: BytePath) throws(Failure) {
        var facts = stat()
        let folder = path.parent
        guard folder.withCString({ lstat($0, &facts) }) == 0 else {
            throw Failure(errno: errno, "look at the folder of a secret", on: folder)
        }
        guard facts.st_uid == 0, facts.st_mode & 0o022 == 0 else {
            throw refusal(path, "others than root may write its folder \(folder)")
        }
    }

    private static func refusal(_ path: BytePath, _ reason: String) -> Failure {
        Failure(.refused, "read a secret", on: String(decoding: path.bytes, as: UTF8.self), because: reason)
    }
}
