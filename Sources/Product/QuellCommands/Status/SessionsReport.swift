import Base
import Containment
import Kernel
import Sessions

/// Says what `quell sessions` found. Whatever a session could have named is escaped; what can be pasted holds numbers
/// and names of the inventory only (RT14).
struct SessionsReport {
    let list: SessionList
    /// What a freeze of each would say, in the order of the list.
    let outlooks: [FreezeOutlook]
    let now: Instant
    /// How many of those that have ended are told to people; a document has all.
    var mostDead = 16

    func tell(_ telling: Teller) {
        if list.sessions.isEmpty, list.dead.isEmpty { telling.result("no sessions here") }
        for (session, outlook) in zip(list.sessions, outlooks) { tell(session, outlook, telling) }
        for dead in list.dead.prefix(mostDead) {
            SessionsReport.tell(dead, at: now, telling)
            let next = dead.isPrintable ? "  next: quell sessions show \(dead.locator)" : ""
            telling.result("         locator \(dead.locator)\(next)")
        }
        if list.dead.count > mostDead {
            let count = Words.count(list.dead.count - mostDead, "dead session", "dead sessions")
            telling.say("\(count) not listed: quell sessions --all")
        }
        if list.plainProcesses > 0 {
            let count = Words.count(list.plainProcesses, "plain process is", "plain processes are")
            telling.say("\(count) not listed: quell sessions --all")
        }
    }

    /// What is known of a session that has ended.
    static func tell(_ dead: DeadSession, at now: Instant, _ telling: Teller) {
        let what = dead.wasStarted ? "dead" : "never started"
        telling.result("\(telling.terminal.strong("\(dead)"))  \(what)  uid \(dead.uid)  0 processes")
        var times = [dead.made.map { "made \($0)" }]
        times.append(dead.ended.map { "ended \($0) (\(Words.age(now.since($0))) ago)" })
        if dead.ended == nil, dead.wasStarted { times.append("when it ended no file tells") }
        if let status = dead.exitStatus { times.append("exit status \(status)") }
        telling.result("         \(times.compactMap { $0 }.joined(separator: "  "))")
        if let files = dead.files { telling.result("         its files are left in \(files)") }
        telling.result("         not freezable: nothing of it runs")
    }

    /// What is known of a session that runs.
    func tell(_ session: ListedSession, _ outlook: FreezeOutlook, _ telling: Teller) {
        let title = (session.agent.map { [Escaped.terminal($0)] } ?? []) + ["\(session.runtime)"]
        telling.result(
            "\(telling.terminal.strong(title.joined(separator: "  ")))  pid \(session.leader.pid) "
                + "(\(session.name))  \(session.uid.map { "uid \($0)" } ?? "uid unknown")  "
                + "\(Words.count(session.processes, "process", "processes"))"
        )
        let age = Words.age(now.since(session.started))
        telling.result(
            "         \(Words.bytes(session.memory.bytes)) (\(session.memory.source.rawValue))  up \(age)  "
                + "sent \(Words.bytes(session.bytesSent))"
        )
        if session.runtime.isOpaque { telling.result("         what runs inside is unknown from outside") }
        for match in session.matches { telling.result("         found \(words(match))") }
        for peer in session.peers.prefix(3) {
            telling.result("         peer \(peer.endpoint)  sent \(Words.bytes(peer.bytesSent))")
        }
        switch outlook {
        case .no(let failure): telling.result("         not freezable: \(Escaped.terminal(failure.reason))")
        case .frozen: telling.result("         frozen")
        case .freezable: telling.result("         freezable")
        }
        telling.result("         locator \(session.locator)\(next(session, outlook).map { "  next: \($0)" } ?? "")")
    }

    private func words(_ match: SessionMatch) -> String {
        let process = "process \(match.process.pid) (\(match.name))"
        if let socket = match.connection {
            return
                "\(process) \(socket.transport.rawValue) \(socket.local) to \(socket.remote) \(socket.state.rawValue)"
        }
        guard let file = match.file else { return process }
        let how =
            switch file.kind {
            case .descriptor: "has it open as \(file.descriptor ?? -1)"
            case .mapping: "has it mapped"
            case .executable: "runs it"
            case .workingDirectory: "works in it"
            case .root: "has it as its root"
            }
        return "\(process) \(how)\(file.isDeleted ? ", deleted" : "")\(file.isByName ? ", by its name only" : "")"
    }

    private func next(_ session: ListedSession, _ outlook: FreezeOutlook) -> String? {
        switch outlook {
        case .freezable: "quell freeze \(session.locator)"
        case .frozen: "quell capture \(session.locator)"
        case .no: nil
        }
    }

    /// The same as a document.
    func document() throws(Failure) -> JSONValue {
        var sessions: [JSONValue] = []
        for (session, outlook) in zip(list.sessions, outlooks) { sessions.append(try document(session, outlook)) }
        var dead: [JSONValue] = []
        for session in list.dead { dead.append(try JSONEncoding.value(of: session)) }
        return [
            "untrustedSessions": .array(sessions), "untrustedDeadSessions": .array(dead),
            "plainProcesses": .integer(Int64(list.plainProcesses)),
            "untrustedFailures": .array(list.failures.map { .string($0.description) }),
        ]
    }

    /// One session as a document.
    func document(_ session: ListedSession, _ outlook: FreezeOutlook) throws(Failure) -> JSONValue {
        var object = try JSONEncoding.value(of: session).object ?? JSONObject()
        object["locator"] = .string("\(session.locator)")
        if session.runtime.isOpaque { object["inside"] = "unknown" }
        switch outlook {
        case .freezable: object["freeze"] = "possible"
        case .frozen: object["freeze"] = "frozen"
        case .no(let failure):
            object["freeze"] = "no"
            object["freezeReason"] = .string(failure.reason)
        }
        object["next"] = next(session, outlook).map { .string($0) }
        return .object(object)
    }
}
