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

    func tell(_ telling: Teller) {
        if list.sessions.isEmpty { telling.result("no sessions here") }
        for (session, outlook) in zip(list.sessions, outlooks) { tell(session, outlook, telling) }
        if list.plainProcesses > 0 {
            let count = Words.count(list.plainProcesses, "plain process is", "plain processes are")
            telling.say("\(count) not listed: quell sessions --all")
        }
    }

    private func tell(_ session: ListedSession, _ outlook: FreezeOutlook, _ telling: Teller) {
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
        for (session, outlook) in zip(list.sessions, outlooks) {
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
            sessions.append(.object(object))
        }
        return [
            "untrustedSessions": .array(sessions), "plainProcesses": .integer(Int64(list.plainProcesses)),
            "untrustedFailures": .array(list.failures.map { .string($0.description) }),
        ]
    }
}
