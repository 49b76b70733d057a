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
}
