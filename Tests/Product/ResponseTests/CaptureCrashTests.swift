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

@Suite("what stands where a capture was to go")
struct ForeignDestinationTests {
    /// A case with a note of its first bundle, as a crash leaves it, and a capture that another case sealed.
    private func scene(
        _ temporary: TemporaryStore,
        withKey hasKey: Bool
    ) throws -> (home: Case, other: Case, strange: BytePath) {
        let home = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        let other = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        try home.makeBundlesFolder()
        let session = SessionReference(locator: .pid(4_194_303), pin: try Crash.pin())
        let result = Single(in: other, by: .quell).run(
            CaptureAction(try temporary.workplace(of: other, hasKey: hasKey)),
            CaptureAction.Input(session: session, profile: "volatile")
        )
        #expect(try other.captures().count == 1, "\(result.step.reasons)")
        return (home, other, other.bundles.appending("\(other.id)-1"))
    }

    @Test("a consistent bundle of another case, or by another key, is never taken for the one that was to go there")
    func strange() throws {
        let temporary = try TemporaryStore()
        let (home, _, strange) = try scene(temporary, withKey: true)
        let shelf = BundleShelf(home)
        let name = shelf.name(1)
        #expect(throws: Failure.self) { try shelf.verified(name, at: strange, key: temporary.store.key) }
        let away = temporary.root.appending("away")
        #expect(away.withCString { mkdir($0, 0o700) } == 0)
        let place = BundlePlace(try CaptureDestination("\(away)") { $0 }, name)
        try place.note(name, in: home)
        let at = away.appending(name)
        #expect(strange.withCString { from in at.withCString { rename(from, $0) } } == 0)
        let action = CaptureAction(try temporary.workplace(of: home))
        let effect = CaptureAction.Effect.send(bundle: name, to: place.words)
        let state = try action.probe(effect, in: Scope(deadline: Deadline(after: .seconds(60))))
        #expect(state == .notDone)
    }

    @Test("a bundle that the store's key did not sign is not its own, though all of it holds")
    func unsigned() throws {
        let temporary = try TemporaryStore()
        let (_, other, _) = try scene(temporary, withKey: false)
        let own = BundleShelf(other)
        #expect(throws: Failure.self) { try own.verified(own.name(1), key: temporary.store.key) }
        #expect(try own.verified(own.name(1), key: nil).statement.name == own.name(1))
    }

    @Test("a note that a full disk cut keeps its number and stops no capture")
    func cutNote() throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        try home.makeBundlesFolder()
        let shelf = BundleShelf(home)
        let note = home.bundles.appending("\(shelf.name(7)).elsewhere")
        let file = note.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL, 0o600) }
        #expect(file >= 0 && close(file) == 0)
        #expect(try BundlePlace.noted(shelf.name(7), in: home) == nil)
        let session = SessionReference(locator: .pid(4_194_303), pin: try Crash.pin())
        let result = Single(in: home, by: .quell).run(
            CaptureAction(try temporary.workplace(of: home)),
            CaptureAction.Input(session: session, profile: "volatile")
        )
        #expect(try home.captures().map(\.bundle) == [shelf.name(8)], "\(result.step.reasons)")
    }

    @Test("limits at which nothing could be read, or longer than a capture may take, are usage")
    func limits() throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(about: [try Crash.pin()], by: .quell)
        let session = SessionReference(locator: .pid(4_194_303), pin: try Crash.pin())
        for (seconds, rate) in [(0, nil), (-1, nil), (21_601, nil), (.max, nil), (nil, 0)] as [(Int64?, UInt64?)] {
            let input = CaptureAction.Input(session: session, profile: "volatile", maxSeconds: seconds, rate: rate)
            let result = Single(in: home, by: .quell).run(CaptureAction(try temporary.workplace(of: home)), input)
            #expect(result.step.state == .failed, "\(seconds ?? -7) \(rate ?? 7)")
        }
        #expect(try home.captures().isEmpty)
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
