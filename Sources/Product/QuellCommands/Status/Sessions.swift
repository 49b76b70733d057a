internal import ArgumentParser
import Base
import Containment
import Kernel
import Sessions

/// `quell sessions`.
struct SessionsCommand: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions",
        abstract: "List sessions; answer which one talks to ADDR or holds PATH.",
        discussion: """
            Lists containers, sandboxes, cgroups, systemd units and scopes, and processes that look like agents: who \
            runs them, memory and who counted it, bytes sent over connections that are open now, whether a freeze would be \
            refused and why, and the locator to paste.

            --to and --file look at every process, also at those that look like no agent. --to asks for open \
            connections. --file asks by device and inode for open descriptors, mapped files and programs, also deleted \
            ones; links are followed once. Of a path that is gone, a deleted file of that name is sought.

            Containers of podman, docker, runc and crun that have ended are listed behind those that run: when they ended, \
            how, and where their files are left.

            A cgroup's path is a hint: whoever may make cgroups can name one as a runtime does; and bubblewrap, firejail \
            and systemd-nspawn are told by the program that started the sandbox. nsjail and Firecracker are told by \
            their documented layouts, not tried against the real programs. Nothing found is exit status 2; what could \
            not be read is named (exit 3).
            """,
        subcommands: [SessionsShow.self, SessionsWatch.self]
    )

    @OptionGroup var common: CommonOptions

    @Option(help: ArgumentHelp("Only sessions connected to this address.", valueName: "addr[:port]"))
    var to: String?

    @Option(help: ArgumentHelp("Only sessions that hold this file.", valueName: "path"))
    var file: String?

    @Flag(help: "List plain processes that look like no agent, and every dead session, too.")
    var all = false

    /// How long the whole look may take.
    private static let patience = Duration.seconds(5)

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let deadline = Deadline(after: SessionsCommand.patience)
        let peer = try to.map { text throws(Failure) in try SoughtPeer(parsing: text) }
        let bench = try Workbench(withoutKey: environment, store: common.store)
        let sought = try file.map { path throws(Failure) in
            try SessionQuestion.find(environment.absolute(BytePath(path)), on: bench.host, by: deadline)
        }
        let question = SessionQuestion(peer: peer, file: sought, includesPlain: all)
        var failures: [Failure] = []
        let inventory = try bench.permittedInventory(&failures)
        let list = try SessionList.look(at: bench.host, inventory: inventory, asking: question, by: deadline)
        failures += list.failures
        for failure in failures { telling.warn(failure.description) }
        // One hint is enough: what nothing was found of may stand where this user may not look.
        let isBlind = !failures.isEmpty && environment.userID != 0
        if list.sessions.isEmpty, question.isNarrow { throw nothingFound(question, isBlind) }
        if isBlind { telling.say("hint: sudo quell sessions shows everything") }
        let resolver = SessionResolver(host: bench.host, inventory: inventory)
        let outlooks = list.sessions.map { session -> FreezeOutlook in
            deadline.hasPassed ? .no(notAsked(session)) : FreezeOutlook.of(session.locator, by: resolver)
        }
        var report = SessionsReport(list: list, outlooks: outlooks, now: environment.now())
        if all { report.mostDead = .max }
        if common.json { telling.document(try report.document()) } else { report.tell(telling) }
        return failures.isEmpty ? .done : .partial
    }

    private func notAsked(_ session: ListedSession) -> Failure {
        Failure(.timedOut, "ask about a freeze", on: "\(session.leader.pid)", because: "no time was left")
    }

    private func nothingFound(_ question: SessionQuestion, _ isBlind: Bool) -> Failure {
        var wanted: [String] = []
        if let peer = question.peer { wanted.append("has an open connection to \(peer)") }
        if let file = question.file { wanted.append("holds " + String(decoding: file.path.bytes, as: UTF8.self)) }
        return Failure(
            .notFound,
            "find the session",
            on: wanted.joined(separator: " and "),
            because: "no process that could be read is such a one",
            hint: isBlind ? sudoLine : "quell sessions --all"
        )
    }
}

extension Workbench {
    /// The inventory, or none and a reason where it is not for this user to read.
    func permittedInventory(_ failures: inout [Failure]) throws(Failure) -> Inventory {
        do throws(Failure) {
            return try inventory()
        } catch {
            // A store of root's is refused to everybody else, which is no reason to show them nothing.
            let isOthers = error.code == .refused && environment.userID != 0
            guard error.code == .notPermitted || isOthers else { throw error }
            failures.append(error)
            return .empty
        }
    }
}
