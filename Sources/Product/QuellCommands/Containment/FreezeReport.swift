import Base
import Casework
import Containment
import Kernel
import Response
import Sessions

/// What a person and a program are told of a freeze.
struct FreezeReport {
    let session: Session
    let result: FreezeResult
    /// When the command was entered, CLOCK_MONOTONIC nanoseconds: what came before the freeze counts as well.
    let startedAt: UInt64
    /// Whether peers were to be held.
    var wantsPeers = false

    /// The result in a line: told first, and alone while Quell still looks around.
    func tellWord(_ telling: Teller) {
        let terminal = telling.terminal
        let word = result.word == .confirmed ? terminal.good(result.word.rawValue) : terminal.bad(result.word.rawValue)
        let processes = Words.count(result.processes, "process", "processes")
        let threads = Words.count(result.threads, "thread", "threads")
        telling.result("freeze \(word): \(processes), \(threads) of \(session.locator)\(spans)")
    }

    /// Everything but the word.
    func tellRest(_ telling: Teller) {
        telling.say("pinned       \(Words.pin(session.pin))")
        for shortfall in FreezeWords.shortfalls(of: result) { telling.result("not held     \(shortfall)") }
        if let inside = result.inside { telling.say("inside       \(Escaped.terminal(inside.text))") }
        tellProcesses(telling)
        tellCut(telling)
        // What failed beside a freeze that is confirmed is no shortfall of it.
        let beside = result.word == .confirmed ? result.failures : []
        let notes = (session.failures + beside).map(\.description) + result.notes
        for note in notes { telling.say("note         \(Escaped.terminal(note))") }
    }

    /// How long it took, from the moment at which the command was entered.
    var spans: String {
        guard result.word != .failed else { return "" }
        var parts: [String] = []
        if let frozen = result.times.frozen {
            parts.append("frozen after \(Words.span(Monotonic.span(from: startedAt, to: frozen)))")
        }
        if let proven = result.times.proven {
            parts.append("proven after \(Words.span(Monotonic.span(from: startedAt, to: proven)))")
        }
        return parts.isEmpty ? "" : "; " + parts.joined(separator: ", ")
    }

    private func tellProcesses(_ telling: Teller) {
        var table = CompanyTable()
        table.add(strays: result.strays.filter(\.isHeld), called: "stray held")
        table.add(listed: result.listed)
        table.add(guests: result.guests, spared: "; moved aside, and runs")
        table.add(peers: result.surroundings?.peers ?? [], offers: !wantsPeers)
        for line in table.lines { telling.say(line) }
        for supervisor in result.supervisors where supervisor.isHeld {
            let pid = supervisor.process.map { " \($0.pid)" } ?? ""
            telling.say("restart held\(pid) \(supervisor.name): \(Escaped.terminal(supervisor.detail))")
        }
        if let surroundings = result.surroundings {
            for line in ServiceLines.lines(of: surroundings) { telling.say(line) }
        }
    }

    private func tellCut(_ telling: Teller) {
        guard let cut = result.cut else { return telling.say("network      not cut") }
        for drop in cut.drops { telling.say("network      dropped for \(drop.group.path)") }
        for text in cut.notReached { telling.say("not reached  \(Escaped.terminal(text))") }
        for failure in cut.failures { telling.warnAbout(failure) }
    }

    /// Which case has it, and what comes next.
    func tellCase(_ home: Case?, _ keeping: ContainmentJournal.Keeping, _ telling: Teller) {
        ContainmentVerb.tell(home, keeping, telling)
        guard let home else { return }
        let next = session.commandWord.map { "capture \($0) --case \(home.id)" } ?? "status \(home.id)"
        telling.say("next         quell \(next)")
    }

    func document(
        in home: Case?,
        _ keeping: ContainmentJournal.Keeping,
        _ refusal: Failure?
    ) throws(Failure) -> JSONValue {
        var object = JSONObject()
        object["word"] = .string(result.word.rawValue)
        object["case"] = home.map { .string($0.id.text) } ?? .null
        object["record"] = if case .emergencyRecord = keeping { "emergency" } else { "journal" }
        object["namedCaseRefused"] = refusal.map { .string($0.description) }
        object["processes"] = .integer(Int64(result.processes))
        object["threads"] = .integer(Int64(result.threads))
        object["untrustedPins"] = try JSONEncoding.value(of: session.pin)
        object["startedAt"] = .integer(Int64(clamping: startedAt))
        object["frozenAt"] = Monotonic.nanoseconds(of: result.times.frozen)
        object["provenAt"] = Monotonic.nanoseconds(of: result.times.proven)
        object["untrustedResult"] = try JSONEncoding.value(of: result)
        return .object(object)
    }
}

extension Session {
    /// A locator for suggested commands, made of ids only (RT14); `nil` where only a path names the session.
    var commandWord: String? {
        if let agent { return "agent:\(agent.name)" }
        return leader.map { "pid:\($0.pin.pid)" }
    }
}

/// Moments of the wall clock on CLOCK_MONOTONIC, for comparing with other programs' stamps.
enum Monotonic {
    /// Nanoseconds; `null` for a moment that never came.
    static func nanoseconds(of instant: Instant?) -> JSONValue {
        instant.map { .integer(stamp(of: $0)) } ?? .null
    }

    /// From a stamp to a moment.
    static func span(from stamp: UInt64, to instant: Instant) -> Duration {
        .nanoseconds(self.stamp(of: instant) - Int64(clamping: stamp))
    }

    private static func stamp(of instant: Instant) -> Int64 {
        Int64(clamping: Deadline.monotonicNow()) - Instant.now().since(instant).wholeNanoseconds
    }
}
