import Base
import Bundles
import Glibc
import Kernel
import Sealing
import Testing

@testable import Evidence

/// A temporary folder with a workspace in it, and what a capture of it came to.
final class Scene {
    let folder: String
    let workspace: String

    init() throws {
        var template = Array("/tmp/quell-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(errno: errno, "make a folder", on: BytePath("/tmp")) }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        workspace = folder + "/workspace"
        guard mkdir(workspace, 0o755) == 0 else {
            throw Failure(errno: errno, "make a folder", on: BytePath(workspace))
        }
    }

    deinit { _ = run("/bin/rm", "-rf", folder) }

    /// This process, which stands in for a session.
    static func ourselves(marks: [String] = []) throws -> CaptureSubject {
        CaptureSubject(pin: try ProcessDirectory(getpid(), on: Host()).stat().pin, membership: .member, marks: marks)
    }

    /// Runs Python with the workspace as its working directory.
    func python(_ script: String) {
        #expect(
            run("/usr/bin/python3", "-c", "import os,sys,socket,stat\nos.chdir(sys.argv[1])\n" + script, workspace) == 0
        )
    }

    func write(_ name: String, _ content: String) throws {
        let descriptor = open(workspace + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(errno: errno, "make a file", on: BytePath(name)) }
        defer { close(descriptor) }
        #expect(Glibc.write(descriptor, content, content.utf8.count) == content.utf8.count)
    }

    func request(_ profile: CaptureProfile = .standard) -> CaptureRequest {
        var request = CaptureRequest(
            profile: profile,
            locator: BytePath("cgroup:/quell-test"),
            pins: [],
            subjects: [],
            seal: SealParts(
                name: "quell-test-1",
                caseID: "quell-test",
                number: 1,
                purpose: .incident,
                freeze: nil,
                authority: nil,
                tool: SealStatement.Tool(version: "test", digest: nil),
                responder: "tests",
                host: "here"
            )
        )
        request.trees = [PlannedTree(name: "workspace", path: BytePath(workspace), role: .workspace)]
        request.journal = { () throws(Failure) in
            guard let head = Digest(bytes: [UInt8](repeating: 7, count: Digest.length)) else { return nil }
            let checkpoint = SealStatement.Checkpoint(sequence: 3, head: head, note: nil)
            return JournalExtract(lines: Array("{}\n".utf8), checkpoint: checkpoint)
        }
        return request
    }

    func capture(
        _ request: CaptureRequest? = nil,
        as name: String = "bundle",
        control: CaptureControl = CaptureControl(),
        adjust: (inout Acquisition) -> Void = { _ in }
    ) throws -> Captured {
        var acquisition = Acquisition(request ?? self.request(), on: try Host(), control: control)
        adjust(&acquisition)
        let path = BytePath(folder + "/" + name)
        let sealed = try acquisition.capture(to: path, sealedWith: nil)
        return try Captured(sealed, in: self)
    }
}

/// A sealed capture, verified and read back.
struct Captured {
    let sealed: SealedCapture
    let bundle: VerifiedBundle
    /// The lines of data/collection.jsonl but the sum.
    let items: [JSONValue]
    let sum: JSONValue?
    /// Keeps the folder as long as somebody reads from it.
    private let scene: Scene

    init(_ sealed: SealedCapture, in scene: Scene) throws {
        self.scene = scene
        self.sealed = sealed
        switch try UnverifiedBundle(at: sealed.path).verify(VerificationPolicy(trusting: [])) {
        case .consistent(let verified): bundle = verified
        case .wrong(let finding): throw finding
        }
        var lines = try Captured.lines(bundle.bytes(of: PayloadName("data/collection.jsonl"), limit: 1 << 30))
        sum = lines.popLast()
        items = lines
    }

    static func lines(_ bytes: [UInt8]) throws -> [JSONValue] {
        try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONReader.read(Array($0)) }
    }

    func lines(of name: String) throws -> [JSONValue] {
        try Captured.lines(bundle.bytes(of: PayloadName(name), limit: 1 << 30))
    }

    func text(of name: String) throws -> String {
        String(decoding: try bundle.bytes(of: PayloadName(name), limit: 1 << 30), as: UTF8.self)
    }

    /// The item of one object of a root.
    func item(_ path: String, root: String = "workspace") throws -> JSONValue {
        try item(BytePath(path), root: root)
    }

    func item(_ path: BytePath, root: String = "workspace") throws -> JSONValue {
        let wanted = path.json
        let found = items.filter { $0["root"]?.string == root && $0["path"] == wanted && $0["item"]?.string != "tree" }
        try #require(found.count == 1, "\(path) has \(found.count) items")
        return found[0]
    }

    func items(of name: String) -> [JSONValue] { items.filter { $0["item"]?.string == name } }

    /// The archived entries of a root with their content.
    func archive(_ root: String = "workspace") throws -> [(entry: ArchiveEntry, content: [UInt8])] {
        var found: [(ArchiveEntry, [UInt8])] = []
        try bundle.walk(root: root) { entry, content throws(Failure) in
            var bytes: [UInt8] = []
            if case .file(let size, _) = entry.kind, size < 1 << 20 { bytes = try content.bytes() }
            found.append((entry, bytes))
        }
        return found
    }

    /// Whether the sum in the file, in the seal and in the result is the count of the lines.
    func expectBalanced() {
        for outcome in ["collected", "partial", "skipped", "failed"] {
            let count = items.count { $0["outcome"]?.string == outcome }
            #expect(sum?[outcome]?.integer == Int64(count), "\(outcome)")
        }
        #expect(sum?["planned"]?.integer == Int64(items.count))
        #expect(bundle.statement.counts == sealed.counts)
        #expect(sealed.counts.planned == items.count && sealed.counts.addUp)
    }
}

/// Runs a stock program without a shell and gives its exit status.
func run(_ arguments: String...) -> Int32 {
    var process: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    guard posix_spawn(&process, arguments[0], nil, nil, &words, nil) == 0 else { return -1 }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return status
}
