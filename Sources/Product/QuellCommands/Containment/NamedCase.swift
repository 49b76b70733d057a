import Base
import Casework
import Synchronization

/// The case that a person named for a freeze or a cut. When it cannot be acted in, the session is held all the same, and the
/// person is told so and where the record went.
final class NamedCase: Sendable {
    private let name: String?
    private let problem = Mutex<Failure?>(nil)

    init(_ name: String?) { self.name = name }

    /// Why it is not the one; `nil` when it is, or when none was named.
    var refusal: Failure? { problem.withLock { $0 } }

    /// Opens it, or another one. Called on the thread of the journal.
    func home(
        at bench: Workbench,
        about pins: [SessionPin],
        reason: String?,
        by actor: Responder
    ) throws(Failure) -> Case {
        try bench.home(forContaining: name, about: pins, reason: reason, by: actor) { failure in
            problem.withLock { $0 = failure }
        }
    }

    func tell(_ home: Case?, _ telling: Teller) {
        guard let refusal else { return }
        let place = home.map { "case \($0.id)" } ?? "no case yet"
        telling.warn("\(refusal); the record is in \(place)")
    }
}
