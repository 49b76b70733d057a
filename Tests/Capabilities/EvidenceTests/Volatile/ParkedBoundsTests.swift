import Base
import Testing

@testable import Evidence

/// What keeps the look at parked data from harm and from saying more than it saw.
@Suite("Bounds of parked data")
struct ParkedBoundsTests {
    @Test("a segment is attached only where its last detach does not destroy it")
    func segments() {
        #expect(SystemVSpace.refusal(to: 7, where: Array("0\n".utf8)) == nil)
        for text in ["1\n", "", "x\n"] {
            let refusal = SystemVSpace.refusal(to: 7, where: Array(text.utf8))
            #expect(refusal?.code == .refused && refusal?.reason.contains("shm_rmid_forced") == true)
        }
    }

    @Test("details of all descriptors of a process take from one budget; waiting descriptors are counted always")
    func details() {
        let text = Array("pos:\t3\ntfd: 12345678\nscm_fds: 2\n".utf8)
        var budget = 90
        let first = DescriptorInformation(parsing: text, within: &budget)
        #expect(first.details.count == 2 && first.detailsLeftOut == 0)
        let second = DescriptorInformation(parsing: text, within: &budget)
        #expect(second.details == ["scm_fds: 2"] && second.detailsLeftOut == 1 && second.position == 3)
        #expect(second.number("scm_fds") == 2)
    }

    @Test("a ring that counts files and lists none lacks them")
    func rings() {
        #expect(RingFacts(["UserFiles:\t3", "UserBufs:\t0"]).lacksFiles)
        #expect(!RingFacts(["UserFiles:\t1", "    0: /etc/passwd"]).lacksFiles)
    }

    @Test("keys that the kernel counts and does not show are missing, of the session's users alone")
    func keys() {
        let counts = KeyCounts(
            parsing: Array("    0:     9 8/8 3/1000000 40/25000000\n 1000:     2 5/5 5/200 1/20000\nx\n".utf8)
        )
        #expect(counts.keys == [0: 8, 1000: 5])
        #expect(counts.missing([1000], where: [1000: 3]) == "2 keys of uid 1000 are not shown")
        #expect(counts.missing([1000, 7], where: [1000: 5]) == nil)
    }
}
