internal import ArgumentParser
import Base
import Containment
import Kernel
import Sessions

/// `quell sessions show`: one session, running or dead.
struct SessionsShow: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one session, running or dead: what runs it, its processes, its cgroups.",
        discussion: """
            Of a container that has ended it shows when and how it ended, as the files of its runtime tell, and where what \
            it wrote is left until the runtime removes it. Nothing is done to it.

            LOCATOR is \(Locator.forms).
            """
    )

    @OptionGroup var common: CommonOptions
    @Argument(help: ArgumentHelp("The session.", valueName: "locator")) var locator: String

    /// How long the whole look may take.
    private static let patience = Duration.seconds(5)
    /// How many processes are told to people; a document has all.
    private static let mostProcesses = 64

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        let deadline = Deadline(after: SessionsShow.patience)
        let bench = try Workbench(withoutKey: environment, store: common.store)
        var failures: [Failure] = []
        let inventory = try bench.permittedInventory(&failures)
        let wanted = try Locator(parsing: locator)
        let resolver = SessionResolver(host: bench.host, inventory: inventory)
        let question = SessionQuestion(includesPlain: true)
        let session: Session
        do throws(Failure) {
            session = try resolver.resolve(wanted, for: "sessions show")
        } catch {
            guard error.code == .notFound else { throw error }
            let list = try SessionList.look(at: bench.host, inventory: inventory, asking: question, by: deadline)
            let dead = list.dead.filter { $0.isMeant(by: wanted) }
            guard !dead.isEmpty else { throw error }
            return try tell(dead, environment, telling)
        }
        let list = try SessionList.look(at: bench.host, inventory: inventory, asking: question, by: deadline)
        failures += session.failures + list.failures
        for failure in failures { telling.warn(failure.description) }
        // A list goes by cgroups, a locator by lineage: who leads may differ, and then only the processes are shown.
        let listed = list.sessions.first { listed in listed.leader == session.leader?.pin }
        let report = SessionsReport(list: list, outlooks: [], now: environment.now())
        if common.json {
            telling.document(try document(session, listed, report, resolver))
        } else {
            if let listed { report.tell(listed, FreezeOutlook.of(listed.locator, by: resolver), telling) }
            tell(session, telling)
        }
        return failures.isEmpty ? .done : .partial
    }

    private func tell(_ dead: [DeadSession], _ environment: Environment, _ telling: Teller) throws(Failure) -> Outcome {
        if common.json {
            var documents: [JSONValue] = []
            for session in dead { documents.append(try JSONEncoding.value(of: session)) }
            telling.document(["untrustedDeadSessions": .array(documents)])
        } else {
            for session in dead { SessionsReport.tell(session, at: environment.now(), telling) }
        }
        return .done
    }

    private func tell(_ session: Session, _ telling: Teller) {
        telling.result("session  \(Words.pin(session.pin))")
        for cgroup in session.cgroups {
            let whose = cgroup.isOwn ? "its own" : "others stand in it, too"
            telling.result("cgroup   \(cgroup.pin.hierarchy) \(cgroup.pin.path) (\(whose))")
        }
        for member in session.members.prefix(SessionsShow.mostProcesses) {
            telling.result("process  \(member.pin.pid) (\(member.name)) \(member.lineage.rawValue)")
        }
        if session.members.count > SessionsShow.mostProcesses {
            telling.result("         and \(session.members.count - SessionsShow.mostProcesses) more")
        }
        for guest in session.guests.prefix(SessionsShow.mostProcesses) {
            telling.result("guest    \(guest.pin.pid) (\(guest.name))")
        }
        if session.members.isEmpty { telling.result("         it has no process") }
    }

    private func document(
        _ session: Session,
        _ listed: ListedSession?,
        _ report: SessionsReport,
        _ resolver: SessionResolver
    ) throws(Failure) -> JSONValue {
        var object = JSONObject()
        object["pin"] = try JSONEncoding.value(of: session.pin)
        object["untrustedCgroups"] = try JSONEncoding.value(of: session.cgroups)
        object["untrustedMembers"] = try JSONEncoding.value(of: session.members)
        object["untrustedGuests"] = try JSONEncoding.value(of: session.guests)
        if let listed {
            object["untrustedSession"] = try report.document(listed, FreezeOutlook.of(listed.locator, by: resolver))
        }
        return .object(object)
    }
}
