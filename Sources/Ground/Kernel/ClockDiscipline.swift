public import Base
internal import CLinux
import Glibc

/// How well the kernel says that the wall clock is kept (adjtimex(2)).
public struct ClockDiscipline: Hashable, Sendable {
    /// Whether something disciplines the clock at present.
    public let isSynchronised: Bool
    /// What is still to be corrected.
    public let offset: Duration
    /// The bound of the error, as the disciplining program set it.
    public let maximumError: Duration
    /// The estimate of the error.
    public let estimatedError: Duration

    /// Reads the state and changes nothing.
    ///
    /// - Throws: `system` when the kernel refuses.
    public static func now() throws(Failure) -> ClockDiscipline {
        var state = clinux_clock_state()
        guard clinux_clock_read(&state) == 0 else {
            throw Failure(errno: errno, "read the clock's discipline", on: BytePath("adjtimex"))
        }
        return ClockDiscipline(
            isSynchronised: state.synchronised != 0,
            offset: .nanoseconds(state.offset_nanoseconds),
            maximumError: .microseconds(state.maximum_error_microseconds),
            estimatedError: .microseconds(state.estimated_error_microseconds)
        )
    }
}
