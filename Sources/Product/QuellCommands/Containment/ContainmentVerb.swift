import Base
import Casework
import Engine
import Response
import Sessions

/// A verb that contains one session and goes ahead when the store does not answer (RT12): journal, responder, engine.
struct ContainmentVerb {
    let journal: ContainmentJournal
    let reference: SessionReference
    let single: Single
    let wanted: NamedCase

    init(
        _ session: Session,
        _ options: EffectOptions,
        _ bench: Workbench,
        _ environment: Environment
    ) throws(Failure) {
        let actor = environment.responder(options.actor)
        let named = try environment.namedCase(options.case)?.text
        let reason = options.reason
        let wanted = NamedCase(named)
        self.wanted = wanted
        journal = ContainmentJournal(
            about: [session.pin],
            spools: Workbench.spools(of: bench.store.root),
            sink: { line in environment.errors.line(line) }
        ) { () throws(Failure) in
            try wanted.home(at: bench, about: [session.pin], reason: reason, by: actor)
        }
        reference = SessionReference(locator: session.locator, pin: session.pin, agent: session.agent?.name)
        single = Single(containingWith: journal, by: actor, reason: reason ?? "")
    }

    /// Where the record is: the case, or the emergency record.
    func tellCase(_ home: Case?, _ telling: Teller) {
        wanted.tell(home, telling)
        ContainmentVerb.tell(home, journal.keeping, telling)
    }

    /// The same for a report. Why the store did not answer was told when the record began.
    static func tell(_ home: Case?, _ keeping: ContainmentJournal.Keeping, _ telling: Teller) {
        guard let home else {
            return telling.say("case         none yet: the record joins one as soon as the store answers")
        }
        if case .emergencyRecord = keeping { telling.say("record       brought into the case, marked late") }
        telling.say("case         \(Words.name(of: home))")
    }
}
