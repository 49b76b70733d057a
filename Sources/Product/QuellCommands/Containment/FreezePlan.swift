import Base
import Containment
import Kernel
import Sessions

/// What `quell freeze --plan` tells: what a freeze would meet, without touching it.
struct FreezePlan {
    let session: Session
    let preview: FreezePreview

    func tell(_ telling: Teller) {
        let processes = Words.count(preview.members.count, "process", "processes")
        let strays = Words.count(preview.strays.count, "stray", "strays")
        telling.result("plan: freeze \(processes) and \(strays) of \(session.locator); nothing was done")
        telling.say("pinned       \(Words.pin(session.pin))")
        for group in preview.groups {
            let isFrozen = preview.frozen.contains(group)
            telling.say("group        \(group.hierarchy) \(group.path)\(isFrozen ? ", frozen already" : "")")
        }
        if preview.groups.isEmpty { telling.say("group        one of Quell's, which it is moved into") }
        var table = CompanyTable()
        table.add(strays: preview.strays, called: "stray")
        table.add(listed: preview.listed)
        table.add(guests: preview.guests, spared: "")
        table.add(peers: preview.surroundings.peers, offers: true)
        for line in table.lines { telling.say(line) }
        for supervisor in preview.supervisors {
            let pid = supervisor.process.map { " \($0.pid)" } ?? ""
            telling.say("restarts    \(pid) \(supervisor.name): \(Escaped.terminal(supervisor.detail))")
        }
        for line in ServiceLines.lines(of: preview.surroundings) { telling.say(line) }
        for note in preview.notes { telling.say("note         \(Escaped.terminal(note))") }
        if let word = session.commandWord { telling.say("next         quell freeze \(word)") }
    }

    func document() throws(Failure) -> JSONValue {
        [
            "plan": true,
            "processes": .integer(Int64(preview.members.count)),
            "untrustedPins": try JSONEncoding.value(of: session.pin),
            "untrustedPreview": try JSONEncoding.value(of: preview),
        ]
    }
}
