import Base
import Bundles
import Kernel
import Sealing

/// The state of one capture while it runs, step by step as planned.
final class CaptureRun {
    private let request: CaptureRequest
    private let host: Host
    private let writer: BundleWriter
    private let meter: CaptureMeter
    private let acquisition: Acquisition
    private let plan: CollectionPlan
    private let log: CollectionLog
    private let budget: CaptureBudget
    private let reader = ImpatientReader()
    private let processes: ProcessesItem
    private let watch: FreezeWatch
    private let vault: SecretVault
    private let began = Instant.now()
    private let firstClock = ClockItem.reading()
    private var movedTrees: [String] = []
    private var abstractSockets: [JSONObject] = []
    private var checkpoint: SealStatement.Checkpoint?

    init(
        _ request: CaptureRequest,
        on host: Host,
        writer: BundleWriter,
        meter: CaptureMeter,
        acquisition: Acquisition
    ) throws(Failure) {
        self.request = request
        self.host = host
        self.writer = writer
        self.meter = meter
        self.acquisition = acquisition
        plan = CollectionPlan(request)
        log = CollectionLog(writing: try writer.stream(try PayloadName("data/collection.jsonl")))
        budget = CaptureBudget(request.budget, withMemory: request.memory != .nothing)
        let processes = ProcessesItem(on: host, reader: reader)
        self.processes = processes
        vault = SecretVault(writer, isForRecipients: !request.recipients.isEmpty, processes.secrets)
        watch = FreezeWatch(cgroups: request.frozenCgroups, subjects: request.subjects, on: host)
    }

    func capture(sealedWith key: SigningKey?) throws(Failure) -> SealedCapture {
        plan.announce(to: log)
        for step in plan.steps {
            meter.enter(step.phase)
            budget.enter(step.share)
            if let ended = request.ended, step == .parked {
                for kind in ParkedKind.allCases { try log.end(kind.item.outside(ended)) }
            } else if let ended = request.ended, let item = step.live {
                try log.end(CollectionItem(item).outside(ended))
            } else {
                try take(step)
            }
        }
        try vault.close()
        try log.close()
        meter.enter("seal")
        let stillness = look()
        let statement = statement(stillness)
        let graph = CaseGraph(parts: request.seal, payload: writer.written(), began: began, ended: Instant.now())
        try writer.write(try PayloadName(CaseGraph.file), graph.bytes)
        let sealed = try writer.seal(statement, with: key)
        return SealedCapture(
            path: writer.path,
            rootDigest: sealed.root,
            profile: request.profile,
            pins: request.pins,
            counts: statement.counts,
            classes: log.countsByClass,
            shortfalls: log.shortfalls,
            stillness: stillness,
            wasCancelled: meter.isCancelled,
            stopped: meter.stopReason,
            lostRoots: log.lostRoots,
            wasCut: budget.hasRefused,
            notAsked: log.notAsked,
            sums: writer.sums()
        )
    }

    private func take(_ step: CollectionPlan.Step) throws(Failure) {
        switch step {
        case .session: try document(.session, "data/session.json", SessionDocument.value(request, host, began))
        case .containment: try document(.containment, "data/containment.json", request.containment)
        case .processes:
            try processes.collect(request.subjects, to: writer, log: log, meter: meter, budget: budget)
        case .sockets:
            let cgroups = Set(request.pins.flatMap(\.cgroups).map(\.inode))
            abstractSockets = try SocketsItem(processes: processes, cgroups: cgroups, host: host)
                .collect(to: writer, log: log, budget: budget)
        case .network:
            try NetworkItem(processes: processes, host: host, reader: reader)
                .collect(to: writer, log: log, budget: budget)
        case .parked: try takeParked()
        case .mounts:
            try MountsItem(processes: processes, host: host, reader: reader)
                .collect(to: writer, log: log, budget: budget)
        case .memory: try takeMemory()
        case .deletedFiles:
            try RecoveredItem(processes: processes, copier: copier, host: host, leases: leases).collect(log: log)
        case .tree(let tree): try take(tree)
        case .changes(let changes):
            try ChangesItem(changes: changes, host: host, meter: meter).collect(to: writer, log: log, budget: budget)
        case .volumes(let volumes, let lacking):
            try PlannedVolume.write(volumes, lacking: lacking, to: writer, log: log, budget: budget)
        case .runtime(let container):
            try RuntimeItem(container: container, digest: processes.secrets)
                .collect(to: writer, log: log, budget: budget)
        case .logs(let paths):
            let logs = paths.map { PlannedLog(path: $0, kind: .declared) }
            try LogsItem(logs: logs, host: host, copier: copier, leases: leases).collect(log: log)
        case .hostLogs(let logs):
            let first = request.logs.count
            try LogsItem(logs: logs, after: first, host: host, copier: copier, leases: leases).collect(log: log)
        case .facts: try document(.facts, "data/facts.json", HostFacts(host).document)
        case .clock:
            let clock = ClockItem.document(began: firstClock, sealed: ClockItem.reading())
            try document(.clock, "data/clock.json", clock)
        case .journal: try takeJournal()
        }
    }

    private var leases: LeaseWait { LeaseWait(patience: acquisition.patience(), meter: meter) }
    private var copier: RawCopier { RawCopier(writer: writer, meter: meter, budget: budget) }

    private func take(_ tree: PlannedTree) throws(Failure) {
        let moved = try TreeItem(
            tree: tree,
            host: host,
            writer: writer,
            log: log,
            budget: budget,
            meter: meter,
            vault: vault,
            leasePatience: acquisition.patience(),
            opened: acquisition.opened
        ).collect()
        if let moved { movedTrees.append(moved) }
    }

    private func takeParked() throws(Failure) {
        try ParkedItem(
            processes: processes,
            copier: copier,
            host: host,
            reader: reader,
            abstractSockets: abstractSockets,
            log: log
        ).collect()
    }

    private func document(_ item: CollectionItem.Class, _ name: String, _ value: JSONValue) throws(Failure) {
        let bytes = CanonicalJSON.bytes(of: value) + [UInt8(ascii: "\n")]
        budget.spend(UInt64(bytes.count))
        try writer.write(try PayloadName(name), bytes)
        var ended = CollectionItem(item)
        ended.member = name
        try log.end(ended)
    }

    private func takeMemory() throws(Failure) {
        guard request.memory != .nothing else { return try log.end(.memoryNotAsked) }
        try MemoryItem(request, on: host, writer: writer, meter: meter, budget: budget).collect(log: log)
    }

    private func takeJournal() throws(Failure) {
        var item = CollectionItem(.journal)
        let extract: JournalExtract?
        do throws(Failure) {
            extract = try request.journal()
        } catch {
            return try log.end(item.failed(error))
        }
        guard let extract else { return try log.end(item.skipped("there is no case")) }
        try writer.write(try PayloadName("data/journal.jsonl"), extract.lines)
        checkpoint = extract.checkpoint
        item.member = "data/journal.jsonl"
        try log.end(item)
    }

    private func look() -> Stillness {
        let seen = watch.compare()
        return Stillness(
            first: seen.first,
            last: seen.last,
            threads: seen.threads,
            breaks: seen.breaks + movedTrees,
            times: seen.times
        )
    }

    private func statement(_ stillness: Stillness) -> SealStatement {
        let parts = request.seal
        return SealStatement(
            name: parts.name,
            caseID: parts.caseID,
            number: parts.number,
            purpose: parts.purpose,
            locator: "\(request.locator)",
            pins: request.pins,
            freeze: parts.freeze.map { proof in
                SealStatement.Freeze(
                    confirmed: proof.confirmed,
                    lastSeen: stillness.isUnbroken ? stillness.last : nil,
                    processes: proof.processes,
                    unbroken: stillness.isUnbroken,
                    breaks: stillness.breaks
                )
            },
            counts: log.counts,
            checkpoint: checkpoint,
            authority: parts.authority,
            tool: parts.tool,
            responder: parts.responder,
            host: parts.host,
            began: began,
            sealed: Instant.now()
        )
    }
}
