public import Base
internal import Glibc

/// Whether only root can change what a path names (RT21, RT38, RT39).
public enum RootOwned {
    /// Checks the file at an absolute path and every directory above it: all are root's and writable by nobody else;
    /// no component is a symbolic link or `..`.
    ///
    /// - Throws: `refused` naming the component that others could change; `notFound` or `system` when it cannot be looked
    ///   at.
    public static func check(_ path: BytePath, _ attempt: String) throws(Failure) {
        guard path.isAbsolute, !path.components.contains(BytePath("..")) else {
            throw refusal(attempt, path, "it is not an absolute path")
        }
        var present = BytePath("/")
        try check(directory: present, of: path, attempt)
        for component in path.components.dropLast() {
            present = present.appending(component)
            try check(directory: present, of: path, attempt)
        }
        let facts = try look(path, attempt)
        guard facts.st_mode & S_IFMT == S_IFREG else { throw refusal(attempt, path, "it is not a regular file") }
        try check(facts, path, of: path, attempt)
    }

    private static func check(directory: BytePath, of path: BytePath, _ attempt: String) throws(Failure) {
        let facts = try look(directory, attempt)
        guard facts.st_mode & S_IFMT == S_IFDIR else {
            throw refusal(attempt, path, "\(directory) is not a directory (symbolic links are not followed)")
        }
        try check(facts, directory, of: path, attempt)
    }

    private static func check(_ facts: stat, _ part: BytePath, of path: BytePath, _ attempt: String) throws(Failure) {
        guard facts.st_uid == 0 else {
            throw refusal(attempt, path, "\(part) belongs to uid \(facts.st_uid), not root")
        }
        guard facts.st_mode & 0o022 == 0 else { throw refusal(attempt, path, "others than root may write \(part)") }
    }

    private static func look(_ path: BytePath, _ attempt: String) throws(Failure) -> stat {
        var facts = stat()
        let result = path.withCString { lstat($0, &facts) }
        guard result == 0 else { throw Failure(errno: errno, attempt, on: path) }
        return facts
    }

    private static func refusal(_ attempt: String, _ path: BytePath, _ reason: String) -> Failure {
        Failure(.refused, attempt, on: String(decoding: path.bytes, as: UTF8.self), because: reason)
    }
}
