import Base
import Documents
import Glibc
import Testing

@Suite("Files that only trusted users can write")
struct TrustedFileTests {
    @Test("RT21 a file in a folder of our own is read")
    func trusted() throws {
        let folder = try Folder()
        try folder.write("agents.yaml", "agents: []", mode: 0o644)
        #expect(try TrustedFile.read(folder.path("agents.yaml"), owners: folder.owners) == Array("agents: []".utf8))
        #expect(try TrustedFile.names(in: folder.path(""), owners: folder.owners) == [BytePath("agents.yaml")])
    }

    @Test("RT21 a file or a folder that others can write is refused")
    func writable() throws {
        let folder = try Folder()
        try folder.write("agents.yaml", "", mode: 0o666)
        expect(folder.path("agents.yaml"), folder, "others than its owner can write it")
        try folder.write("group.yaml", "", mode: 0o664)
        expect(folder.path("group.yaml"), folder, "others than its owner can write it")
        mkdir(folder.text + "/open", 0o777)
        chmod(folder.text + "/open", 0o777)
        try folder.write("open/agents.yaml", "", mode: 0o600)
        expect(folder.path("open/agents.yaml"), folder, "others than its owner can write it")
    }

    @Test("RT21 a relative path is refused, whatever the working directory is")
    func relative() throws {
        let folder = try Folder()
        let reason = "the path is not absolute, and the working directory decides nothing here"
        expect(BytePath("agents.yaml"), folder, reason)
    }

    @Test("RT35 a symbolic link is refused, as the file and on the way")
    func links() throws {
        let folder = try Folder()
        try folder.write("real.yaml", "", mode: 0o644)
        symlink("real.yaml", folder.text + "/link.yaml")
        symlink(folder.text, folder.text + "/way")
        expect(folder.path("link.yaml"), folder, "it is a symbolic link")
        expect(folder.path("way/real.yaml"), folder, "it is a symbolic link")
        expect(folder.path("../x"), folder, "the path has . or .. in it")
    }

    @Test("RT21 an owner who is not trusted is refused")
    func owner() throws {
        let folder = try Folder()
        try folder.write("agents.yaml", "", mode: 0o644)
        let failure = #expect(throws: Failure.self) {
            try TrustedFile.read(folder.path("agents.yaml"), owners: TrustedOwners([4_000_000]))
        }
        #expect(failure?.code == .refused && failure?.subject == "/")
    }

    @Test("a missing file is not found; a folder, a FIFO and a big file are no configuration")
    func otherThings() throws {
        let folder = try Folder()
        let missing = #expect(throws: Failure.self) {
            try TrustedFile.read(folder.path("none"), owners: folder.owners)
        }
        #expect(missing?.code == .notFound && missing?.errno == ENOENT)
        mkfifo(folder.text + "/pipe", 0o600)
        expect(folder.path("pipe"), folder, "it is not a regular file")
        expect(folder.path(""), folder, "it is not a regular file")
        try folder.write("big", String(repeating: "x", count: 11), mode: 0o600)
        let big = #expect(throws: Failure.self) {
            try TrustedFile.read(folder.path("big"), owners: folder.owners, limit: 10)
        }
        #expect(big?.code == .malformed)
    }

    private func expect(
        _ path: BytePath,
        _ folder: Folder,
        _ reason: String,
        at location: SourceLocation = #_sourceLocation
    ) {
        let failure = #expect(throws: Failure.self, sourceLocation: location) {
            try TrustedFile.read(path, owners: folder.owners)
        }
        #expect(failure?.code == .refused && failure?.reason == reason, sourceLocation: location)
    }
}

/// A folder in /tmp of our own, removed at the end.
private final class Folder {
    let text: String
    let owners = TrustedOwners([0, geteuid()])

    struct Problem: Error {}

    init() throws {
        var template = Array("/tmp/quell-documents-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Problem() }
        text = String(cString: made)
    }

    deinit {
        for name in [
            "open/agents.yaml", "open", "agents.yaml", "group.yaml", "real.yaml", "link.yaml", "way", "pipe", "big",
        ] {
            remove("\(text)/\(name)")
        }
        rmdir(text)
    }

    func path(_ name: String) -> BytePath { name.isEmpty ? BytePath(text) : BytePath(text).appending(name) }

    func write(_ name: String, _ contents: String, mode: mode_t) throws {
        let file = open("\(text)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw Problem() }
        defer { close(file) }
        fchmod(file, mode)
        _ = Glibc.write(file, contents, contents.utf8.count)
    }
}
