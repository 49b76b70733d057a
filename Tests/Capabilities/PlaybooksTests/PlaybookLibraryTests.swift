import Base
import Documents
import Engine
import Glibc
import Playbooks
import Testing

@Suite("Finding playbooks")
struct PlaybookLibraryTests {
    @Test("RT21 shipped playbooks are found by name in trusted directories, the first directory first")
    func byName() throws {
        let folder = try Folder()
        try folder.write("first/one.yaml", PlaybookLibraryTests.text("one", title: "first"))
        try folder.write("second/one.yaml", PlaybookLibraryTests.text("one", title: "second"))
        try folder.write("second/two.yaml", PlaybookLibraryTests.text("two", title: "second"))
        try folder.write("second/README", "")
        let library = folder.library
        #expect(try library.names() == ["one", "two"])
        #expect(try library.find("one").title == "first")
        #expect(try library.find("two").title == "second")
        let missing = #expect(throws: Failure.self) { try library.find("tow") }
        #expect(missing?.code == .notFound && missing?.hint == "write \"two\"")
        #expect(throws: Failure.self) { try library.find("../second/two") }
    }

    @Test("RT21 a directory that others can write gives no playbook")
    func writable() throws {
        let folder = try Folder()
        try folder.write("first/one.yaml", PlaybookLibraryTests.text("one", title: "first"))
        chmod(folder.text + "/first", 0o777)
        let failure = #expect(throws: Failure.self) { try folder.library.find("one") }
        #expect(failure?.code == .refused)
    }

    @Test("a playbook in a file of another name is refused with the fix")
    func otherName() throws {
        let folder = try Folder()
        try folder.write("first/one.yaml", PlaybookLibraryTests.text("two", title: "x"))
        let failure = #expect(throws: Failure.self) { try folder.library.find("one") }
        #expect(failure?.hint == "write \"playbook: one\"")
    }

    @Test("an explicit path is read whoever can write it")
    func explicit() throws {
        let folder = try Folder()
        try folder.write("first/one.yaml", PlaybookLibraryTests.text("any", title: "x"))
        chmod(folder.text + "/first/one.yaml", 0o666)
        #expect(try PlaybookLibrary.read(explicit: BytePath(folder.text + "/first/one.yaml")).name == "any")
        #expect(PlaybookLibrary.isPath("./x") && PlaybookLibrary.isPath("x.yaml") && !PlaybookLibrary.isPath("x"))
        #expect(throws: Failure.self) { try PlaybookLibrary.read(explicit: BytePath(folder.text + "/none.yaml")) }
    }

    @Test("the shipped playbooks fit the actions of this issue, without a finding")
    func shipped() throws {
        let sources = #filePath.split(separator: "/").dropLast(4).map(String.init).joined(separator: "/")
        let directory = BytePath("/" + sources + "/Playbooks")
        let library = PlaybookLibrary(directories: [directory], owners: TrustedOwners([0, geteuid()]))
        #expect(try library.names() == ["contain-rogue-agent", "freeze-and-capture"])
        for name in try library.names() {
            let document = try library.find(name)
            #expect(document.lint(against: TestCatalogue.actions).isEmpty)
            let graph = try document.graph(given: ["session": "agent:demo"], actions: TestCatalogue.actions)
            #expect(graph.steps.first?.parameters["session"] == "agent:demo")
            #expect(graph.steps.allSatisfy { $0.onFailure == .continue })
        }
    }

    private static func text(_ name: String, title: String) -> String {
        "playbook: \(name)\nversion: 1.0.0\ntitle: \(title)\nsteps:\n  - { id: f, action: freeze }\n"
    }
}

/// A folder in /tmp with the directories `first` and `second`, removed at the end.
private final class Folder {
    let text: String
    private var files: [String] = []

    struct Problem: Error {}

    init() throws {
        var template = Array("/tmp/quell-playbooks-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Problem() }
        text = String(cString: made)
        for name in ["first", "second"] { mkdir("\(text)/\(name)", 0o755) }
    }

    deinit {
        for file in files { unlink("\(text)/\(file)") }
        for name in ["first", "second"] { rmdir("\(text)/\(name)") }
        rmdir(text)
    }

    var library: PlaybookLibrary {
        let directories = ["none", "first", "second"].map { BytePath("\(text)/\($0)") }
        return PlaybookLibrary(directories: directories, owners: TrustedOwners([0, geteuid()]))
    }

    func write(_ name: String, _ contents: String) throws {
        let file = open("\(text)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Problem() }
        defer { close(file) }
        files.append(name)
        _ = Glibc.write(file, contents, contents.utf8.count)
    }
}
