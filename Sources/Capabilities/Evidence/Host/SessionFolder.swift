public import Base
public import Kernel

/// Whether a folder of the host's can be one session's.
public enum SessionFolder {
    /// Whether it can: not the root, nothing of the system, no home, no folder of everybody's (RT24).
    public static func isOfOneSession(_ path: BytePath) -> Bool {
        let parts = path.components.compactMap(\.text)
        guard path.isAbsolute, parts.count == path.components.count, let first = parts.first else { return false }
        let system = ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr"]
        if system.contains(first) { return false }
        if ["home", "var", "run", "mnt", "media"].contains(first) { return parts.count > 2 }
        return parts.count > 1
    }

    /// What the kernel tells of a folder of the host's, asked only where nobody serves it and on a thread that may be left
    /// behind (RT7); `nil` when there is none.
    ///
    /// - Throws: `refused` when the way there leads over a mount that is served; `timedOut`.
    public static func facts(of path: BytePath, on host: Host) throws(Failure) -> FileFacts? {
        try ServedPaths(on: host).refuse(path, inside: nil)
        return try TreePlace(path: path).look(on: host, by: ImpatientReader())
    }

    /// Why a folder of the host's is not taken for a session's; `nil` when it is. `store` is Quell's own folder, which is
    /// no evidence.
    static func objection(to path: BytePath, store: BytePath?) -> String? {
        guard isOfOneSession(path) else { return "it holds more than one session" }
        guard let store, store.isAtOrBelow(path) || path.isAtOrBelow(store) else { return nil }
        return "Quell's own store lies there"
    }
}
