import Base
import Glibc

/// Reads and writes key files without following links and without trusting a file that others may read or write.
enum KeyFile {
    static let limit = 4096

    /// Writes a new file; an existing one is never touched. `mode` is exact whatever the umask.
    static func create(_ path: BytePath, mode: mode_t, _ text: String) throws(Failure) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = path.withCString { open($0, flags, mode) }
        guard file >= 0 else { throw Failure(errno: errno, "create the key file", on: path) }
        do {
            try write(text, to: file, at: path, mode: mode)
        } catch {
            _ = path.withCString { unlink($0) }
            throw error
        }
    }

    private static func write(_ text: String, to file: Int32, at path: BytePath, mode: mode_t) throws(Failure) {
        defer { close(file) }
        guard fchmod(file, mode) == 0 else { throw Failure(errno: errno, "set the mode of the key file", on: path) }
        var left = Array(text.utf8)[...]
        while !left.isEmpty {
            let count = left.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(errno: errno, "write the key file", on: path) }
            left = left.dropFirst(count)
        }
        guard fsync(file) == 0 else { throw Failure(errno: errno, "sync the key file", on: path) }
    }

    /// Reads a small regular file. A private one must belong to us and be closed to everybody else.
    static func read(_ path: BytePath, isPrivate: Bool) throws(Failure) -> String {
        let file = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
        guard file >= 0 else { throw openFailure(errno, path) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw Failure(errno: errno, "look at the key file", on: path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refusal(path, "not a regular file") }
        if isPrivate { try requirePrivate(status, path) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw Failure(errno: errno, "read the key file", on: path) }
        defer { bytes.erase() }
        guard count <= limit, let text = String(validating: bytes[..<count], as: UTF8.self) else {
            throw Failure(.malformed, "read the key file", on: path.keyText, because: "not a PEM text")
        }
        return text
    }

    private static func requirePrivate(_ status: stat, _ path: BytePath) throws(Failure) {
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw refusal(path, "owned by uid \(status.st_uid), not by uid \(geteuid())")
        }
        let mode = status.st_mode & 0o7777
        guard mode & 0o077 == 0 else {
            let digits = String(mode, radix: 8)
            throw refusal(path, "others can open it (mode 0\(digits))", hint: "chmod 600 \(path.commandText)")
        }
    }

    private static func openFailure(_ number: Int32, _ path: BytePath) -> Failure {
        if number == ELOOP { return refusal(path, "a symbolic link stands there") }
        return Failure(errno: number, "open the key file", on: path)
    }

    private static func refusal(_ path: BytePath, _ reason: String, hint: String? = nil) -> Failure {
        Failure(.refused, "use the key file", on: path.keyText, because: reason, hint: hint)
    }
}

extension BytePath {
    fileprivate var keyText: String { String(decoding: bytes, as: UTF8.self) }

    /// The path when a shell takes it literally (RT14), else words for it.
    fileprivate var commandText: String {
        let isPlain = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isPlain && isAbsolute ? keyText : "on the key file"
    }
}
