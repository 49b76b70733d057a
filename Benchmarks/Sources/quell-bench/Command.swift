import Glibc

/// One program to measure: its path, arguments and environment.
struct Command {
    var path: String
    var arguments: [String]
    var environment: [String: String] = [:]

    struct Failed: Error, CustomStringConvertible { let description: String }

    /// What one run took.
    struct Measured {
        /// CLOCK_MONOTONIC just before the program was started, in nanoseconds.
        let started: UInt64
        /// Wall time until it ended, in nanoseconds.
        let wall: UInt64
        /// User and system time of the program and the children it waited for, in nanoseconds.
        let cpu: UInt64
        /// The largest resident set, in bytes.
        let peak: UInt64
        /// Standard output.
        let output: String
        let status: Int32
    }

    /// Starts it and leaves it running; its standard output is the pipe that is given back.
    func start() throws -> (process: pid_t, output: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failed(description: "cannot make a pipe") }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[1])
        let arguments = ([path] + self.arguments).map { strdup($0) } + [nil]
        let environment = self.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (arguments + environment).forEach { free($0) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, path, &actions, nil, arguments, environment)
        close(ends[1])
        guard code == 0 else { throw Failed(description: "cannot start \(path): \(String(cString: strerror(code)))") }
        return (process, ends[0])
    }

    /// Runs it to its end. A status other than those allowed is an error.
    func run(allowing allowed: Set<Int32> = [0]) throws -> Measured {
        let started = monotonic()
        let (process, pipe) = try start()
        let output = readAll(pipe)
        close(pipe)
        var status: Int32 = 0
        var usage = rusage()
        guard wait4(process, &status, 0, &usage) == process else { throw Failed(description: "lost \(path)") }
        let wall = monotonic() - started
        let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        guard allowed.contains(code) else {
            throw Failed(
                description: "\(path) \(arguments.joined(separator: " ")) ended with \(code): \(output.suffix(500))"
            )
        }
        return Measured(
            started: started,
            wall: wall,
            cpu: nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime),
            peak: UInt64(usage.ru_maxrss) * 1024,
            output: output,
            status: code
        )
    }

    private func nanoseconds(_ time: timeval) -> UInt64 {
        UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1_000
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
func monotonic() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

private func readAll(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}

/// The number behind `"key":` in a JSON text that we or the reference programs wrote.
func number(_ key: String, in text: String) throws -> UInt64 {
    guard let range = text.firstRange(of: "\"\(key)\":") else {
        throw Command.Failed(description: "no \(key) in \(text.prefix(2000))")
    }
    let digits = text[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }
    guard let value = UInt64(digits) else { throw Command.Failed(description: "\(key) is not a number") }
    return value
}
