import Base
import Bundles
import Glibc
import Kernel
import Testing

@testable import Evidence

/// What is asked of a capture's order, clocks and side effects: R1 to R4 of research/evidence.md.
@Suite("Volatile capture")
struct VolatileCaptureTests {
    @Test("R3 the clock tells its NTP state, its offset and the host's time zone, and the facts tell the machine")
    func clockState() throws {
        let captured = try Scene().capture()
        let clock = try JSONReader.read(captured.bundle.bytes(of: PayloadName("data/clock.json")))
        for moment in ["began", "sealed"] {
            #expect(clock[moment]?["ntpState"]?.string != nil && clock[moment]?["ntpStatus"]?.array != nil)
            #expect(clock[moment]?["offsetNanoseconds"]?.integer != nil)
            #expect(clock[moment]?["maximumErrorNanoseconds"]?.integer != nil)
        }
        let facts = try JSONReader.read(captured.bundle.bytes(of: PayloadName("data/facts.json")))
        #expect(facts["bootID"]?.string == (try Host().bootID))
        #expect(facts["kernelRelease"]?.string?.isEmpty == false && facts["osRelease"]?["ID"]?.string != nil)
        #expect(facts["processors"]?["count"]?.integer ?? 0 > 0)
        #expect(facts["memory"]?["MemTotalKilobytes"]?.integer ?? 0 > 0)
        #expect(facts["settings"]?["kernel/core_pattern"]?.string != nil && facts["missing"]?.array != nil)
    }

    @Test("R1 items are taken in falling volatility, and the account has them in that order")
    func volatility() throws {
        let scene = try Scene()
        try scene.write("notes", "work")
        mkdir(scene.folder + "/transcripts", 0o755)
        var request = scene.request()
        request.subjects = [try Scene.ourselves()]
        request.trees.append(
            PlannedTree(name: "transcripts", path: BytePath(scene.folder + "/transcripts"), role: .transcripts)
        )
        request.logs = [BytePath(scene.workspace + "/notes")]
        let captured = try scene.capture(request)
        func first(_ name: String, root: String? = nil) -> Int {
            captured.items.firstIndex { $0["item"]?.string == name && (root == nil || $0["root"]?.string == root) }
                ?? -1
        }
        let order = [
            first("processes"), first("sockets"), first("parked"), first("mounts"), first("tree", root: "transcripts"),
            first("deletedFiles"), first("tree", root: "workspace"), first("log"), first("facts"), first("clock"),
            first("journal"),
        ]
        #expect(order[0] >= 0 && order == order.sorted(), "\(order)")
    }

    @Test("R2 connections, processes, open files, mounts and the time of a live system are all there")
    func live() throws {
        let scene = try Scene()
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves()]
        let captured = try scene.capture(request)
        for name in ["processes", "sockets", "parked", "mounts", "facts", "clock"] {
            #expect(!captured.items(of: name).isEmpty, "\(name)")
        }
        let process = try #require(try captured.lines(of: "data/processes.jsonl").first)
        #expect(process["openFiles"]?.array?.isEmpty == false)
    }

    @Test("R4 times of sources and of their folders are after a capture what they were before")
    func times() throws {
        let scene = try Scene()
        mkdir(scene.workspace + "/d", 0o755)
        for name in ["file", "d/inner", "log"] { try scene.write(name, "content") }
        let held = open(scene.workspace + "/gone", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(held) }
        #expect(write(held, "gone", 4) == 4)
        unlink(scene.workspace + "/gone")
        // An access time before the modification time is what relatime would change at the first read.
        let old = [timespec(tv_sec: 1_000_000, tv_nsec: 1), timespec(tv_sec: 1_100_000, tv_nsec: 1)]
        futimens(held, old)
        let paths = ["file", "d/inner", "log", "d", "."].map { scene.workspace + "/" + $0 }
        for path in paths { utimensat(AT_FDCWD, path, old, 0) }
        func stamps() -> [[Int]] {
            var all: [[Int]] = []
            var facts = Glibc.stat()
            for path in paths {
                stat(path, &facts)
                all.append([facts.st_atim.tv_sec, facts.st_mtim.tv_sec, facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec])
            }
            fstat(held, &facts)
            return all + [[facts.st_atim.tv_sec, facts.st_mtim.tv_sec, facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec]]
        }
        let before = stamps()
        var request = scene.request()
        request.subjects = [try Scene.ourselves()]
        request.logs = [BytePath(scene.workspace + "/log")]
        let captured = try scene.capture(request)
        #expect(captured.items(of: "log").first?["outcome"] == "collected")
        #expect(captured.items(of: "deletedFile").contains { $0["outcome"] == "collected" })
        #expect(stamps() == before)
    }
}
