import Base
import Glibc
import Kernel
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

    @Test("keys in the quota of a user count, and those that the kernel made for itself do not")
    func keys() throws {
        let counts = KeyCount.parse(
            Array("    0:     9 8/8 3/1000000 40/25000000\nnonsense\n 1000: 2 1/1 1/200 9/20000\n".utf8)
        )
        #expect(counts[0]?.inQuota == 3 && counts[0]?.others == 5 && counts[1000]?.inQuota == 1)
        var shown = KeyCount()
        let line = "11d0d4f7 I--Q---     1 perm 0c030000     0 65534 keyring   .user_reg: 2"
        shown.add(try #require(KeyLine(parsing: Array(line.utf8)[...])))
        #expect(shown.inQuota == 1 && shown.others == 0)
    }

    @Test("what is longer than what is read of it is cut and told, and never taken for the whole")
    func bounded() throws {
        let process = try ProcessDirectory(getpid(), on: try Host())
        let (bytes, cut) = try process.bounded("maps", limit: 10)
        #expect(bytes.count == 10 && cut?.reason == "longer than 10 bytes: cut")
        #expect(try process.bounded("comm", limit: 4096).cut == nil)
        #expect(throws: Failure.self) { try process.whole("maps", limit: 10) }
    }
}
