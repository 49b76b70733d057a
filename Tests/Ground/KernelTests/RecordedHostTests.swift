import Base
import Glibc
import Kernel
import Testing

@Suite("recorded host")
struct RecordedHostTests {
    @Test("a recorded tree is read like a machine")
    func recorded() throws {
        let tree = try RecordedTree()
        try tree.file("proc/sys/kernel/random/boot_id", "b-1\n")
        try tree.file("proc/42/stat", "42 (a) b) S 7 42 42 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 300 0 0\n")
        try tree.file("proc/42/cgroup", "6:freezer:/\n0::/agents/a7\n")
        try tree.file("proc/42/task/42/stat", "42 (a) b) S 7 42 42 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 300 0 0\n")
        try tree.file("proc/not-a-pid/stat", "")
        try tree.file("cgroup/unified/agents/a7/cgroup.procs", "42\n")
        try tree.file("cgroup/unified/agents/a7/cgroup.type", "threaded\n")
        try tree.file("cgroup/unified/agents/cgroup.type", "domain threaded\n")
        let host = try Host(recordedAt: tree.root)
        #expect(host.bootID == "b-1")
        #expect(host.freezer == nil)

        let scanner = ProcessScanner(host)
        #expect(try scanner.pids() == [42])
        #expect(scanner.stat(of: 42)?.startTicks == 300)
        #expect(scanner.stat(of: 43) == nil)
        #expect(scanner.cgroups(of: 42)?.last?.path == BytePath("/agents/a7"))
        let set = CgroupPathSet([CgroupLine(hierarchy: "v2", path: BytePath("/agents"))])
        #expect(scanner.stands(in: set, pid: 42) == true)
        #expect(scanner.stands(in: set, pid: 43) == nil)

        let process = try ProcessDirectory(ProcessPin(pid: 42, startTicks: 300), on: host)
        #expect(try process.stat().name == BytePath("a) b"))
        #expect(try process.threadIDs() == [42])

        let unified = try #require(host.unified)
        let group = try Cgroup(BytePath("/agents/a7"), in: unified)
        #expect(try group.processes() == [42])
        #expect(try group.domain().path == BytePath("/agents"))
        var paths: [String] = []
        try Cgroup(BytePath("/"), in: unified).forEachInTree { group throws(Failure) in
            paths.append(group.path.description)
        }
        #expect(paths == ["/", "/agents", "/agents/a7"])
    }

    @Test("a reused pid and a remade cgroup are told as changed")
    func changed() throws {
        let tree = try RecordedTree()
        try tree.file("proc/42/stat", "42 (a) S 7 42 42 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 300 0 0\n")
        try tree.file("cgroup/unified/a/cgroup.procs", "")
        let host = try Host(recordedAt: tree.root)
        let pid = #expect(throws: Failure.self) {
            _ = try ProcessDirectory(ProcessPin(pid: 42, startTicks: 299), on: host)
        }
        #expect(pid?.code == .changed)
        let group = #expect(throws: Failure.self) {
            _ = try Cgroup(CgroupPin(hierarchy: "v2", path: BytePath("/a"), inode: 1), on: host)
        }
        #expect(group?.code == .changed)
        let gone = #expect(throws: Failure.self) { _ = try ProcessDirectory(41, on: host) }
        #expect(gone?.code == .notFound)
    }

    @Test("cgroup paths never leave the hierarchy", arguments: ["/../proc", "/link", "/a/../../proc"])
    func beneath(path: String) throws {
        let tree = try RecordedTree()
        try tree.file("proc/x", "")
        try tree.file("cgroup/unified/a/cgroup.procs", "")
        symlink("../../proc", "\(tree.root.description)/cgroup/unified/link")
        let host = try Host(recordedAt: tree.root)
        let unified = try #require(host.unified)
        #expect(throws: Failure.self) { _ = try Cgroup(BytePath(path), in: unified) }
    }

    @Test("a start time is an interval of one tick after boot")
    func startTime() throws {
        let tree = try RecordedTree()
        try tree.file("proc/x", "")
        let interval = try Host(recordedAt: tree.root).started(atTicks: 150)
        #expect(interval.earliest.nanoseconds == 1_500_000_000)
        #expect(interval.latest.nanoseconds == 1_510_000_000)
    }
}

/// A temporary folder that looks like the kernel's filesystems; removed at the end.
final class RecordedTree {
    let root: BytePath
    private let path: String

    init() throws {
        var template = Array("/tmp/quell-recorded-XXXXXX\0".utf8CString.dropLast())
        guard mkdtemp(&template) != nil else { throw Failure(errno: errno, "make a folder", on: BytePath("/tmp")) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        root = BytePath(path)
    }

    func file(_ name: String, _ text: String) throws {
        var folder = path
        for part in name.split(separator: "/").dropLast() {
            folder += "/\(part)"
            mkdir(folder, 0o700)
        }
        let file = try Descriptor(opening: BytePath("\(path)/\(name)"), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        if !text.isEmpty { try file.writeOnce(text, to: BytePath(name)) }
    }

    deinit { RecordedTree.remove(path) }

    private static func remove(_ path: String) {
        if unlink(path) == 0 { return }
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove("\(path)/\(name)") }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}
