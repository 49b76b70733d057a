import Glibc
import Programs
import Synchronization
import Testing

/// What one system test owns: cgroups of a unique name in every hierarchy that is there, a temporary folder, and the
/// processes it started. The trait `.sandbox` makes it before the test and takes everything away after it, whatever
/// happened, and fails the test when something is left.
final class Sandbox: Sendable {
    /// `quell-test-<pid of the test process>-<n>`.
    let name: String
    /// Its v2 group; `nil` where there is no v2 hierarchy or no right to write it.
    let unified: TestCgroup?
    /// Its v1 freezer group; `nil` where there is none.
    let freezer: TestCgroup?
    /// A fresh folder of mode 0700.
    let folder: String
    /// An empty folder in it, where programs start that ask for no other: a capture takes the folder that a session
    /// works in, and the tests' own would be the whole checkout with all that was ever built in it.
    var start: String { "\(folder)/start" }
    private let children = Mutex<[Child]>([])

    private static let count = Atomic<Int>(0)
    @TaskLocal private static var current: Sandbox?

    /// In which groups a child starts.
    enum Placement: Sendable { case unified, freezer, both, none }

    struct Missing: Error, CustomStringConvertible { let description: String }

    /// The sandbox of the running test, for functions with the trait `.sandbox`.
    static func of() throws -> Sandbox {
        guard let current else { throw Missing(description: "this test lacks the trait .sandbox") }
        return current
    }

    private init() throws {
        name = "quell-test-\(getpid())-\(Sandbox.count.add(1, ordering: .relaxed).newValue)"
        guard let folder = Files.makeTemporaryFolder("/tmp/\(name)-XXXXXX") else {
            throw Missing(description: "cannot make a temporary folder: \(String(cString: strerror(errno)))")
        }
        self.folder = folder
        guard mkdir("\(folder)/start", 0o755) == 0 else {
            throw Missing(description: "cannot make \(folder)/start: \(String(cString: strerror(errno)))")
        }
        unified = Sandbox.make(name, in: CgroupMounts.unified, .unified)
        freezer = Sandbox.make(name, in: CgroupMounts.freezer, .freezer)
    }

    private static func make(_ name: String, in mount: String?, _ hierarchy: TestCgroup.Hierarchy) -> TestCgroup? {
        guard let mount, mkdir("\(mount)/\(name)", 0o755) == 0 else { return nil }
        return TestCgroup(path: "\(mount)/\(name)", hierarchy: hierarchy)
    }

    /// Starts a program; with a placement it is in the groups before its first instruction runs.
    func start(_ program: Program, in placement: Placement = .none) throws -> Child {
        var placed = program
        placed.directory = program.directory ?? start
        let groups = try groups(of: placement)
        if !groups.isEmpty {
            placed.arguments = ["enter"] + groups.map(\.path) + ["--", program.path] + program.arguments
            placed.path = try Sandbox.testkitPath()
        }
        placed.environment["QUELL_TEST_SANDBOX"] = name
        let child = try placed.start()
        children.withLock { $0.append(child) }
        return child
    }

    /// Starts `quell-testkit` with these arguments and waits until it writes a line that begins with `ready`.
    @discardableResult
    func testkit(_ arguments: String..., in placement: Placement = .both) throws -> Child {
        let child = try start(Program(try Sandbox.testkitPath(), arguments), in: placement)
        _ = try child.line { $0.hasPrefix("ready") }
        return child
    }

    /// Copies a program under another name, for tests of what is told by the name of a program.
    func copy(_ program: String, as name: String) throws -> String {
        let path = "\(folder)/\(name)"
        let copied = try Program("/bin/cp", ["--", program, path]).run()
        guard copied.status == 0 else { throw Missing(description: copied.errorText) }
        return path
    }

    /// The built `quell-testkit`, which stands beside the test binary.
    static func testkitPath() throws -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = own.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/quell-testkit"
        guard access(path, X_OK) == 0 else { throw Missing(description: "\(path) is not built") }
        return path
    }

    private func groups(of placement: Placement) throws -> [TestCgroup] {
        switch placement {
        case .none: return []
        case .both: return [unified, freezer].compactMap { $0 }
        case .unified: if let unified { return [unified] }
        case .freezer: if let freezer { return [freezer] }
        }
        throw Missing(description: "no \(placement) hierarchy here: add the need to .kernel(...)")
    }

    /// Thaws, kills, waits, removes. Gives what is left; an empty list is success.
    private func tearDown() -> [String] {
        children.withLock { $0.forEach { $0.signal(SIGKILL) } }
        let groups = [unified, freezer].compactMap { $0 }
        // A process that one hierarchy still holds frozen would not die for the other.
        groups.forEach { $0.thaw() }
        var left = groups.flatMap { $0.destroy() }
        let limit = Duration.seconds(5)
        let died = eventually(within: limit) {
            for process in Sandbox.processes(markedWith: name) { kill(process, SIGKILL) }
            let running = children.withLock { $0.filter { !$0.hasEnded } }
            return running.isEmpty && Sandbox.processes(markedWith: name).isEmpty
        }
        if !died { left += Sandbox.processes(markedWith: name).map { "process \($0)" } }
        left += Files.removeTree(folder)
        return left
    }

    /// Running processes that inherited our mark in their environment; zombies have none.
    private static func processes(markedWith name: String) -> [pid_t] {
        let mark = Array("QUELL_TEST_SANDBOX=\(name)".utf8)
        return (Files.names(in: "/proc") ?? []).compactMap { pid_t($0) }.filter { process in
            guard process != getpid(), let bytes = Files.read("/proc/\(process)/environ") else { return false }
            return bytes.split(separator: 0).contains { $0.elementsEqual(mark) }
        }
    }
}

/// Removes what earlier test processes left behind when they were killed: only groups whose process is dead.
private enum Janitor {
    static let leftovers: [String] = {
        let mounts: [(String?, TestCgroup.Hierarchy)] = [
            (CgroupMounts.unified, .unified), (CgroupMounts.freezer, .freezer),
        ]
        let orphans = mounts.flatMap { mount, hierarchy in
            guard let mount else { return [TestCgroup]() }
            return (Files.names(in: mount) ?? []).filter { isOrphan($0.split(separator: "-")) }
                .map { TestCgroup(path: "\(mount)/\($0)", hierarchy: hierarchy) }
        }
        orphans.forEach { $0.thaw() }
        let folders = (Files.names(in: "/tmp") ?? []).filter { isOrphan($0.split(separator: "-").dropLast()) }
        return orphans.flatMap { $0.destroy() } + folders.flatMap { Files.removeTree("/tmp/\($0)") }
    }()

    /// `quell`, `test`, a pid and a number, of which the pid is of no process any more.
    private static func isOrphan(_ parts: [Substring]) -> Bool {
        guard parts.count == 4, parts[0] == "quell", parts[1] == "test", let owner = pid_t(parts[2]) else {
            return false
        }
        return Int(parts[3]) != nil && kill(owner, 0) != 0 && errno == ESRCH
    }
}

/// Gives the test its own ``Sandbox``.
struct SandboxTrait: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        #expect(Janitor.leftovers.isEmpty, "leftovers of earlier runs cannot be removed")
        try await Sandbox.around(function)
    }
}

extension Sandbox {
    fileprivate static func around(_ function: @Sendable () async throws -> Void) async throws {
        let sandbox = try Sandbox()
        let result: Result<Void, any Error>
        do {
            result = .success(try await $current.withValue(sandbox, operation: function))
        } catch {
            result = .failure(error)
        }
        let left = sandbox.tearDown()
        #expect(left.isEmpty, "the test left something behind")
        try result.get()
    }
}

extension Trait where Self == SandboxTrait {
    /// The test gets a fresh ``Sandbox``, found by `Sandbox.of()`.
    static var sandbox: SandboxTrait { SandboxTrait() }
}
