import Base
import Casework
import Kernel

/// What the case says that Quell holds of a session elsewhere, or why that is not known. A journal that does not hold or
/// does not answer never forbids containment (RT12), but what is done without it is not whole.
struct KnownHold {
    /// What is held; `nil` when nothing is, and when it is not known.
    let held: HeldSession?
    /// One line for the result, when it is not known.
    let unknown: String?

    /// Asks the journal. Without a case `reason` says why there is none; `nil` means that nothing was ever held.
    init(of pin: SessionPin, in home: Case?, because reason: String?, on host: Host) {
        guard let home else {
            held = nil
            unknown = reason.map(KnownHold.line)
            return
        }
        do throws(Failure) {
            held = try HeldSession(actingOn: pin, in: home, on: host)
            unknown = nil
        } catch {
            held = nil
            unknown = KnownHold.line(error.description)
        }
    }

    private static func line(_ reason: String) -> String { "what Quell holds of it elsewhere is not known: \(reason)" }
}
