import Base
import Containment
import Glibc
import Kernel
import Testing

@Suite("thaw")
struct ThawTests {
    @Test("RT11 the machine's first process, once moved out of a session's group, never goes back into it")
    func firstProcess() throws {
        var template = Array("/tmp/quell-thaw-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let root = BytePath(template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
        let folders = ["proc", "proc/1", "proc/9", "cgroup", "cgroup/unified", "cgroup/unified/a7"]
        let files = [
            "proc/1/stat": "1 (init) S 0 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 5 0 0\n", "proc/1/cgroup": "0::/\n",
            "proc/9/stat": "9 (a) S 1 9 9 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 6 0 0\n", "proc/9/cgroup": "0::/\n",
        ]
        for folder in folders { _ = root.appending(folder).withCString { mkdir($0, 0o700) } }
        for (name, text) in files {
            let file = try Descriptor(opening: root.appending(name), O_WRONLY | O_CREAT, mode: 0o600)
            try file.writeOnce(text, to: root.appending(name))
        }
        defer {
            for name in files.keys { _ = root.appending(name).withCString { unlink($0) } }
            for folder in folders.reversed() { _ = root.appending(folder).withCString { rmdir($0) } }
            _ = root.withCString { rmdir($0) }
        }
        let host = try Host(recordedAt: root)
        let unified = try #require(host.unified)
        let session = try Cgroup(BytePath("/a7"), in: unified).pin
        let top = try Cgroup(BytePath("/"), in: unified).pin
        let moves = [ProcessPin(pid: 1, startTicks: 5), ProcessPin(pid: 9, startTicks: 6)].map {
            ContainmentEffect.move(process: $0, from: session, to: top)
        }
        var asked: [ContainmentEffect] = []
        _ = try Thaw.thaw(moves, members: [], on: host) { effects, _ throws(Failure) in asked += effects }
        #expect(asked == [try #require(moves[1].inverse)])
    }
}
