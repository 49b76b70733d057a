import Base
import Casework
import Engine
import Kernel
import Playbooks
import Sessions
import Testing

@testable import Response

@Suite("the catalogue of actions")
struct CatalogueTests {
    private static let root = String(#filePath).split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }

    @Test("every action registers: names are free and each asks for the evidence that its nature demands")
    func registers() throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(by: .quell)
        let place = try temporary.workplace(of: home)
        let registry = try ActionCatalogue.registry(at: place)
        #expect(registry.descriptors.map(\.name) == ActionCatalogue.descriptors.map(\.name).sorted())
    }

    @Test("evidence before effect: kill asks for a standard capture, thaw for one, freeze for nothing")
    func evidence() throws {
        let rules = Dictionary(uniqueKeysWithValues: ActionCatalogue.descriptors.map { ($0.name, $0.evidence) })
        #expect(rules["kill"] == .capture(atLeast: .standard))
        #expect(rules["thaw"] == .capture(atLeast: .volatile))
        #expect(rules["release"] == .stateInIntents, "after a thaw no capture counts any more")
        #expect(rules["revoke"] == .stateInIntents)
        #expect(rules["freeze"] == EvidenceRule.none)
        #expect(rules["isolate"] == EvidenceRule.none)
    }

    @Test("what ends a freeze says so, because a capture counts only within one")
    func holds() {
        let holds = Dictionary(uniqueKeysWithValues: ActionCatalogue.descriptors.map { ($0.name, $0.hold) })
        #expect(holds["freeze"] == .begins)
        #expect(holds["thaw"] == .ends)
        #expect(holds["kill"] == .ends)
        #expect(holds["capture"] == .keeps)
    }

    @Test(
        "the shipped playbooks fit the actions of the product",
        arguments: ["contain-rogue-agent", "freeze-and-capture"]
    )
    func shipped(name: String) throws {
        let document = try PlaybookLibrary.read(explicit: BytePath("\(Self.root)/Playbooks/\(name).yaml"))
        let actions = KnownActions(ActionCatalogue.descriptors)
        #expect(document.lint(against: actions).isEmpty)
        let graph = try document.graph(given: ["session": "agent:demo"], actions: actions)
        #expect(graph.steps.first?.action == "freeze")
    }

    @Test("an agent is found for a session by the cgroup that the inventory declares")
    func agentOfPin() throws {
        let record = AgentRecord(name: "demo", locator: .cgroup(BytePath("/agents/a7")))
        let inventory = Inventory(agents: [record])
        let group = CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: 1)
        let other = CgroupPin(hierarchy: "v2", path: BytePath("/agents/a8"), inode: 2)
        #expect(inventory.agent(of: SessionPin(bootID: "b", cgroups: [group], leader: nil))?.name == "demo")
        #expect(inventory.agent(of: SessionPin(bootID: "b", cgroups: [other], leader: nil)) == nil)
    }

    @Test("a number of a bundle is given once, also to two that ask at the same time")
    func shelf() throws {
        let temporary = try TemporaryStore()
        let shelf = BundleShelf(try temporary.store.create(by: .quell))
        let first = try shelf.reserve()
        let second = try shelf.reserve()
        #expect(first != second)
        shelf.release(first)
        shelf.release(second)
        #expect(try shelf.unrecorded().isEmpty)
    }

    @Test("RT31 the number of a bundle stays taken when the bundle was moved away")
    func movedAway() throws {
        let temporary = try TemporaryStore()
        let home = try temporary.store.create(by: .quell)
        let shelf = BundleShelf(home)
        let root = try #require(Digest(bytes: [UInt8](repeating: 3, count: 32)))
        try home.record(
            CaptureRecord(bundle: shelf.name(7), root: root, pins: [], profile: .full, isComplete: true),
            by: .quell
        )
        #expect(try shelf.names().isEmpty)
        #expect(try shelf.reserve() == 8)
        shelf.release(8)
    }
}
