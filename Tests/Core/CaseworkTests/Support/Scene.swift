import Base
import Casework
import Glibc
import Sealing
import Testing

/// A folder with a store in it, gone afterwards.
struct Scene: Sendable {
    let folder: BytePath

    static let person = Responder("ada", by: .stated)
    static let host = HostIdentity(machine: "m1", bootID: "boot-1")
    static let pin = SessionPin(
        bootID: "boot-1",
        cgroups: [CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: 7)],
        leader: ProcessPin(pid: 40, startTicks: 99)
    )

    var root: BytePath { folder.appending("store") }
    var spools: BytePath { folder.appending("run") }

    static func play(_ body: (Scene) throws -> Void) throws {
        var template = Array("/tmp/quell-casework-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let folder = BytePath(template.map { UInt8(bitPattern: $0) })
        defer { removeTree(folder) }
        try body(Scene(folder: folder))
    }

    /// A store with a key.
    func store(
        spools: BytePath? = nil,
        busyTimeout: Duration = .milliseconds(100),
        announce: @escaping @Sendable (SignedNote) -> Void = { _ in }
    ) throws -> CaseStore {
        let key = try CaseStore.initialise(at: root)
        return CaseStore(
            at: root,
            host: Scene.host,
            key: key,
            spools: spools,
            busyTimeout: busyTimeout,
            announce: announce
        )
    }

    /// The store's folder, before `quell init` made its key.
    func makeRoot() throws {
        try #require(root.withCString { mkdir($0, 0o700) } == 0)
    }

    func draft(_ kind: Entry.Kind = .note, _ number: Int64) -> EntryDraft {
        EntryDraft(kind, ["effect": .integer(number), "state": "done"], by: Scene.person, run: "run-1", step: "s")
    }
}

func removeTree(_ folder: BytePath) {
    if let stream = folder.withCString({ opendir($0) }) {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { BytePath($0) }
            if name == BytePath(".") || name == BytePath("..") { continue }
            let path = folder.appending(name)
            if path.withCString({ unlink($0) }) != 0 { removeTree(path) }
        }
        closedir(stream)
    }
    _ = folder.withCString { rmdir($0) }
}

func setMode(_ mode: mode_t, _ path: BytePath) { _ = path.withCString { chmod($0, mode) } }

func mode(_ path: BytePath) -> mode_t? {
    var status = stat()
    guard path.withCString({ lstat($0, &status) }) == 0 else { return nil }
    return status.st_mode & 0o7777
}
