import Base
import Casework
import Engine
import Kernel
import Sessions
import Testing

@testable import Containment
@testable import Response

@Suite("the verdicts of freeze and thaw: what is not as it was asked for makes them partial")
struct VerdictTests {
    private let temporary: TemporaryStore
    private let place: Workplace
    private let scope = Scope(deadline: Deadline(after: .seconds(5)))
    private let group = CgroupPin(hierarchy: "v2", path: BytePath("/a7"), inode: 42)
    private let process = ProcessPin(pid: 7, startTicks: 70)
    private let failure = Failure(.notPermitted, "drop the network", on: "/a7", because: "no right to")
    private var drop: Drop { Drop(group: group, program: 5) }

    init() throws {
        temporary = try TemporaryStore()
        place = try temporary.workplace(of: try temporary.store.create(by: .quell))
    }

    private func verdict(_ change: (inout FreezeResult) -> Void) throws -> Verdict {
        var result = FreezeResult()
        result.word = .confirmed
        result.processes = 1
        result.scansAgreed = true
        change(&result)
        let action = FreezeAction(on: place.host, inventory: .empty)
        let output = FreezeAction.Output(result: result, word: result.word.rawValue, processes: result.processes)
        return try action.verify(output, in: scope)
    }

    private func verdict(_ change: (inout ThawResult) -> Void) throws -> Verdict {
        var result = ThawResult()
        change(&result)
        return try ThawAction(place).verify(ThawAction.Output(result: result), in: scope)
    }

    @Test("a confirmed freeze holds when its drop stands, and when none was wanted")
    func confirmed() throws {
        let unwanted = try verdict { (_: inout FreezeResult) in }
        #expect(unwanted == .holds)
        let cut = try verdict { (result: inout FreezeResult) in result.cut = self.cut(drops: [drop]) }
        #expect(cut == .holds)
    }

    @Test("a confirmed freeze whose network is not dropped is partial, with the reason")
    func uncut() throws {
        let failed = try verdict { (result: inout FreezeResult) in result.cut = cut(failures: [failure]) }
        #expect(failed == .partly(["the network is not dropped: \(failure)"]))
        let half = try verdict { (result: inout FreezeResult) in
            result.cut = cut(drops: [drop], failures: [failure])
        }
        #expect(half == .partly(["the network is not dropped: \(failure)"]))
        let unreached = try verdict { (result: inout FreezeResult) in
            result.cut = cut(notReached: ["/a7: a v1 group cannot be cut"])
        }
        #expect(unreached == .partly(["/a7: a v1 group cannot be cut"]))
        let none = try verdict { (result: inout FreezeResult) in result.cut = cut() }
        #expect(none == .partly(["the network is not dropped"]))
    }

    @Test("an unconfirmed freeze names the threads, a partial one the strays, a failed one fails")
    func shortfalls() throws {
        let stuck = try verdict { (result: inout FreezeResult) in
            result.word = .unconfirmed
            result.stuck = [
                StuckThread(pid: 7, thread: 8, state: "D", waitChannel: "nfs_wait", systemCall: "0")
            ]
        }
        #expect(
            stuck == .partly(["thread 8 of process 7 did not freeze: state D, waits in nfs_wait, system call 0"])
        )
        let stray = try verdict { (result: inout FreezeResult) in
            result.word = .partial
            result.strays = [
                Stray(process: process, name: BytePath("x"), marks: [.lineage], isHeld: false, reason: "it got away")
            ]
        }
        #expect(stray == .partly(["stray 7 (x) is not held: it got away"]))
        let failed = try verdict { (result: inout FreezeResult) in
            result.word = .failed
            result.failures = [failure]
        }
        #expect(failed == .fails(["nothing is held", "\(failure)"]))
    }

    @Test("a thaw holds when everything is back, and is partial for each thing that is not")
    func thaw() throws {
        let whole = try verdict { (result: inout ThawResult) in result.thawed = [group] }
        #expect(whole == .holds)
        let cases: [(String, (inout ThawResult) -> Void)] = [
            ("/a7 is still frozen", { $0.stillFrozen = [group] }),
            ("/a7 stays frozen: it was frozen already when this case came to it", { $0.leftFrozen = [group] }),
            ("the drop of /a7 was taken away by somebody else", { $0.lostDrops = [drop] }),
            ("process 7 is back in a group without a drop", { $0.uncut = [process] }),
            ("\(failure)", { $0.failures = [failure] }),
            (
                "process 7 is not back in /x: gone",
                { $0.couldNotReturn = [Unreturned(process: process, origin: BytePath("/x"), reason: "gone")] }
            ),
        ]
        for (words, change) in cases {
            let found = try verdict(change)
            #expect(found == .partly([words]))
        }
    }

    @Test("RT2 a release that failed makes the thaw partial: the network did not come back")
    func release() throws {
        let verdict = try verdict { (result: inout ThawResult) in
            result.thawed = [group]
            result.released = released(failures: [failure])
        }
        #expect(verdict == .partly(["\(failure)"]))
    }

    private func cut(drops: [Drop] = [], failures: [Failure] = [], notReached: [String] = []) -> CutResult {
        var result = CutResult()
        result.drops = drops
        result.failures = failures
        result.notReached = notReached
        return result
    }

    private func released(failures: [Failure]) -> ReleaseResult {
        var result = ReleaseResult()
        result.failures = failures
        return result
    }
}
