import Base
import Casework
import Containment
import Engine
import Glibc
import Kernel
import Response
import Sessions

/// Writes the journal that a freeze would leave, and touches nothing.
struct PretendedFreeze: Action {
    struct Input: Codable, Sendable {
        var pin: SessionPin
        var effects: [ContainmentEffect]
        var word: FreezeWord
        /// Whether it ends after the effects, with no word about them.
        var isInterrupted = false
    }

    static let descriptor = ActionDescriptor(
        name: FreezeAction.descriptor.name,
        summary: "pretend",
        nature: .contains,
        lane: .containment,
        deadline: .seconds(5),
        hold: .begins
    )

    func inspect(_ input: Input, in scope: Scope) throws(Failure) -> Observation<Input> {
        Observation(target: input, pins: [input.pin], decisions: [])
    }

    func plan(_ input: Input, from seen: Observation<Input>) -> Plan<Input, ContainmentEffect> {
        Plan(target: input, effects: input.effects)
    }

    func perform(
        _ plan: Plan<Input, ContainmentEffect>,
        permit: borrowing Permit,
        log: EffectLog<ContainmentEffect>,
        in scope: Scope
    ) throws(Failure) -> FreezeAction.Output {
        for effect in plan.effects { try log.apply(effect) { () throws(Failure) in } }
        if plan.target.isInterrupted { throw Failure(.system, "freeze", on: "a session", because: "it is a test") }
        var result = FreezeResult()
        result.word = plan.target.word
        result.members = [ProcessPin(pid: 7, startTicks: 70)]
        return try JSONDecoding.decode(
            FreezeAction.Output.self,
            from: [
                "result": try JSONEncoding.value(of: result), "word": .string(result.word.rawValue), "processes": 1,
            ]
        )
    }

    func probe(_ effect: ContainmentEffect, in scope: Scope) throws(Failure) -> EffectState { .cannotTell }
}

/// A fresh store in a private folder that is gone after the test.
final class TemporaryStore {
    let root: BytePath
    let store: CaseStore

    init() throws {
        var template = "/tmp/quell-response-XXXXXX".utf8.map { CChar(bitPattern: $0) } + [0]
        guard mkdtemp(&template) != nil else {
            throw Failure(errno: errno, "make a folder", on: BytePath("/tmp"))
        }
        root = BytePath(template.map { UInt8(bitPattern: $0) })
        let key = try CaseStore.initialise(at: root)
        store = CaseStore(at: root, host: try HostIdentity.read(), key: key, spools: nil)
    }

    deinit { TemporaryStore.remove(root) }

    /// Where the actions of a case work, with nothing declared.
    func workplace(of home: Case, hasKey: Bool = true) throws -> Workplace {
        Workplace(
            host: try Host(),
            home: home,
            inventory: .empty,
            key: hasKey ? store.key : nil,
            responder: .quell,
            authority: nil,
            version: "test"
        )
    }

    private static func remove(_ path: BytePath) {
        if path.withCString({ unlink($0) }) == 0 { return }
        if let folder = path.withCString({ opendir($0) }) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove(path.appending(name)) }
            }
            closedir(folder)
        }
        _ = path.withCString { rmdir($0) }
    }
}
