import Base
import Bundles
import Casework
import Engine
import Glibc
import Kernel
import Sealing
import Sessions
import Testing

@testable import Response

@Suite("a capture after a crash")
struct CaptureCrashTests {
    @Test("a bundle that was sealed and not recorded when Quell was killed is taken up, and none is made beside it")
    func takenUp() async throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [root = "\(temporary.root)" as String, id = home.id.text as String] in
            try Crash.capture(root, id)
        }
        let shelf = BundleShelf(home)
        let name = shelf.name(1)
        #expect(try shelf.names().contains(name))
        #expect(try home.captures().isEmpty)
        let sealed = try shelf.verified(name, key: temporary.store.key).root
        let registry = try ActionCatalogue.registry(at: try temporary.workplace(of: home))
        let results = try Recovery(RunContext(home, registry, by: .quell)).resume()
        #expect(results.flatMap(\.steps).map(\.action) == ["capture"])
        #expect(results.flatMap(\.steps).map(\.state.isEnough) == [true])
        #expect(try home.captures().map(\.bundle) == [name])
        #expect(try home.captures().map(\.root) == [sealed])
        #expect(try shelf.names().filter { !$0.hasSuffix(".reserved") } == [name])
        #expect(try shelf.unrecorded().isEmpty)
        #expect(try home.journal.verify().isSound)
    }

    @Test("a bundle that was sealed elsewhere and not recorded when Quell was killed is taken up where it lies")
    func takenUpElsewhere() async throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        let away = temporary.root.appending("away")
        #expect(away.withCString { mkdir($0, 0o700) } == 0)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [root = "\(temporary.root)" as String, id = home.id.text as String] in
            try Crash.capture(root, id, to: "\(root)/away")
        }
        let shelf = BundleShelf(home)
        let name = shelf.name(1)
        #expect(try shelf.unrecordedElsewhere() == [name])
        let registry = try ActionCatalogue.registry(at: try temporary.workplace(of: home))
        let results = try Recovery(RunContext(home, registry, by: .quell)).resume()
        #expect(results.flatMap(\.steps).map(\.state.isEnough) == [true])
        let record = try #require(try home.captures().first)
        #expect(record.bundle == name)
        #expect(try BundlePlace(of: name, in: home).path == away.appending(name))
        let keys = temporary.store.key.map { [$0.verifyingKey] } ?? []
        #expect(try BundleJudge.verify(record, in: home, trusting: keys).root == record.root)
        #expect(try shelf.reserve() == 2, "its number is not given again")
        shelf.release(2)
    }
}

private enum Crash {
    /// A session whose processes have ended: there is little to be read, and nothing of anybody else.
    static func pin() throws -> SessionPin {
        SessionPin(bootID: try Host().bootID, cgroups: [], leader: ProcessPin(pid: 4_194_303, startTicks: 1))
    }

    /// Captures, and dies when the journal is about to be told that the bundle is sealed.
    static func capture(_ root: String, _ id: String, to away: String? = nil) throws {
        let root = BytePath(root)
        let folder = away.map { BytePath($0) } ?? root.appending("cases/\(id)/bundles")
        let seal = folder.appending("\(id)-1/seal.dsse.json")
        let fault = JournalFault(beforeCommit: { _ in
            if seal.withCString({ access($0, F_OK) }) == 0 { kill(getpid(), SIGKILL) }
        })
        let key = try CaseStore.loadKey(in: root)
        let store = CaseStore(at: root, host: try HostIdentity.read(), key: key, spools: nil).with(fault)
        guard let name = CaseID(id) else { exit(70) }
        var place = Workplace(
            host: try Host(),
            home: try store.open(name),
            inventory: .empty,
            key: key,
            responder: .quell,
            authority: nil,
            version: "test"
        )
        if let away { place.destination = try CaptureDestination(away) { $0 } }
        let session = SessionReference(locator: .pid(4_194_303), pin: try pin())
        let result = Single(in: place.home, by: .quell).run(
            CaptureAction(place),
            CaptureAction.Input(session: session, profile: "volatile")
        )
        Issue.record("it was not killed: \(result.step.reasons)")
        exit(71)
    }
}
