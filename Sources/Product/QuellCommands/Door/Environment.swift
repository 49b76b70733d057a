import Base
import Glibc
import Synchronization

/// Everything a command takes from the world outside, in one value (STYLE habit 4). It exists only in this room; below
/// it an initialiser takes the narrow piece it needs.
struct Environment: Sendable {
    /// The wall clock.
    var now: @Sendable () -> Instant
    /// A variable of the environment; `nil` when it is not set.
    var variable: @Sendable (String) -> String?
    /// Where results go: standard output.
    var output: Sink
    /// Where human text goes: standard error.
    var errors: Sink
    /// The effective user id.
    var userID: UInt32
    /// What the person sits at.
    var terminal: Terminal
    /// When the process entered `main`, CLOCK_MONOTONIC nanoseconds.
    var startedAt: UInt64

    /// The real world.
    static func live() -> Environment {
        Environment(
            now: { Instant.now() },
            variable: { name in getenv(name).map { String(cString: $0) } },
            output: Sink(descriptor: 1),
            errors: Sink(descriptor: 2),
            userID: geteuid(),
            terminal: Terminal.of(descriptor: 2, results: 1) { name in getenv(name).map { String(cString: $0) } },
            startedAt: Deadline.monotonicNow()
        )
    }

    /// Where cases live: `--store`, else `$QUELL_STORE`, else /var/lib/quell for root, `$XDG_STATE_HOME/quell` or
    /// `~/.local/state/quell` for others.
    ///
    /// As root the environment is believed only for `$QUELL_STORE`, which sudo does not pass on by itself.
    func storeDirectory(_ chosen: String?) -> BytePath {
        if let chosen { return absolute(BytePath(chosen)) }
        if let named = variable("QUELL_STORE"), !named.isEmpty { return absolute(BytePath(named)) }
        if userID == 0 { return BytePath("/var/lib/quell") }
        if let state = variable("XDG_STATE_HOME"), state.hasPrefix("/") { return BytePath(state).appending("quell") }
        return BytePath(variable("HOME") ?? "/nonexistent").appending(".local/state/quell")
    }

    /// The path as seen from the root: a relative one is put behind the working directory, `./` in front is dropped.
    func absolute(_ path: BytePath) -> BytePath {
        if path.isAbsolute { return path }
        if path.bytes.starts(with: "./".utf8) { return absolute(BytePath(path.bytes.dropFirst(2))) }
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let found = buffer.withUnsafeMutableBytes { bytes in
            getcwd(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) != nil
        }
        return found ? BytePath(buffer).appending(path) : path
    }
}

/// Text that goes to a descriptor, whole lines at a time.
struct Sink: Sendable {
    private let write: @Sendable ([UInt8]) -> Int32
    private let problem = FirstProblem()

    /// Writes to `descriptor`. A reader that went away (EPIPE) is not an error: the work goes on without it. Of any other
    /// error the first is kept, see ``failure``, and nothing more is written.
    init(descriptor: Int32) {
        write = { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                let number = errno
                if count < 0, number == EINTR { continue }
                if count <= 0 { return count < 0 ? number : EIO }
                rest = rest.dropFirst(count)
            }
            return 0
        }
    }

    /// Hands everything to `receiver`, for tests.
    init(receiver: @escaping @Sendable ([UInt8]) -> Void) {
        write = { bytes in
            receiver(bytes)
            return 0
        }
    }

    /// Whether nobody takes what is written any more.
    var isBroken: Bool { problem.number.withLock { $0 } != nil }

    /// Why not everything was written; `nil` when it was, or when the reader went away.
    var failure: Failure? {
        guard let number = problem.number.withLock({ $0 }), number != EPIPE else { return nil }
        return Failure(errno: number, "write the result", on: BytePath("standard output"))
    }

    /// Writes `text` and a line feed.
    func line(_ text: String = "") {
        bytes(Array(text.utf8) + [0x0A])
    }

    /// Writes bytes as they are.
    func bytes(_ bytes: [UInt8]) {
        guard problem.number.withLock({ $0 }) == nil else { return }
        let number = write(bytes)
        if number != 0 { problem.number.withLock { $0 = number } }
    }
}

/// The first errno that a sink met.
private final class FirstProblem: Sendable {
    let number = Mutex<Int32?>(nil)
}
