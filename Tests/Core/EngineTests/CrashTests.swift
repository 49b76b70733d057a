import Base
import Casework
import Engine
import Glibc
import Synchronization
import Testing

/// A process is killed at every place where the journal is or was about to be written, and between every effect and its
/// outcome; another one resumes.
@Suite("Crashes")
struct CrashTests {
    /// Everything that a main job has: containment, parallel lanes, a capture, a reference, and what destroys.
    static let graph = StepGraph(
        name: "main-job",
        steps: [
            step("freeze", ["frozen", "stray-1", "stray-2"]),
            step("isolate", ["cut"], after: ["freeze"]),
            step("revoke", ["acl-off", "clients-killed"], after: ["freeze"]),
            step("capture", ["sealed"], after: ["isolate"]),
            step("kill", ["killed-1", "killed-2", "killed-3"], needs: ["capture"]),
            step(
                "tell",
                does: "isolate",
                [],
                needs: ["capture"],
                with: .init(step: "capture", field: "lines"),
                prefix: "told-"
            ),
        ]
    )
    static let effects = [
        "acl-off", "clients-killed", "cut", "frozen", "killed-1", "killed-2", "killed-3", "sealed", "stray-1",
        "stray-2",
        "told-sealed",
    ]

    enum Place: String, Codable, Sendable, CaseIterable { case beforeCommit, afterCommit, afterEffect }

    /// Where a process is killed.
    struct Crash: Codable, Sendable, CustomTestStringConvertible {
        let place: Place
        let position: Int
        var testDescription: String { "\(place.rawValue) \(position)" }
    }

    /// How often the graph commits: `theCount` holds it to the truth.
    static let commits = 26
    static let crashes =
        (0..<commits).flatMap { [Crash(place: .beforeCommit, position: $0), Crash(place: .afterCommit, position: $0)] }
        + (1...effects.count).map { Crash(place: .afterEffect, position: $0) }

    @Test("an undisturbed run commits exactly as often as there are positions to be killed at")
    func theCount() throws {
        try Scene.play { scene in
            let counter = Counter()
            let fault = JournalFault(beforeCommit: { _ in counter.count.add(1, ordering: .relaxed) })
            let result = try Runner(scene.context(scene.home(fault))).run(Self.graph)
            #expect(result.outcome == .done)
            #expect(scene.world.lines.sorted() == Self.effects)
            #expect(counter.count.load(ordering: .relaxed) == Self.commits)
        }
    }

    @Test(
        "killed anywhere, a run resumes, the journal verifies, and every effect was done exactly once",
        arguments: crashes
    )
    func everywhere(crash: Crash) async throws {
        let scene = try Scene.make()
        defer { remove(scene.folder) }
        let folder = String(decoding: scene.folder.bytes, as: UTF8.self)
        await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String, crash = crash as Crash] in
            let scene = Scene(folder: BytePath(folder), caseID: try #require(CaseID("case-1")))
            try CrashTests.runAndDie(scene, crash.place, crash.position)
        }
        try resume(scene, crash.testDescription)
    }

    static func runAndDie(_ scene: Scene, _ place: Place, _ position: Int) throws {
        let die: @Sendable (Int) -> Void = { number in if number == position { kill(getpid(), SIGKILL) } }
        let fault =
            switch place {
            case .beforeCommit: JournalFault(beforeCommit: die)
            case .afterCommit: JournalFault(afterCommit: die)
            case .afterEffect: JournalFault.none
            }
        var world = scene.world
        if place == .afterEffect { world.afterEffect = die }
        _ = try Runner(scene.context(scene.home(fault), world: world)).run(graph)
    }

    private func resume(_ scene: Scene, _ what: String) throws {
        let home = try scene.home()
        let recovery = try Recovery(scene.context(home))
        let results = try recovery.resume()
        if results.isEmpty {
            // Killed before the run was on record: nothing may have happened. Or after its last entry.
            let isEnded = try !home.journal.notes(about: "run-ended").isEmpty
            #expect(scene.world.lines.isEmpty || isEnded, "\(what)")
        } else {
            #expect(results.map(\.outcome) == [.done], "\(what): \(results.flatMap(\.steps))")
        }
        if !scene.world.lines.isEmpty { #expect(scene.world.lines.sorted() == Self.effects, "\(what)") }
        let verification = try home.journal.verify()
        #expect(verification.problems == [], "\(what)")
        #expect(try recovery.unfinishedRuns().isEmpty, "\(what)")
        #expect(try recovery.resume().isEmpty, "\(what)")
    }
}

final class Counter: Sendable {
    let count = Atomic<Int>(0)
}
