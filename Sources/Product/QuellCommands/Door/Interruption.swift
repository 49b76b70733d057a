import Engine
import Glibc

/// Ctrl-C: the first one starts no new work and seals what there is, the second one stops at once; open intents then wait
/// for `quell resume`. Containment is never taken back by it (RT2).
enum Interruption {
    /// Cancelled by the first SIGINT or SIGTERM after ``listen()``.
    static let cancellation = Cancellation()

    /// Starts to listen. Only for commands that take long: the verbs that stop an agent are over before anybody can
    /// change their mind.
    static func listen() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interruption.cancellation.cancel()
                signal(number, SIG_DFL)
            }
        }
    }
}
