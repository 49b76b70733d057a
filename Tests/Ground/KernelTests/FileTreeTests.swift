import Base
import Glibc
import Testing

@testable import Kernel

@Suite("File tree")
struct FileTreeTests {
    @Test("a child is taken hold of by one component only")
    func oneComponent() throws {
        let folder = try TemporaryFolder()
        let root = try FileNode.at(folder.path)
        for name in ["a/b", ".", "..", "", "/etc"] {
            #expect(throws: Failure.self) {
                let node = try root.child(BytePath(name))
                _ = node.facts
            }
        }
    }

    @Test("RT35 a path with a symbolic link in it is refused")
    func noSymlinkOnTheWay() throws {
        let folder = try TemporaryFolder()
        symlink("/etc", folder.text + "/sneaky")
        let failure = #expect(throws: Failure.self) {
            let node = try FileNode.at(folder.path.appending("sneaky/passwd"))
            _ = node.facts
        }
        #expect(failure?.errno == ELOOP)
    }

    @Test("a symbolic link is held as itself and its text is read")
    func symlinkItself() throws {
        let folder = try TemporaryFolder()
        symlink("/etc/passwd", folder.text + "/link")
        let root = try FileNode.at(folder.path)
        let link = try root.child(BytePath("link"))
        #expect(link.facts.kind == .symlink)
        #expect(try link.linkTarget() == BytePath("/etc/passwd"))
        #expect(throws: Failure.self) { _ = try link.content().keepsAccessTime }
    }

    @Test("a FIFO is looked at without being opened")
    func fifo() throws {
        let folder = try TemporaryFolder()
        mkfifo(folder.text + "/pipe", 0o600)
        let root = try FileNode.at(folder.path)
        let pipe = try root.child(BytePath("pipe"))
        #expect(pipe.facts.kind == .fifo)
        let failure = #expect(throws: Failure.self) { _ = try pipe.content().keepsAccessTime }
        #expect(failure?.code == .refused)
    }

    @Test("names come sorted by bytes, in runs that join without a gap or a repeat")
    func runs() throws {
        let folder = try TemporaryFolder()
        let wanted = (0..<500).map { "n\($0 * 7919 % 1000)" } + ["-dash", "new\nline", "é", "e\u{301}", " "]
        for name in wanted { try folder.write(name, "") }
        let root = try FileNode.at(folder.path)
        var seen: [BytePath] = []
        while true {
            let run = try root.names(after: seen.last, limit: 64)
            for index in 0..<run.count { seen.append(run[index]) }
            #expect(run.count <= 64)
            if !run.hasMore { break }
        }
        #expect(seen == Set(wanted.map { BytePath($0) }).sorted())
        #expect(seen.count == 505)
    }

    @Test("a file's stretches of data are found without reading its holes")
    func holes() throws {
        let folder = try TemporaryFolder()
        let descriptor = open(folder.text + "/sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        #expect(pwrite(descriptor, "data", 4, 1 << 20) == 4)
        #expect(ftruncate(descriptor, 1 << 40) == 0)
        let content = try FileNode.at(folder.path.appending("sparse")).content()
        let (segments, complete) = try content.segments(limit: 16)
        #expect(complete)
        #expect(segments == [FileSegment(offset: 1 << 20, length: 4096)])
        #expect(try content.segments(limit: 0).complete == false)
    }

    @Test("reading leaves the access time alone")
    func accessTime() throws {
        let folder = try TemporaryFolder()
        try folder.write("old", "content")
        let times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 2_000_000_000, tv_nsec: 5)]
        #expect(utimensat(AT_FDCWD, folder.text + "/old", times, 0) == 0)
        let node = try FileNode.at(folder.path.appending("old"))
        let content = try node.content()
        let isQuiet = content.keepsAccessTime
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
        defer { buffer.deallocate() }
        #expect(try content.read(into: buffer, at: 0) == 7)
        #expect(isQuiet)
        #expect(try node.factsNow().accessed == FileStamp(seconds: 1000, nanoseconds: 0))
        #expect(try node.factsNow().modified == FileStamp(seconds: 2_000_000_000, nanoseconds: 5))
    }

    @Test("an attribute of any bytes is read, and what goes beyond the limit is named")
    func attributes() throws {
        let folder = try TemporaryFolder()
        try folder.write("file", "x")
        let path = folder.text + "/file"
        let script = "import os,sys; f=sys.argv[1]; os.setxattr(f,'user.binary',b'\\0\\xff\\n'); "
        #expect(run("/usr/bin/python3", "-c", script + "os.setxattr(f,'user.long',b'7'*2000)", path) == 0)
        let node = try FileNode.at(folder.path.appending("file"))
        let all = try node.attributes(limit: 65536)
        #expect(all.found.map(\.name) == [BytePath("user.binary"), BytePath("user.long")])
        #expect(all.found.first?.value == [0, 255, 10])
        let few = try node.attributes(limit: 100)
        #expect(few.found.count == 1)
        #expect(few.missing == [FileAttributes.Missing(name: BytePath("user.long"), errno: nil)])
    }

    @Test(
        "a time beyond what an instant can hold is printed as it is",
        arguments: [
            (0, "1970-01-01T00:00:00.000000007Z"), (-1, "1969-12-31T23:59:59.000000007Z"),
            (15_032_385_535, "2446-05-10T22:38:55.000000007Z"), (253_402_300_799, "9999-12-31T23:59:59.000000007Z"),
            (-62_167_219_200, "0000-01-01T00:00:00.000000007Z"), (253_402_300_800, "@253402300800.000000007"),
            (Int64.max, "@9223372036854775807.000000007"), (Int64.min, "@-9223372036854775808.000000007"),
        ] as [(Int64, String)]
    )
    func farTimes(_ seconds: Int64, _ text: String) {
        #expect("\(FileStamp(seconds: seconds, nanoseconds: 7))" == text)
    }

    @Test("a deleted file is reached through the process that keeps it open")
    func deleted() throws {
        let folder = try TemporaryFolder()
        let descriptor = open(folder.text + "/gone", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        #expect(write(descriptor, "still here", 10) == 10)
        unlink(folder.text + "/gone")
        let node = try FileNode("fd/\(descriptor)", of: ProcessDirectory(getpid(), on: Host()))
        #expect(node.facts.kind == .file && node.facts.links == 0 && node.facts.size == 10)
    }
}

/// A folder that goes away with its holder.
final class TemporaryFolder {
    let text: String
    var path: BytePath { BytePath(text) }

    init() throws {
        var template = Array("/tmp/quell-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure(errno: errno, "make a folder", on: BytePath("/tmp")) }
        text = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { _ = run("/bin/rm", "-rf", text) }

    func write(_ name: String, _ content: String) throws {
        let descriptor = open(text + "/" + name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Failure(errno: errno, "make a file", on: BytePath(name)) }
        defer { close(descriptor) }
        #expect(Glibc.write(descriptor, content, content.utf8.count) == content.utf8.count)
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
