import Base
import Bundles
import Sessions

/// What a capture will collect, in order: falling volatility (RFC 3227), and within it what a budget must not lose.
/// Each step ends in at least one item of the account, whatever happens to it.
struct CollectionPlan {
    /// One step.
    enum Step: Hashable {
        case session
        case containment
        case processes
        case sockets
        case network
        case parked
        case mounts
        case memory
        case deletedFiles
        case tree(PlannedTree)
        case changes(PlannedChanges)
        case volumes([PlannedVolume], lacking: [String])
        case runtime(ContainerFiles)
        case logs([BytePath])
        case hostLogs([PlannedLog])
        case facts
        case clock
        case journal

        /// The share of the budget that it takes from.
        var share: CaptureBudget.Share {
            switch self {
            case .session, .containment, .processes, .sockets, .network, .parked, .mounts: .volatile
            case .memory: .memory
            case .tree(let tree): tree.role == .transcripts ? .transcripts : .workspace
            case .deletedFiles: .recovered
            case .changes, .volumes: .workspace
            case .runtime, .logs, .hostLogs, .facts, .clock, .journal: .logs
            }
        }

        /// The item of a step that only a session that runs has; `nil` for the others.
        var live: CollectionItem.Class? {
            switch self {
            case .processes: .processes
            case .sockets: .sockets
            case .network: .network
            case .mounts: .mounts
            case .memory: .memory
            case .deletedFiles: .deletedFiles
            default: nil
            }
        }

        /// What people read while it runs.
        var phase: String {
            switch self {
            case .session: "session"
            case .containment: "containment"
            case .processes: "processes"
            case .sockets: "sockets"
            case .network: "network"
            case .parked: "parked data"
            case .mounts: "mounts"
            case .memory: "memory"
            case .deletedFiles: "deleted files"
            case .tree(let tree): tree.name
            case .changes: "changes"
            case .volumes: "volumes"
            case .runtime: "runtime"
            case .logs: "logs"
            case .hostLogs: "logs of the host"
            case .facts: "facts"
            case .clock: "clock"
            case .journal: "journal"
            }
        }
    }

    let steps: [Step]

    init(_ request: CaptureRequest) {
        var steps: [Step] = [.session, .containment, .processes, .sockets, .network, .parked, .mounts, .memory]
        if request.profile != .volatile {
            steps += request.trees.filter { $0.role == .transcripts }.map(Step.tree)
        }
        steps.append(.deletedFiles)
        if request.profile != .volatile {
            for role in [PlannedTree.Role.mount, .workspace, .upper, .root] {
                steps += request.trees.filter { $0.role == role }.map(Step.tree)
            }
            if let changes = request.changes { steps.append(.changes(changes)) }
            if !request.volumes.isEmpty || !request.lacking.isEmpty {
                steps.append(.volumes(request.volumes, lacking: request.lacking))
            }
            if let container = request.container { steps.append(.runtime(container)) }
            steps.append(.logs(request.logs))
            if !request.hostLogs.isEmpty { steps.append(.hostLogs(request.hostLogs)) }
        }
        // The clock is read at the start and written at the end; the journal ends with what led to this seal.
        self.steps = steps + [.facts, .clock, .journal]
    }

    /// Announces the items that are known before anything is read.
    func announce(to log: CollectionLog) {
        for step in steps {
            switch step {
            case .session: log.plan(.session)
            case .containment: log.plan(.containment)
            case .processes: log.plan(.processes)
            case .sockets: log.plan(.sockets)
            case .network: log.plan(.network)
            case .parked: for _ in ParkedKind.allCases { log.plan(.parked) }
            case .mounts: log.plan(.mounts)
            case .memory: log.plan(.memory)
            case .deletedFiles: log.plan(.deletedFiles)
            case .tree: log.plan(.tree)
            case .changes: log.plan(.changes)
            case .volumes: log.plan(.volumes)
            case .runtime(let container): for _ in 0..<RuntimeItem.count(container) { log.plan(.runtime) }
            case .logs(let paths): for _ in paths { log.plan(.log) }
            case .hostLogs(let logs): for _ in logs { log.plan(.hostLog) }
            case .facts: log.plan(.facts)
            case .clock: log.plan(.clock)
            case .journal: log.plan(.journal)
            }
        }
    }
}
