import Base
import Glibc

/// Ends the process at once, without exit handlers: threads of ours may be in the middle of a library that a handler would
/// take down under them, because a store that does not answer holds its writer. Nothing waits in a buffer: what a command
/// says is written when it is said. Source: _exit(2), OPENSSL_cleanup(3).
func leave(with outcome: Outcome) -> Never {
    _exit(outcome.rawValue)
}
