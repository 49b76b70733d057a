import Base
import Casework
import Containment
import Testing

@testable import Response

@Suite("words for people")
struct WordsTests {
    @Test("what failed beside a confirmed freeze is no reason why it is not held")
    func besideConfirmed() {
        var result = FreezeResult()
        result.scansAgreed = true
        result.processes = 1
        result.failures = [Failure(.notFound, "find the cgroup", on: "/old", because: "it is gone")]
        result.word = .partial
        #expect(FreezeWords.shortfalls(of: result).count == 1)
        result.word = .confirmed
        #expect(FreezeWords.shortfalls(of: result).isEmpty)
    }

    @Test("RT14 the commands about a lease can be typed as they are, also when no leader is known")
    func leases() throws {
        let home = try #require(CaseID("amber-1234"))
        let group = CgroupPin(hierarchy: "v2", path: BytePath("/a$(id)"), inode: 5)
        let leader = ProcessPin(pid: 7, startTicks: 8)
        let lease = CutLease(for: .seconds(1800))
        func commands(_ leader: ProcessPin?) -> [String] {
            let pin = SessionPin(bootID: "b", cgroups: [group], leader: leader)
            return LeaseGuard.commands(LeaseStanding(pin: pin, lease: lease), in: home)
        }
        #expect(commands(nil) == ["quell status amber-1234"])
        #expect(
            commands(leader) == [
                "quell status amber-1234", "quell release pid:7 --case amber-1234",
                "quell isolate pid:7 --case amber-1234 --lease 1800s",
            ]
        )
    }
}
