import Base
import Glibc

/// A world that is one file: each effect is a line that must stand there exactly once. Appending and reading are what a
/// kernel would do: they survive the death of the process.
struct FakeWorld: Sendable {
    let path: BytePath
    /// Called after each effect with the number of lines, so that a test can end the process between effect and outcome.
    var afterEffect: @Sendable (Int) -> Void = { _ in }

    var lines: [String] {
        let file = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = max(0, read(file, &bytes, bytes.count))
        return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    func add(_ line: String) throws(Failure) {
        let file = path.withCString { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
        guard file >= 0 else { throw Failure(errno: errno, "change the world", on: path) }
        defer { close(file) }
        let bytes = Array("\(line)\n".utf8)
        guard write(file, bytes, bytes.count) == bytes.count else {
            throw Failure(errno: errno, "change the world", on: path)
        }
        afterEffect(lines.count)
    }
}
