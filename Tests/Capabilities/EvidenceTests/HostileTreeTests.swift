import Base
import Bundles
import Glibc
import Kernel
import Sealing
import Testing

@testable import Evidence

@Suite("Hostile trees")
struct HostileTreeTests {
    @Test("names of any bytes come out as they are")
    func names() throws {
        let scene = try Scene()
        scene.python(
            """
            for name in [b'new\\nline', b'tab\\t', b'-rf', b'$(id)', b'`id`', b'\\xff\\xfe bad utf8', b'n' * 255,
                         'caf\\u00e9'.encode(), 'cafe\\u0301'.encode(), b' ', b'back\\\\slash', b'%0A', b'#mtree']:
                open(name, 'wb').write(name)
            """
        )
        let captured = try scene.capture()
        captured.expectBalanced()
        let files = try captured.archive().filter { !$0.content.isEmpty }
        #expect(files.count == 13)
        for file in files { #expect(file.entry.path.bytes == file.content) }
        #expect(captured.sealed.shortfalls == [])
        let bad = try captured.item(BytePath([255, 254] + Array(" bad utf8".utf8)))
        #expect(bad["path"]?["bytes"]?.string == Base64.encode([255, 254] + Array(" bad utf8".utf8)))
        #expect(bad["sha256"]?.string == SHA256.digest(of: [255, 254] + Array(" bad utf8".utf8)).hex)
    }

    @Test("FIFOs, sockets and links are recorded and never opened")
    func oddObjects() throws {
        let scene = try Scene()
        scene.python(
            """
            os.mkfifo('pipe')
            s = socket.socket(socket.AF_UNIX); s.bind('socket')
            os.symlink('/etc', 'etc'); os.symlink('/etc/passwd', 'passwd'); os.symlink('loop', 'loop')
            os.symlink('.', 'self'); os.symlink(b'\\xff/nowhere', 'dangling')
            """
        )
        let captured = try scene.capture()
        captured.expectBalanced()
        #expect(captured.sealed.shortfalls == [] && captured.sealed.isComplete)
        #expect(try captured.item("pipe")["type"]?.string == "fifo")
        #expect(try captured.item("socket")["type"]?.string == "socket")
        #expect(try captured.item("etc")["target"]?.string == "/etc")
        #expect(
            try captured.item("dangling")["target"]?["bytes"]?.string == Base64.encode([255] + Array("/nowhere".utf8))
        )
        let paths = try captured.archive().map { "\($0.entry.path)" }
        #expect(paths.sorted() == ["", "dangling", "etc", "loop", "passwd", "pipe", "self"])
    }

    @Test("R14 nothing outside the root is opened, whatever links lead there")
    func scope() throws {
        let scene = try Scene()
        let canary = scene.folder + "/canary"
        mkdir(canary, 0o755)
        let descriptor = open(canary + "/secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        #expect(Glibc.write(descriptor, "secret", 6) == 6)
        close(descriptor)
        let old = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, canary + "/secret", old, 0) == 0)
        symlink("../canary", scene.workspace + "/folder")
        symlink("../canary/secret", scene.workspace + "/file")
        symlink(canary + "/secret", scene.workspace + "/absolute")
        try withInotify(on: canary) { events in
            let captured = try scene.capture()
            captured.expectBalanced()
            #expect(events() == 0)
            #expect(try captured.archive().count == 4)
        }
        var facts = Glibc.stat()
        stat(canary + "/secret", &facts)
        #expect(facts.st_atim.tv_sec == 1000)
    }

    @Test("a tree deeper than PATH_MAX is captured to its end")
    func depth() throws {
        let scene = try Scene()
        scene.python(
            """
            for level in range(40):
                name = ('%03d-' % level) + 'd' * 196
                os.mkdir(name); os.chdir(name)
            open('bottom', 'w').write('found')
            """
        )
        let captured = try scene.capture()
        captured.expectBalanced()
        #expect(captured.sealed.shortfalls == [])
        let deepest = try captured.archive().max { $0.entry.path.bytes.count < $1.entry.path.bytes.count }
        #expect(deepest?.entry.path.components.count == 41)
        #expect(deepest?.content == Array("found".utf8))
    }

    @Test("300 levels of 200 bytes are walked; a path that no archive should repeat is passed over and told")
    func tooDeep() throws {
        let scene = try Scene()
        scene.python(
            """
            for level in range(330):
                os.mkdir('d' * 200); os.chdir('d' * 200)
            """
        )
        let recorder = Recorder()
        try TreeWalker(BytePath(scene.workspace)).walk(recorder)
        // The root, and as many levels of 201 bytes as fit into 65,536.
        #expect(recorder.paths.count == 1 + 326)
        #expect(recorder.misses.count == 1)
        let again = Recorder()
        try TreeWalker(BytePath(scene.workspace), namesInRun: 1, openFolders: 3).walk(again)
        #expect(again.paths.count == recorder.paths.count)
    }

    @Test("a walk that gives descriptors and names back finds its way again")
    func smallWindows() throws {
        let scene = try Scene()
        scene.python(
            """
            for a in range(5):
                for b in range(5):
                    os.makedirs('a%d/b%d/c/d/e/f' % (a, b)); open('a%d/b%d/c/d/e/f/file' % (a, b), 'w')
                    open('a%d/b%d/z' % (a, b), 'w')
            """
        )
        let root = BytePath(scene.workspace)
        let all = try Recorder.walk(TreeWalker(root))
        #expect(all.count == 1 + 5 + 25 * 7)
        #expect(try Recorder.walk(TreeWalker(root, namesInRun: 1, openFolders: 1)) == all)
        #expect(try Recorder.walk(TreeWalker(root, namesInRun: 2, openFolders: 2)) == all)
    }

    @Test("a directory that is moved away during the walk loses nothing silently")
    func movedAway() throws {
        let scene = try Scene()
        scene.python("os.makedirs('a/b/c/d'); open('a/b/z', 'w'); os.mkdir('elsewhere')")
        let recorder = Recorder { path in
            if path == BytePath("a/b/c/d") { rename(scene.workspace + "/a/b/c", scene.workspace + "/elsewhere/c") }
        }
        try TreeWalker(BytePath(scene.workspace), namesInRun: 1, openFolders: 1).walk(recorder)
        #expect(recorder.paths.contains(BytePath("a/b/z")))
        #expect(recorder.paths.contains(BytePath("elsewhere/c")))
    }

    @Test("holes cost nothing: 1 TB without data is sealed in no time, and its digest says what it covers")
    func sparse() throws {
        let scene = try Scene()
        scene.python(
            """
            f = open('huge', 'wb'); f.truncate(1 << 40); f.seek(1 << 39); f.write(b'needle'); f.close()
            f = open('ends', 'wb'); f.truncate(1 << 20); f.seek(1 << 19); f.write(b'needle'); f.close()
            open('empty-hole', 'wb').truncate(1 << 20)
            """
        )
        let began = Deadline.monotonicNow()
        let captured = try scene.capture()
        #expect(Deadline.monotonicNow() - began < 5_000_000_000)
        captured.expectBalanced()
        #expect(captured.sealed.shortfalls == [])
        let huge = try captured.item("huge")
        #expect(huge["digestScope"]?.string == "segments" && huge["size"]?.integer == 1 << 40)
        #expect(try captured.text(of: "data/files/workspace.mtree").contains("huge"))
        let ends = try captured.item("ends")
        var content = [UInt8](repeating: 0, count: 1 << 20)
        content.replaceSubrange((1 << 19)..<(1 << 19) + 6, with: Array("needle".utf8))
        #expect(ends["digestScope"]?.string == "content")
        #expect(ends["sha256"]?.string == SHA256.digest(of: content).hex)
        let zeros = SHA256.digest(of: [UInt8](repeating: 0, count: 1 << 20)).hex
        #expect(try captured.item("empty-hole")["sha256"]?.string == zeros)
    }

    @Test("names of one file inside the root are stored once and as links")
    func hardLinks() throws {
        let scene = try Scene()
        scene.python("open('a', 'w').write('once'); os.mkdir('sub'); os.link('a', 'sub/b'); os.link('a', 'c')")
        let captured = try scene.capture()
        captured.expectBalanced()
        #expect(captured.sealed.shortfalls == [])
        let digest = SHA256.digest(of: Array("once".utf8)).hex
        for name in ["a", "c", "sub/b"] { #expect(try captured.item(name)["sha256"]?.string == digest) }
        let links = try captured.archive().filter { if case .hardLink = $0.entry.kind { true } else { false } }
        #expect(links.count == 2)
    }

    @Test("RT24 a file with a name outside the root is metadata only and flagged")
    func linkedOutside() throws {
        let scene = try Scene()
        scene.python("open('../theirs', 'w').write('not ours'); os.link('../theirs', 'mine'); os.link('mine', 'mine2')")
        let captured = try scene.capture()
        captured.expectBalanced()
        for name in ["mine", "mine2"] {
            let item = try captured.item(name)
            #expect(item["outcome"]?.string == "skipped" && item["sha256"] == nil)
            #expect(item["reason"]?.string == "1 of its 3 names are outside the root: metadata only")
        }
        #expect(try captured.archive().count == 1)
        #expect(try captured.text(of: "data/files/workspace.mtree").contains("mine2"))
    }

    @Test("times before 1970 and far ahead, odd modes and long attributes are kept")
    func metadata() throws {
        let scene = try Scene()
        scene.python(
            """
            for name, t in [('past', -5), ('future', 15032385535)]:
                open(name, 'w').close(); os.utime(name, ns=(t * 10**9 + 7, t * 10**9 + 7))
            open('sealed', 'w').write('x'); os.setxattr('sealed', 'user.long', bytes(range(256)) * 12)
            os.chmod('sealed', 0o6000)
            """
        )
        let captured = try scene.capture()
        captured.expectBalanced()
        #expect(try captured.item("past")["modified"]?.string == "1969-12-31T23:59:55.000000007Z")
        #expect(try captured.item("future")["modified"]?.string == "2446-05-10T22:38:55.000000000Z")
        let sealed = try captured.archive().first { $0.entry.path == BytePath("sealed") }
        #expect(sealed?.entry.mode == 0o6000)
        #expect(sealed?.entry.attributes.first?.value.count == 3072)
        let times = try captured.archive().map { ($0.entry.path, $0.entry.modified.seconds) }
        #expect(times.contains { $0 == (BytePath("past"), -5) })
        #expect(times.contains { $0 == (BytePath("future"), 15_032_385_535) })
    }
}

/// Keeps the paths of a walk in their order.
final class Recorder: TreeVisitor {
    private(set) var paths: [BytePath] = []
    private(set) var misses: [BytePath] = []
    private let onVisit: (BytePath) -> Void

    init(_ onVisit: @escaping (BytePath) -> Void = { _ in }) { self.onVisit = onVisit }

    static func walk(_ walker: TreeWalker) throws -> [BytePath] {
        let recorder = Recorder()
        try walker.walk(recorder)
        #expect(recorder.misses == [])
        return recorder.paths
    }

    func visit(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> Bool {
        paths.append(object.path)
        onVisit(object.path)
        return true
    }

    func miss(_ path: BytePath, because failure: Failure) throws(Failure) -> Bool {
        misses.append(path)
        return true
    }

    func passOver(_ path: BytePath, because reason: String) throws(Failure) { misses.append(path) }
}

/// Watches a directory for opens and reads of what lies in it, and gives how many there were.
func withInotify(on path: String, _ body: (() -> Int) throws -> Void) throws {
    let watch = inotify_init()
    try #require(watch >= 0)
    defer { close(watch) }
    // IN_OPEN | IN_ACCESS
    try #require(inotify_add_watch(watch, path, 0x21) >= 0)
    try body {
        var wait = pollfd(fd: watch, events: Int16(POLLIN), revents: 0)
        return Int(poll(&wait, 1, 0))
    }
}
