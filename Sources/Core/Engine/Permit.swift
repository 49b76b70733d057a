public import Casework

/// The right to act, made by Engine alone: for what alters or destroys only after the gate found a capture that counts or
/// a waiver in the verified journal. It cannot be copied or kept.
public struct Permit: ~Copyable {
    /// Why the action may go ahead.
    public enum Basis: Sendable {
        /// It reads or contains: nothing is needed.
        case notNeeded
        /// The state before stands in its own intents.
        case stateInIntents
        /// This capture counts.
        case capture(CaptureRecord)
        /// This exception was recorded.
        case waiver(Waiver)
    }

    /// Why the action may go ahead.
    public let basis: Basis

    init(_ basis: Basis) { self.basis = basis }
}
