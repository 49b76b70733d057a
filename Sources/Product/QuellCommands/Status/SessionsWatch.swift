internal import ArgumentParser
import Base
import Containment
import Engine
import Kernel
import Sessions

/// `quell sessions watch`: what changes among the sessions of this machine, a line each time, until Ctrl-C.
struct SessionsWatch: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Say what changes among the sessions of this machine, until Ctrl-C.",
        discussion: """
            One line for each session at first, then one for each change: a session that comes, ends, freezes or thaws, \
            a new peer, another number of processes. Lines are only added, so it reads well over a slow link and on a \
            dumb terminal. The kernel tells of cgroups that come, go, freeze and thaw; anything else is looked for every \
            two seconds. With --json each line is a document. Ends with status 130.
            """
    )

    @OptionGroup var common: CommonOptions
    @Flag(help: "List plain processes that look like no agent, too.") var all = false

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let bench = try Workbench(withoutKey: environment, store: common.store)
        Interruption.listen()
        var failures: [Failure] = []
        let inventory = try bench.permittedInventory(&failures)
        var known = KnownSessions()
        var pace = WatchPace()
        while !Interruption.cancellation.isCancelled, !environment.output.isBroken {
            let deadline = Deadline(after: .seconds(5))
            let question = SessionQuestion(includesPlain: all, includesDead: false)
            let list = try SessionList.look(at: bench.host, inventory: inventory, asking: question, by: deadline)
            let resolver = SessionResolver(host: bench.host, inventory: inventory)
            let rows = list.sessions.map { SessionRow($0, FreezeOutlook.of($0.locator, by: resolver)) }
            for change in known.take(rows) { try tell(change, at: environment.now(), telling) }
            for failure in failures + list.failures where known.isNews(failure) { telling.warn(failure.description) }
            pace.wait(on: watch(list, on: bench.host))
        }
        return .cancelled
    }

    private func watch(_ list: SessionList, on host: Host) -> CgroupWatch {
        var groups: [CgroupPin] = []
        var places: [CgroupPin] = []
        guard let unified = host.unified else { return CgroupWatch([], on: host) }
        for path in Set(list.sessions.flatMap(\.cgroups).filter { $0.hierarchy == "v2" }.map(\.path)) {
            // A group that has ended meanwhile tells nothing any more.
            do throws(Failure) { groups.append(try Cgroup(path, in: unified).pin) } catch { continue }
        }
        do throws(Failure) { places.append(try Cgroup(BytePath("/"), in: unified).pin) } catch { places = [] }
        return CgroupWatch(groups, places: places, on: host)
    }

    private func tell(_ change: SessionChange, at now: Instant, _ telling: Teller) throws(Failure) {
        if common.json {
            telling.document([
                "time": .string(now.description), "event": .string(change.kind.rawValue),
                "locator": .string(change.row.locator), "untrustedText": .string(change.row.text),
            ])
        } else {
            let kind = change.kind.rawValue + String(repeating: " ", count: max(0, 8 - change.kind.rawValue.count))
            telling.result("\(Words.clock(now))  \(kind) \(change.row.text)")
        }
    }
}

/// A session as a line of the watch.
struct SessionRow: Hashable {
    /// The first process: what makes it the same session in the next look.
    let leader: ProcessPin
    /// The locator to paste.
    let locator: String
    /// Everything that is told, escaped. Bytes are left out: they change all the time.
    let text: String

    init(leader: ProcessPin, locator: String, text: String) {
        self.leader = leader
        self.locator = locator
        self.text = text
    }

    init(_ session: ListedSession, _ outlook: FreezeOutlook) {
        leader = session.leader
        locator = "\(session.locator)"
        let state =
            switch outlook {
            case .freezable: "runs"
            case .frozen: "frozen"
            case .no: "not freezable"
            }
        let runtime = session.runtime
        let what = session.agent.map { Escaped.terminal($0) } ?? runtime.kind.rawValue
        let place = runtime.name.map { "\($0)" } ?? "\(runtime.cgroup.path)"
        let peers = session.peers.prefix(3).map { "\($0.endpoint)" }.sorted().joined(separator: ", ")
        text =
            "\(what) \(place)  pid \(session.leader.pid) (\(session.name))  "
            + "\(session.uid.map { "uid \($0)" } ?? "uid unknown")  "
            + "\(Words.count(session.processes, "process", "processes"))  \(state)"
            + (peers.isEmpty ? "" : "  peers \(peers)")
    }
}

/// One thing that changed.
struct SessionChange: Hashable {
    /// What happened.
    enum Kind: String { case new, changed, gone }
    /// What happened.
    let kind: Kind
    /// The session as it is now; of one that is gone, as it was.
    let row: SessionRow
}

/// What was told, so that only what changed is told again.
struct KnownSessions {
    private var rows: [ProcessPin: SessionRow] = [:]
    private var failures: Set<String> = []

    /// Gives what is different from the last time, in the order of the list; those that are gone come last.
    mutating func take(_ now: [SessionRow]) -> [SessionChange] {
        var changes: [SessionChange] = []
        var next: [ProcessPin: SessionRow] = [:]
        for row in now where next[row.leader] == nil {
            next[row.leader] = row
            guard let before = rows[row.leader] else {
                changes.append(SessionChange(kind: .new, row: row))
                continue
            }
            if before != row { changes.append(SessionChange(kind: .changed, row: row)) }
        }
        for (leader, row) in rows.sorted(by: { $0.key.pid < $1.key.pid }) where next[leader] == nil {
            changes.append(SessionChange(kind: .gone, row: row))
        }
        rows = next
        return changes
    }

    /// Whether a failure was not told before.
    mutating func isNews(_ failure: Failure) -> Bool { failures.insert(failure.description).inserted }
}

/// How often a watch looks: at once when the kernel tells of a change, but four times a second at most, so that a session
/// that makes groups in a loop costs nobody a processor; every two seconds otherwise.
struct WatchPace {
    private var earliest = Deadline(after: .zero)

    mutating func wait(on watch: CgroupWatch) {
        _ = watch.wait(until: Deadline(after: .seconds(2)), orReadable: Interruption.cancellation.descriptor)
        _ = Interruption.cancellation.wait(until: earliest)
        earliest = Deadline(after: .milliseconds(250))
    }
}
