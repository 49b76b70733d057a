public import Glibc
import Synchronization

// glibc 2.36 has these, but the Glibc module does not show them. Only integers and pointers go in and out.
@_silgen_name("pidfd_open") private func pidfdOpen(_ process: pid_t, _ flags: UInt32) -> Int32
@_silgen_name("pipe2") private func pipe2(_ ends: UnsafeMutablePointer<Int32>, _ flags: Int32) -> Int32
@_silgen_name("posix_spawn_file_actions_addchdir_np")
private func addChangeOfDirectory(
    _ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>,
    _ path: UnsafePointer<CChar>
) -> Int32

@_silgen_name("posix_spawn_file_actions_addclosefrom_np")
private func addCloseFrom(_ actions: UnsafeMutablePointer<posix_spawn_file_actions_t>, _ first: Int32) -> Int32

/// A running child of the test. When the last reference goes away the child is killed and reaped.
public final class Child: Sendable {
    /// Its process id, valid until it is reaped.
    public let id: pid_t
    private let descriptor: Int32
    private let outputPipe: Int32
    private let errorPipe: Int32
    private let state = Mutex(State())

    private struct State {
        var output: [UInt8] = []
        var error: [UInt8] = []
        var consumedOfOutput = 0
        var status: Int32?
    }

    init(_ program: Program) throws(Program.Problem) {
        let output = try Child.pipe()
        let error = try Child.pipe()
        defer {
            close(output.write)
            close(error.write)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.write, 1)
        posix_spawn_file_actions_adddup2(&actions, error.write, 2)
        // A pipe of whoever runs the tests would join every session to them.
        _ = addCloseFrom(&actions, 3)
        if let directory = program.directory { _ = addChangeOfDirectory(&actions, directory) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        let code = Child.withVector([program.path] + program.arguments) { arguments in
            Child.withVector(program.environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }) {
                posix_spawn(&process, program.path, &actions, &attributes, arguments, $0)
            }
        }
        guard code == 0 else {
            close(output.read)
            close(error.read)
            throw Program.Problem("start \(program.path)", errno: code)
        }
        id = process
        descriptor = pidfdOpen(process, 0)
        outputPipe = output.read
        errorPipe = error.read
        fcntlNonBlocking(outputPipe)
        fcntlNonBlocking(errorPipe)
    }

    deinit {
        if state.withLock({ $0.status }) == nil {
            kill(id, SIGKILL)
            var status: Int32 = 0
            // A zombie left behind makes the exit tests of this process wait for ever, so it is given time to die; but a
            // child in a frozen v1 cgroup does not die before the thaw.
            var end = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if descriptor >= 0 { _ = poll(&end, 1, 2000) }
            waitpid(id, &status, WNOHANG)
        }
        for open in [descriptor, outputPipe, errorPipe] where open >= 0 { close(open) }
    }

    /// Waits until the child ended and reads what it wrote; kills it at the deadline and throws.
    public func finish(within limit: Duration = .seconds(30)) throws(Program.Problem) -> Program.Result {
        let end = Moment(after: limit)
        while !hasEnded {
            guard wait(for: [descriptor, outputPipe, errorPipe], until: end) else {
                kill(id, SIGKILL)
                drain()
                let told = state.withLock { String(decoding: ($0.output + $0.error).suffix(2000), as: UTF8.self) }
                throw Program.Problem("process \(id) did not end within \(limit); it said: \(told)")
            }
            drain()
        }
        drain()
        return state.withLock { Program.Result(status: $0.status ?? -1, output: $0.output, error: $0.error) }
    }

    /// Waits for the next whole line of standard output that `isWanted`; earlier lines are passed over.
    public func line(
        within limit: Duration = .seconds(10),
        where isWanted: (String) -> Bool = { _ in true }
    ) throws(Program.Problem) -> String {
        let end = Moment(after: limit)
        while true {
            while let line = nextLine() { if isWanted(line) { return line } }
            if hasEnded {
                drain()
                while let line = nextLine() { if isWanted(line) { return line } }
                throw Program.Problem("process \(id) ended before the line; it said: \(everythingSaid)")
            }
            guard wait(for: [descriptor, outputPipe, errorPipe], until: end) else {
                throw Program.Problem("process \(id) did not write the line within \(limit): \(everythingSaid)")
            }
            drain()
        }
    }

    /// Sends a signal; a child that is gone is not an error.
    public func signal(_ number: Int32) { if state.withLock({ $0.status }) == nil { kill(id, number) } }

    /// Reaps the child if it ended, and says whether it did.
    public var hasEnded: Bool {
        state.withLock {
            if $0.status != nil { return true }
            var status: Int32 = 0
            guard waitpid(id, &status, WNOHANG) == id else { return false }
            let signal = status & 0x7F
            $0.status = signal == 0 ? status >> 8 & 0xFF : 128 + signal
            return true
        }
    }

    private var everythingSaid: String {
        state.withLock { String(decoding: ($0.output + $0.error).suffix(2000), as: UTF8.self) }
    }

    private func nextLine() -> String? {
        state.withLock {
            let rest = $0.output[$0.consumedOfOutput...]
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            $0.consumedOfOutput = end + 1
            return String(decoding: rest[..<end], as: UTF8.self)
        }
    }

    private func drain() {
        state.withLock {
            $0.output += Child.available(outputPipe)
            $0.error += Child.available(errorPipe)
        }
    }

    /// True when something is ready; a pipe whose writers are gone is left out so that it cannot spin.
    private func wait(for descriptors: [Int32], until end: Moment) -> Bool {
        var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        var ready = poll(&polled, UInt(polled.count), 0)
        let closed = polled.filter { Int32($0.revents) & (POLLHUP | POLLIN) == POLLHUP }.map(\.fd)
        if ready > 0, !closed.isEmpty {
            polled = descriptors.filter { !closed.contains($0) || $0 == descriptor }
                .map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            ready = 0
        }
        if ready == 0 { ready = poll(&polled, UInt(polled.count), end.pollTimeout) }
        return ready > 0 || (ready < 0 && errno == EINTR)
    }

    private static func available(_ pipe: Int32) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(pipe, &buffer, buffer.count)
            guard count > 0 else { return result }
            result += buffer[..<count]
        }
    }

    private static func pipe() throws(Program.Problem) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Program.Problem("make a pipe", errno: errno) }
        return (ends[0], ends[1])
    }

    private static func withVector<Result>(
        _ texts: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let pointers = texts.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        return body(pointers)
    }
}

private func fcntlNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
}
