import Base
import Evidence
import Kernel
import Sessions

/// Which folders of a session are preserved: what the inventory declares; where it declares nothing, what is plainly the
/// session's own.
struct CaptureRoots {
    let agent: AgentRecord?
    private let pin: SessionPin
    private let undeclared: UndeclaredTrees

    /// `store` is Quell's own folder, which is no evidence.
    init(of session: SessionReference, _ agent: AgentRecord?, on host: Host, store: BytePath) {
        self.agent = agent
        pin = session.pin
        undeclared = UndeclaredTrees(on: host, store: store)
    }

    /// The trees, each with a name of its own.
    func trees(of subjects: [CaptureSubject]) throws(Failure) -> [PlannedTree] {
        if pin.namesNothing {
            return named("workspace", agent?.workspace ?? [], .workspace)
                + named("transcripts", agent?.transcripts ?? [], .transcripts)
        }
        let members = subjects.filter { $0.membership != .guest }.map(\.pin)
        var workspace = agent?.workspace ?? []
        if workspace.isEmpty { workspace = try undeclaredWorkspace().map { [$0] } ?? [] }
        var transcripts = agent?.transcripts ?? []
        var unread: [PlannedTree] = []
        if transcripts.isEmpty {
            let found = undeclared.transcripts(of: members)
            transcripts = found.folders
            unread = CaptureRoots.unread(found.failures)
        }
        return named("workspace", workspace, .workspace) + named("transcripts", transcripts, .transcripts) + unread
    }

    /// A root that says that not every process could be asked for its transcripts (RT16).
    private static func unread(_ failures: [Failure]) -> [PlannedTree] {
        guard let first = failures.first else { return [] }
        var tree = PlannedTree(name: "transcripts-unread", path: BytePath("/"), role: .transcripts)
        tree.lost = Failure(
            first.code,
            first.attempt,
            on: first.subject,
            because: "\(failures.count) processes could not be asked for open transcripts, the first: \(first.reason)",
            errno: first.errno
        )
        return [tree]
    }

    private func undeclaredWorkspace() throws(Failure) -> BytePath? {
        do throws(Failure) {
            return try undeclared.workspace(of: pin.leader)
        } catch {
            guard error.code == .notFound || error.code == .changed || error.code == .notPermitted else { throw error }
            return nil
        }
    }

    /// Why there is no workspace in the capture; `nil` when there is one, or the profile takes none, or the session's own
    /// root is taken whole, or the session has ended.
    func missingWorkspace(_ request: CaptureRequest) -> String? {
        let hasRoot = request.trees.contains { [.upper, .root, .workspace].contains($0.role) && $0.lost == nil }
        guard request.profile != .volatile, agent?.workspace.isEmpty ?? true, !hasRoot, request.ended == nil else {
            return nil
        }
        do throws(Failure) {
            _ = try undeclared.workspace(of: pin.leader)
            return nil
        } catch {
            return "no workspace is declared for the session, and none was found: \(error.reason)"
        }
    }

    private func named(_ name: String, _ paths: [BytePath], _ role: PlannedTree.Role) -> [PlannedTree] {
        paths.enumerated().map { index, path in
            PlannedTree(name: index == 0 ? name : "\(name)-\(index + 1)", path: path, role: role)
        }
    }
}
