import Base
import Glibc
import Kernel
import Testing

@testable import Evidence

@Suite("Roots that cannot be taken")
struct LostRootTests {
    @Test("RT5 a process whose first thread has ended is looked at through a thread that lives")
    func leaderHasEnded() throws {
        let scene = try Scene()
        scene.python(
            """
            import ctypes, threading, time
            told, tell = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(told)
                def live():
                    while open(f'/proc/{os.getpid()}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z': time.sleep(0.001)
                    os.write(tell, b'x')
                    time.sleep(120)
                threading.Thread(target=live).start()
                ctypes.CDLL(None).syscall(60, 0)
            os.close(tell)
            os.read(told, 1)
            os.symlink(str(pid), 'pid')
            """
        )
        let text = try FileNode.at(BytePath(scene.workspace + "/pid")).linkTarget().text
        let pid = try #require(text.flatMap { Int32($0) })
        defer { kill(pid, SIGKILL) }
        let host = try Host()
        let process = try ProcessDirectory(pid, on: host)
        let pin = ProcessPin(pid: pid, startTicks: try process.stat().numbers.startTicks)
        #expect(try process.livingPrefix()?.hasPrefix("task/") == true)
        #expect(!pin.hasEnded(on: host))
        var lost: [PlannedTree] = []
        let homes = SessionHomes(on: host).of([pin], lost: &lost)
        #expect(lost.isEmpty)
        #expect(homes.contains { $0.folders.contains(BytePath(scene.workspace)) })
        #expect(SessionRoots(of: [pin], container: nil, on: host).trees.isEmpty)
        let place = TreePlace(path: BytePath(scene.workspace), inside: pin)
        #expect(try place.look(on: host, by: ImpatientReader())?.kind == .directory)
    }

    @Test("RT16 a root that is known and cannot be looked at is a lost root of the capture")
    func lost() throws {
        let scene = try Scene()
        var request = scene.request()
        let failure = Failure(.refused, "look at the root", on: "7", because: "for the test")
        request.trees.append(.lost("process-7", because: failure))
        let captured = try scene.capture(request)
        captured.expectBalanced()
        #expect(captured.sealed.lostRoots == ["process-7"])
    }

    @Test("a root that vanishes after it was counted does not end the capture")
    func vanished() throws {
        let scene = try Scene()
        try scene.write("a.txt", "content")
        let (from, to) = (scene.workspace, scene.folder + "/elsewhere")
        let control = CaptureControl(report: { progress in
            if progress.phase == "workspace", progress.expectedBytes != nil { rename(from, to) }
        })
        let captured = try scene.capture(control: control)
        captured.expectBalanced()
        #expect(try captured.item("a.txt")["outcome"]?.string == "collected")
        let tree = captured.items(of: "tree").first { $0["root"]?.string == "workspace" }
        #expect(tree?["reason"]?.string?.contains("could not be counted again") == true)
    }

    @Test("only what is not there is nothing: a link on the way is a failure, and nothing lies below a file")
    func look() throws {
        let scene = try Scene()
        scene.python("os.makedirs('real/in'); os.symlink('real', 'link'); open('file', 'w').close()")
        let host = try Host()
        func look(_ name: String) throws -> FileFacts? {
            try TreePlace(path: BytePath(scene.workspace + "/" + name)).look(on: host, by: ImpatientReader())
        }
        #expect(try look("real/in")?.kind == .directory)
        #expect(try look("real/out") == nil)
        #expect(try look("file/in") == nil)
        #expect(throws: Failure.self) { try look("link/in") }
    }
}
