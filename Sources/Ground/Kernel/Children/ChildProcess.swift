public import Base
internal import CLinux
internal import Glibc

/// What a child may be made of. There is no shell and no search path: a program is this one, or an absolute path that
/// only root can change (RT38, RT39).
public enum Program: Hashable, Sendable {
    /// The running program again, /proc/self/exe.
    case thisProgram
    /// A regular file of root's, in directories of root's, that nobody else may write.
    case rootOwned(BytePath)
}

/// One descriptor that a child gets.
public struct ChildDescriptor: Hashable, Sendable {
    /// The number in this process, or `nil` for /dev/null. It stays open here.
    public let source: Int32?
    /// The number in the child.
    public let target: Int32

    /// Hands `source` to the child as `target`.
    public init(_ source: Int32, as target: Int32) {
        self.source = source
        self.target = target
    }

    /// Gives the child /dev/null as `target`.
    public init(nullAs target: Int32) {
        source = nil
        self.target = target
    }
}

/// How a child ended. A status other than 0 is not an error.
public enum ChildEnd: Hashable, Sendable {
    /// It called exit with this status.
    case exited(Int32)
    /// This signal ended it.
    case killed(signal: Int32)
    /// It was killed because its deadline passed.
    case overran
}

/// A child in the root folder with an empty environment and exactly the descriptors it was given. It never outlives its owner: when the
/// value goes away before ``finish(by:)``, the child is killed and waited for; one that the kernel keeps from dying is given
/// up after half a second. Sources: posix_spawn(3), pidfd_open(2).
public struct ChildProcess: ~Copyable {
    /// The child's process id, ours as long as this value lives.
    public let pid: Int32
    private let handle: Descriptor
    private let name: BytePath
    private var isReaped = false

    init(pid: Int32, handle: consuming Descriptor, name: BytePath) {
        self.pid = pid
        self.handle = handle
        self.name = name
    }

    /// Starts a child. `arguments` come behind the program's name; 0, 1 and 2 are /dev/null unless given.
    ///
    /// - Parameter inOwnGroup: Whether it is in a process group of its own, so that Ctrl-C, which a terminal gives to the whole
    ///   group, reaches this program alone.
    /// - Throws: `refused` when the program's file could be changed by others than root; `notFound`, `notPermitted` or
    ///   `system` when it cannot be started.
    public static func start(
        _ program: Program,
        _ arguments: [BytePath] = [],
        descriptors: [ChildDescriptor] = [],
        inOwnGroup: Bool = false
    ) throws(Failure) -> ChildProcess {
        try start(program, arguments, descriptors) { file, argv, sources, targets, pid in
            quell_spawn(file, argv, sources, targets, Int32(sources.count), inOwnGroup ? 1 : 0, &pid)
        }
    }

    /// Starts a child in the network namespace behind a descriptor of /proc/PID/ns/net; -1 means the caller's. With
    /// `seeingCgroups` the child alone sees the unified hierarchy at /sys/fs/cgroup, read-only. A child that cannot get
    /// there ends with status 126.
    ///
    /// - Throws: As ``start(_:_:descriptors:)``.
    public static func start(
        _ program: Program,
        _ arguments: [BytePath],
        descriptors: [ChildDescriptor],
        inNetworkNamespace namespace: Int32,
        seeingCgroups: Bool = false
    ) throws(Failure) -> ChildProcess {
        try start(program, arguments, descriptors) { file, argv, sources, targets, pid in
            let count = Int32(sources.count)
            return quell_spawn_in_network(file, argv, sources, targets, count, namespace, seeingCgroups ? 1 : 0, &pid)
        }
    }

    private static func start(
        _ program: Program,
        _ arguments: [BytePath],
        _ descriptors: [ChildDescriptor],
        by spawn: (
            UnsafePointer<CChar>, UnsafePointer<UnsafeMutablePointer<CChar>?>, [Int32], [Int32], inout Int32
        ) -> Int32
    ) throws(Failure) -> ChildProcess {
        let path = try program.checkedPath()
        let given = Set(descriptors.map(\.target))
        let all = descriptors + (0...2).filter { !given.contains($0) }.map { ChildDescriptor(nullAs: $0) }
        var pid: Int32 = -1
        let result = withArguments([path] + arguments) { argv in
            path.withCString { file in
                spawn(file, argv, all.map { $0.source ?? -1 }, all.map(\.target), &pid)
            }
        }
        guard result >= 0 else { throw Failure(errno: -result, "start", on: path) }
        return ChildProcess(pid: pid, handle: Descriptor(adopting: result), name: path)
    }

    /// Waits for its end, and kills it when the deadline passes first.
    ///
    /// - Throws: `system` when it cannot be waited for.
    public consuming func finish(by deadline: Deadline) throws(Failure) -> ChildEnd {
        let inTime = handle.wait(for: POLLIN, until: deadline)
        if !inTime, !killed() {
            leave()
            isReaped = true
            return .overran
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) != pid {
            guard errno == EINTR else { throw Failure(errno: errno, "wait for", on: name) }
        }
        isReaped = true
        if !inTime { return .overran }
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }

    /// Kills it and does not wait for its end, which a freeze has no time for.
    consuming func giveUp() {
        _ = quell_pidfd_send_signal(handle.number, SIGKILL)
        leave()
        isReaped = true
    }

    /// Kills it; `false` when it does not die, because the kernel holds it in a system call.
    private borrowing func killed() -> Bool {
        _ = quell_pidfd_send_signal(handle.number, SIGKILL)
        return handle.wait(for: POLLIN, until: Deadline(after: .milliseconds(500)))
    }

    /// Lets a thread take note of the end of a child that was given up, so that it is no zombie as long as this process
    /// lives. Where no thread can be had it is one, which is no error.
    private borrowing func leave() { _ = quell_reap_later(pid) }

    deinit {
        guard !isReaped else { return }
        guard killed() else { return leave() }
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }

    static func withArguments<Result>(
        _ arguments: [BytePath],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { $0.withCString { strdup($0) } }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { preconditionFailure("there is always a program") }
            return body(start)
        }
    }
}

/// A child that is meant to outlive its parent: in a session (setsid(2)) of its own, in the root folder, with an empty
/// environment and nothing open but /dev/null.
public enum DetachedProcess {
    /// Starts it and gives its pid. Nobody waits for it.
    ///
    /// - Throws: as ``ChildProcess/start(_:_:descriptors:)``.
    @discardableResult
    public static func start(_ program: Program, _ arguments: [BytePath]) throws(Failure) -> Int32 {
        let path = try program.checkedPath()
        let result = ChildProcess.withArguments([path] + arguments) { argv in
            path.withCString { file in quell_spawn_detached(file, argv) }
        }
        guard result >= 0 else { throw Failure(errno: -result, "start", on: path) }
        return result
    }
}

extension Program {
    func checkedPath() throws(Failure) -> BytePath {
        switch self {
        case .thisProgram: return BytePath("/proc/self/exe")
        case .rootOwned(let path):
            try RootOwned.check(path, "start")
            return path
        }
    }
}
