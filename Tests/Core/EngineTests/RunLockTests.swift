import Base
import Casework
import Engine
import Glibc
import Testing

@Suite("A run that goes on is not resumed")
struct RunLockTests {
    private static let graph = StepGraph(name: "g", steps: [step("isolate", ["a"]), step("revoke", ["b"])])

    @Test("resume refuses while a process is at the run and names it; after kill -9 it goes on")
    func liveRun() async throws {
        let scene = try Scene.make()
        defer { remove(scene.folder) }
        let folder = String(decoding: scene.folder.bytes, as: UTF8.self)
        async let end: Void = RunLockTests.runUntilKilled(folder)
        let pid = try await scene.pidInWorld()
        let context = try scene.context(scene.home())
        let run = try #require(try Recovery(context).unfinishedRuns().first)
        #expect(try context.home.holder(ofRun: run)?.pid == pid)
        let failure = #expect(throws: Failure.self) { _ = try Recovery(context).resume() }
        #expect(failure?.code == .refused)
        #expect(failure?.subject == run)
        #expect(failure?.reason == "process \(pid) is at it now")
        kill(pid, SIGKILL)
        await end
        #expect(try context.home.holder(ofRun: run) == nil)
        #expect(try Recovery(context).resume().map(\.outcome) == [.done])
        #expect(scene.world.lines.count { $0 == "a" } == 1)
        #expect(try Recovery(context).unfinishedRuns().isEmpty)
    }

    /// A process that stops for ever right behind its first effect.
    private static func runUntilKilled(_ folder: String) async {
        await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
            let scene = Scene(folder: BytePath(folder), caseID: try #require(CaseID("case-1")))
            var world = scene.world
            world.afterEffect = { _ in
                scene.tellPid()
                while true { pause() }
            }
            _ = try Runner(scene.context(scene.home(), world: world)).run(RunLockTests.graph)
        }
    }

    @Test("a lock is had once, asked about without being taken, and gone with its file when it is given back")
    func lock() throws {
        try Scene.play { scene in
            let home = try scene.home()
            #expect(try home.holder(ofRun: "run-1") == nil)
            let lock = try home.lock(run: "run-1", to: "try")
            for _ in 0..<2 { #expect(try home.holder(ofRun: "run-1")?.pid == getpid()) }
            #expect(throws: Failure.self) { _ = try home.lock(run: "run-1", to: "try") }
            _ = try home.lock(run: "run-2", to: "try")
            lock.release()
            #expect(try home.holder(ofRun: "run-1") == nil)
            #expect(throws: Failure.self) { _ = try home.lock(run: "../run-1", to: "try") }
            _ = try home.lock(run: "run-1", to: "try")
            let left = home.folder.appending("runs").withCString { rmdir($0) }
            #expect(left == 0, "no file is left in the folder of the locks")
        }
    }

    @Test("whoever runs holds the lock until the end, for graphs, single actions and undo", arguments: 0..<3)
    func held(way: Int) throws {
        try Scene.play { scene in
            let home = try scene.home()
            var world = scene.world
            world.afterEffect = { _ in
                // Asked on the action's own thread, while it acts.
                do {
                    for run in try Recovery(scene.context(scene.home())).unfinishedRuns()
                    where try home.holder(ofRun: run)?.pid == getpid() { scene.tellPid() }
                } catch { Issue.record(error) }
            }
            let context = try scene.context(home, world: world)
            switch way {
            case 0: _ = try Runner(context).run(Self.graph)
            case 1: _ = Single(in: home, by: Scene.person).run(Fake<Isolate>(world: world), .init(lines: ["a"]))
            default:
                let run = try Runner(scene.context(home)).run(Self.graph).run
                _ = try UndoRun(context).undo(run)
            }
            #expect(scene.toldPid == getpid())
            for history in try home.journal.notes(about: "run-started") {
                #expect(try home.holder(ofRun: try #require(history.run)) == nil)
            }
        }
    }
}

extension Scene {
    private var pidFile: BytePath { folder.appending("pid") }

    fileprivate func tellPid() {
        let file = pidFile.withCString { open($0, O_WRONLY | O_CREAT, 0o600) }
        let text = Array("\(getpid())\n".utf8)
        _ = write(file, text, text.count)
        close(file)
    }

    fileprivate var toldPid: Int32? {
        let file = pidFile.withCString { open($0, O_RDONLY) }
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(file, &bytes, bytes.count)
        guard count > 0, bytes[count - 1] == 0x0A else { return nil }
        return Int32(String(decoding: bytes[..<(count - 1)], as: UTF8.self))
    }

    /// Waits until another process has told its pid; long, because the tests share two threads, and because that process is
    /// killed by its pid alone.
    fileprivate func pidInWorld() async throws -> Int32 {
        let deadline = Deadline(after: .seconds(300))
        while !deadline.hasPassed {
            if let pid = toldPid { return pid }
            try await Task.sleep(for: .milliseconds(5))
        }
        return try #require(toldPid, "nobody told a pid")
    }
}
