import Base
import Casework
import Engine
import Glibc
import Sealing
import Testing

/// A store with one case and a fake world in a folder of its own.
struct Scene: Sendable {
    let folder: BytePath
    let caseID: CaseID

    static let person = Responder("ada", by: .stated)
    static let host = HostIdentity(machine: "m1", bootID: "boot-1")

    /// Makes the folder; `body` gets the scene, and the folder is gone afterwards.
    static func play<Result>(_ body: (Scene) throws -> Result) throws -> Result {
        let scene = try make()
        defer { remove(scene.folder) }
        return try body(scene)
    }

    /// Makes a scene that the caller removes.
    static func make() throws -> Scene {
        var template = Array("/tmp/quell-engine-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = BytePath(template.map { UInt8(bitPattern: $0) })
        _ = try CaseStore.initialise(at: folder.appending("store"))
        let caseID = try #require(CaseID("case-1"))
        let scene = Scene(folder: folder, caseID: caseID)
        _ = try scene.store().create(caseID, about: [fakePin(inode: 7)], by: person)
        return scene
    }

    /// The scene in another process.
    init(folder: BytePath, caseID: CaseID) {
        self.folder = folder
        self.caseID = caseID
    }

    var world: FakeWorld { FakeWorld(path: folder.appending("world")) }

    func store(_ fault: JournalFault = .none, host: HostIdentity = Scene.host) throws -> CaseStore {
        let root = folder.appending("store")
        return CaseStore(at: root, host: host, key: try CaseStore.loadKey(in: root), spools: nil).with(fault)
    }

    func home(_ fault: JournalFault = .none, host: HostIdentity = Scene.host) throws -> Case {
        try store(fault, host: host).open(caseID)
    }

    /// The case as a store with another key sees it.
    func homeWithoutItsKey() throws -> Case {
        let root = folder.appending("store")
        return try CaseStore(at: root, host: Scene.host, key: try SigningKey.generate(), spools: nil).open(caseID)
    }

    /// A context with all fake actions on one world; captures verify.
    func context(_ home: Case, world: FakeWorld? = nil) throws -> RunContext {
        let world = world ?? self.world
        var registry = ActionRegistry()
        try registry.register(Fake<Freeze>(world: world))
        try registry.register(Fake<Isolate>(world: world))
        try registry.register(Fake<Look>(world: world, capture: fakeCapture()))
        try registry.register(Fake<Revoke>(world: world))
        try registry.register(Fake<Thaw>(world: world))
        try registry.register(Fake<Kill>(world: world))
        return RunContext(home, registry, by: Scene.person) { _ in }
    }
}

func step(
    _ id: String,
    does action: String? = nil,
    _ lines: [String],
    needs: [String] = [],
    after: [String] = [],
    with reference: OutputReference? = nil,
    prefix: String? = nil,
    when: Condition? = nil,
    timeout: Duration? = nil,
    retries: Int = 0,
    onFailure: StepGraph.OnFailure = .continue
) -> StepGraph.Step {
    var parameters: JSONValue = ["lines": .array(lines.map(JSONValue.string))]
    if var object = parameters.object {
        if let reference { object["lines"] = reference.json }
        if let prefix { object["prefix"] = .string(prefix) }
        parameters = .object(object)
    }
    return StepGraph.Step(
        id: id,
        action: action ?? id,
        parameters: parameters,
        needs: needs,
        after: after,
        when: when,
        timeout: timeout,
        retries: retries,
        onFailure: onFailure
    )
}

/// Removes a tree that we made.
func remove(_ folder: BytePath) {
    if let stream = folder.withCString({ opendir($0) }) {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) }
            if name == BytePath(".") || name == BytePath("..") { continue }
            let path = folder.appending(name)
            if path.withCString({ unlink($0) }) != 0 { remove(path) }
        }
        closedir(stream)
    }
    _ = folder.withCString { rmdir($0) }
}
