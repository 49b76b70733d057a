public import Base
public import Casework
import Glibc

/// What a run needs beside its graph.
public struct RunContext: Sendable {
    /// The case whose journal is written.
    public var home: Case
    /// The actions.
    public var registry: ActionRegistry
    /// Who acts.
    public var actor: Responder
    /// Why, in the words of the person.
    public var reason: String
    /// The reason for an exception to "evidence before effect", for every action of the run that needs one.
    public var waiver: String?
    /// Verifies a capture's bundle again, from disk, before it may count (RT16).
    public var reverify: @Sendable (CaptureRecord) throws(Failure) -> Void
    /// Who has to approve what, and who may.
    public var approvals: Approvals
    /// The wall clock.
    public var clock: Clock
    /// Ends the run early.
    public var cancellation: Cancellation
    /// Gets what happens.
    public var observe: @Sendable (RunEvent) -> Void

    /// Takes what has no sensible default; the rest may be set afterwards. Without a `reverify` no capture counts.
    public init(
        _ home: Case,
        _ registry: ActionRegistry,
        by actor: Responder,
        reason: String = "",
        waiver: String? = nil,
        reverify: @escaping @Sendable (CaptureRecord) throws(Failure) -> Void = RunContext.noCaptureCounts
    ) {
        self.home = home
        self.registry = registry
        self.actor = actor
        self.reason = reason
        self.waiver = waiver
        self.reverify = reverify
        approvals = .none
        clock = .system
        cancellation = Cancellation()
        observe = { _ in }
    }

    /// Refuses every capture.
    public static let noCaptureCounts: @Sendable (CaptureRecord) throws(Failure) -> Void = { record throws(Failure) in
        throw Failure(.refused, "count the capture", on: record.bundle, because: "nothing verifies bundles here")
    }
}

extension RunContext {
    /// Asks the gate which capture permits `descriptor` on `pins` now, as the journal has it. Nothing is done.
    ///
    /// - Throws: `notVerified` when the journal does not hold, `refused` with the reason why no capture counts.
    public func captureThatCounts(
        for descriptor: ActionDescriptor,
        on pins: [SessionPin]
    ) throws(Failure) -> CaptureRecord? {
        let gate = Gate(home: home, reverify: reverify)
        let permit = try gate.permit(descriptor, rule: descriptor.evidence, on: pins, for: Asker(run: "", step: ""))
        guard case .capture(let capture) = permit.basis else { return nil }
        return capture
    }

    /// Asks for approvals in this context.
    var approvalCheck: ApprovalCheck {
        ApprovalCheck(home: home, approvals: approvals, actor: actor, reason: reason, clock: clock)
    }

    /// Old intents and effects name processes and cgroups by numbers that hold for one life of one machine (RT20).
    func requireSameHost(_ attempt: String) throws(Failure) {
        let opened = try home.opening().host
        guard opened == home.host else {
            throw Failure(
                .refused,
                attempt,
                on: home.id.text,
                because: opened.machine == home.host.machine
                    ? "the machine was restarted since it was opened" : "it was opened on another machine"
            )
        }
    }
}

/// Names of runs.
enum RunID {
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    /// `run-` and 30 random bits.
    static func fresh() -> String {
        "run-" + String((0..<6).compactMap { _ in alphabet.randomElement() })
    }
}
