import Base
import Casework
import Engine

/// What makes one fake action differ from another.
protocol FakeKind: Sendable {
    static var descriptor: ActionDescriptor { get }
}

/// An action that writes lines into a fake world.
struct Fake<Kind: FakeKind>: Action {
    struct Input: Codable, Sendable {
        var lines: [String]
        var prefix: String?
    }
    struct Output: Codable, Sendable, SealedCapture {
        var lines: [String]
        var capture: CaptureRecord?
    }
    enum Effect: Codable, Hashable, Sendable {
        case write(String)
        case erase(String)
    }

    var world: FakeWorld
    var pins = [Fake.pin]
    var capture: CaptureRecord?
    /// Runs before the effects, with the scope of the step.
    var before: @Sendable (Scope) throws(Failure) -> Void = { _ in }
    /// What a probe says instead of the truth.
    var probeSays: EffectState?
    var verdict = Verdict.holds
    var canUndo = true
    /// What happened outside since a capture.
    var sinceCapture: @Sendable (CaptureRecord) throws(Failure) -> Void = { _ in }
    /// Lines that the world refuses, in one batch with the others.
    var refused: Set<String> = []

    static var descriptor: ActionDescriptor { Kind.descriptor }

    func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Input> {
        Observation(target: input, pins: pins, decisions: input.lines.map { "write \($0)" })
    }

    func plan(_ input: Input, from seen: Observation<Input>) -> Plan<Input, Effect> {
        Plan(target: seen.target, effects: input.lines.map { Effect.write((input.prefix ?? "") + $0) })
    }

    /// The first line by itself, the rest in one batch.
    func perform(
        _ plan: Plan<Input, Effect>,
        permit: borrowing Permit,
        log: EffectLog<Effect>,
        in scope: Scope
    ) throws(Failure) -> Output {
        try before(scope)
        try scope.check("write the lines", on: "world")
        if let first = plan.effects.first { try log.apply(first) { () throws(Failure) in try write(first) } }
        try log.applyEach(Array(plan.effects.dropFirst())) { (rest: [Effect]) throws(Failure) in
            var missed: [Effect: Failure] = [:]
            for effect in rest {
                if case .write(let line) = effect, refused.contains(line) {
                    missed[effect] = Failure(.notPermitted, "write the line", on: line, because: "refused")
                } else {
                    try write(effect)
                }
            }
            return missed
        }
        return Output(lines: plan.target.lines, capture: capture)
    }

    func confirm(_ capture: CaptureRecord, of pins: [SessionPin]) throws(Failure) { try sinceCapture(capture) }

    private func write(_ effect: Effect) throws(Failure) {
        switch effect {
        case .write(let line): try world.add(line)
        case .erase(let line): try world.add("not " + line)
        }
    }

    func probe(_ effect: Effect, in scope: Scope) throws(Failure) -> EffectState {
        if let probeSays { return probeSays }
        let lines = world.lines
        switch effect {
        case .write(let line): return lines.contains(line) && !lines.contains("not " + line) ? .done : .notDone
        case .erase(let line): return lines.contains("not " + line) ? .done : .notDone
        }
    }

    func undo(_ effect: Effect) -> Undo<Effect>? {
        guard canUndo, case .write(let line) = effect else { return nil }
        return Undo(.erase(line)) { [world] _ throws(Failure) in try world.add("not " + line) }
    }

    func verify(_ output: Output, in scope: Scope) throws(Failure) -> Verdict { verdict }
}

extension Fake {
    /// The session that all fakes are about.
    static var pin: SessionPin { fakePin(inode: 7) }
}

func fakePin(inode: UInt64) -> SessionPin {
    let cgroup = CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: inode)
    return SessionPin(bootID: "boot-1", cgroups: [cgroup], leader: ProcessPin(pid: Int32(inode), startTicks: inode))
}

func fakeCapture(
    _ profile: CaptureRecord.Profile = .standard,
    pin: SessionPin = fakePin(inode: 7),
    purpose: CaptureRecord.Purpose = .incident,
    isComplete: Bool = true
) -> CaptureRecord {
    guard let root = Digest(bytes: [UInt8](repeating: 9, count: 32)) else { preconditionFailure("32 bytes") }
    return CaptureRecord(
        bundle: "b1",
        root: root,
        pins: [pin],
        profile: profile,
        purpose: purpose,
        isComplete: isComplete
    )
}

private let linesInput = [
    Field("lines", .list, "the lines to write"), Field("prefix", .text, isRequired: false, "stands before each"),
]
private let linesOutput = [Field("lines", .list, "the lines written")]

private func descriptor(
    _ name: String,
    _ nature: Nature,
    _ lane: Lane,
    _ evidence: EvidenceRule? = nil,
    _ hold: HoldChange = .keeps
) -> ActionDescriptor {
    ActionDescriptor(
        name: name,
        summary: "write lines",
        nature: nature,
        lane: lane,
        deadline: .seconds(10),
        evidence: evidence,
        hold: hold,
        inputs: linesInput,
        outputs: linesOutput
    )
}

enum Freeze: FakeKind {
    static let descriptor = EngineTests.descriptor("freeze", .contains, .containment, nil, .begins)
}
enum Isolate: FakeKind { static let descriptor = EngineTests.descriptor("isolate", .contains, .containment) }
enum Look: FakeKind { static let descriptor = EngineTests.descriptor("capture", .reads, .capture) }
enum Revoke: FakeKind {
    static let descriptor = EngineTests.descriptor("revoke", .alters, .network, .stateInIntents)
}
enum Thaw: FakeKind { static let descriptor = EngineTests.descriptor("thaw", .alters, .containment, nil, .ends) }
enum Kill: FakeKind { static let descriptor = EngineTests.descriptor("kill", .destroys, .containment, nil, .ends) }
