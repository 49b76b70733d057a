import Base
import Glibc
import Kernel
import Testing

@testable import Evidence

@Suite("Plan of a capture")
struct CapturePlanTests {
    @Test("every item stands in the order in which the capture takes it")
    func order() throws {
        let scene = try Scene()
        try scene.write("notes", "work")
        mkdir(scene.folder + "/transcripts", 0o755)
        var request = scene.request()
        request.subjects = [try Scene.ourselves()]
        request.trees.append(
            PlannedTree(name: "transcripts", path: BytePath(scene.folder + "/transcripts"), role: .transcripts)
        )
        request.logs = [BytePath(scene.workspace + "/notes"), BytePath("/nonexistent/log")]
        let plan = CapturePlan(request, on: try Host())
        let captured = try scene.capture(request)
        // The plan names each class where its first item ends in the account.
        var ended: [String] = []
        for item in captured.items {
            guard let name = item["item"]?.string, !["process", "file", "transcript", "deletedFile"].contains(name)
            else {
                continue
            }
            if ended.last != name || name == "tree" { ended.append(name) }
        }
        var planned: [String] = []
        for entry in plan.entries where planned.last != entry.item || entry.item == "tree" {
            planned.append(entry.item)
        }
        #expect(planned == ended)
    }

    @Test("a tree is counted without being read, a missing log is told, nothing is written")
    func amounts() throws {
        let scene = try Scene()
        try scene.write("a", String(repeating: "x", count: 100_000))
        try scene.write("b", "y")
        var facts = Glibc.stat()
        let old = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_100_000, tv_nsec: 0)]
        utimensat(AT_FDCWD, scene.workspace + "/a", old, 0)
        var request = scene.request()
        request.logs = [BytePath(scene.workspace + "/a"), BytePath("/nonexistent/log")]
        let plan = CapturePlan(request, on: try Host())
        let tree = try #require(plan.entries.first { $0.item == "tree" })
        #expect(tree.amount.objects >= 2 && tree.amount.bytes >= 100_000 && !tree.amount.isAtLeast)
        #expect(tree.nanoseconds > 0 && tree.objection == nil)
        let logs = plan.entries.filter { $0.item == "log" }
        #expect(logs.map(\.amount.bytes) == [100_000, 0])
        #expect(logs[1].objection?.hasPrefix("failed: ") == true)
        stat(scene.workspace + "/a", &facts)
        #expect(facts.st_atim.tv_sec == 1_000_000)
        #expect(plan.total.bytes >= 200_000 && plan.total.isAtLeast)
    }

    @Test("a census that is cut says at least, and the plan ends in time")
    func cut() throws {
        let scene = try Scene()
        for folder in 0..<40 {
            mkdir(scene.workspace + "/d\(folder)", 0o755)
            for file in 0..<100 { close(open(scene.workspace + "/d\(folder)/f\(file)", O_WRONLY | O_CREAT, 0o600)) }
        }
        let started = Deadline.monotonicNow()
        let plan = CapturePlan(scene.request(), on: try Host(), within: .milliseconds(1))
        #expect(Deadline.monotonicNow() - started < 2_000_000_000)
        let tree = try #require(plan.entries.first { $0.item == "tree" })
        #expect(tree.amount.isAtLeast && tree.amount.objects < 4040)
    }

    @Test("RT36 a budget tells its shares, and which items it will not take whole")
    func budget() throws {
        let scene = try Scene()
        try scene.write("a", String(repeating: "x", count: 1_000_000))
        var request = scene.request()
        request.budget = 1_000_000
        let plan = CapturePlan(request, on: try Host())
        #expect(plan.shares.map(\.name) == ["volatile", "transcripts", "recovered", "workspace", "logs"])
        #expect(plan.shares.compactMap(\.bytes).reduce(0, +) == 1_000_000)
        let tree = try #require(plan.entries.first { $0.item == "tree" })
        #expect(tree.objection == "partial: the budget of its share, workspace, is not enough")
        #expect(plan.entries.first { $0.item == "session" }?.objection == nil)
        request.budget = 10_000_000
        #expect(CapturePlan(request, on: try Host()).entries.allSatisfy { $0.objection == nil || $0.share == "none" })
    }

    @Test("the volatile profile says what it leaves out")
    func omitted() throws {
        let scene = try Scene()
        let plan = CapturePlan(scene.request(.volatile), on: try Host())
        let tree = try #require(plan.entries.last)
        #expect(tree.item == "tree" && tree.objection?.hasPrefix("skipped: ") == true)
    }

    @Test("files without a name are counted by their descriptors")
    func deleted() throws {
        let scene = try Scene()
        let held = open(scene.workspace + "/gone", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(held) }
        #expect(write(held, [UInt8](repeating: 1, count: 65_536), 65_536) == 65_536)
        unlink(scene.workspace + "/gone")
        var request = scene.request(.volatile)
        request.subjects = [try Scene.ourselves()]
        let plan = CapturePlan(request, on: try Host())
        let found = try #require(plan.entries.first { $0.item == "deletedFiles" })
        #expect(found.amount.objects >= 1 && found.amount.bytes >= 65_536)
    }

    @Test("estimates of time stand on stated rates and never overflow")
    func rates() {
        #expect(CaptureRates.spend(CaptureRates.bytesPerSecond * 3, at: CaptureRates.bytesPerSecond) == 3_000_000_000)
        #expect(CaptureRates.spend(.max, at: 1) == .max)
        #expect(CaptureRates.spend(1, at: 2) == 500_000_000)
    }
}
