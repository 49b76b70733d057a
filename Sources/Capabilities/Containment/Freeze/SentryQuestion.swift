internal import Base
internal import Kernel
internal import Sessions

/// What runs inside a gVisor sandbox, by the word of its sentry: testimony, because the sentry is of the session.
public struct SandboxInside: Hashable, Sendable, Codable {
    /// How many guest processes its containers have; `nil` when it was not told.
    public var processes: Int?
    /// Why not.
    public var reason: String?

    /// Takes both parts.
    public init(processes: Int? = nil, reason: String? = nil) {
        self.processes = processes
        self.reason = reason
    }

    /// One line for people.
    public var text: String {
        guard let processes else {
            return "a gVisor sandbox; what runs inside is unknown from outside, and its sentry was not heard: "
                + (reason ?? "no reason is known")
        }
        return "a gVisor sandbox; what runs inside is unknown from outside; its sentry says "
            + (processes == 1 ? "1 process" : "\(processes) processes")
    }
}

/// Asks a sentry for the processes of its containers, by `runsc ps` in a child that is ended when it takes too long.
/// Nothing is run inside the sandbox: the sentry looks into its own tables.
struct SentryQuestion {
    private let sandbox: GVisorSandbox

    /// Where a runsc of root's may lie. The sentry's own program is not asked: its path is the session's word.
    private static let programs = [
        "/usr/bin/runsc", "/usr/local/bin/runsc", "/usr/sbin/runsc", "/usr/local/sbin/runsc",
    ]
    /// How many processes an answer may name.
    private static let limit = 1 << 20

    init(to sandbox: GVisorSandbox) { self.sandbox = sandbox }

    /// Its answer; that there is none is no error.
    func ask(for patience: Duration) -> SandboxInside {
        guard let states = sandbox.states, !sandbox.containers.isEmpty else {
            return SandboxInside(reason: "runsc keeps its state nowhere usual")
        }
        guard let program = SentryQuestion.programs.map({ BytePath($0) }).first(where: SentryQuestion.isRoots) else {
            return SandboxInside(reason: "no runsc of root's is installed")
        }
        let deadline = Deadline(after: patience)
        var count = 0
        for container in sandbox.containers {
            do throws(Failure) {
                count += try ask(program, states, container, by: deadline)
            } catch {
                return SandboxInside(reason: error.reason)
            }
        }
        return SandboxInside(processes: count)
    }

    private func ask(
        _ program: BytePath,
        _ states: BytePath,
        _ container: String,
        by deadline: Deadline
    ) throws(Failure) -> Int {
        let root = BytePath(Array("--root=".utf8) + states.bytes)
        let arguments = [root] + ["ps", "-format", "json", container].map { BytePath($0) }
        let output = try ChildProcess.run(
            .rootOwned(program),
            arguments,
            limit: SentryQuestion.limit,
            by: deadline
        )
        switch output.end {
        case .overran: throw failure("it did not answer in time", container)
        case .exited(0) where !output.wasCut: break
        default: throw failure("runsc ps failed", container)
        }
        guard let processes = try JSONReader.read(output.bytes).array else {
            throw failure("runsc ps gave no list", container)
        }
        return processes.count
    }

    private func failure(_ reason: String, _ container: String) -> Failure {
        Failure(.timedOut, "ask the sentry", on: container, because: reason)
    }

    private static func isRoots(_ path: BytePath) -> Bool {
        do throws(Failure) {
            try RootOwned.check(path, "start")
            return true
        } catch {
            return false
        }
    }
}
