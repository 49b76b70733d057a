import Base
import Testing

@testable import Kernel

@Suite("what is parked beside a descriptor table")
struct SocketTableTests {
    private func table(_ ring: String) -> SocketTable {
        var table = SocketTable()
        table.addRing(Array(ring.utf8))
        return table
    }

    @Test("descriptors in flight are told by the unix socket that would receive them")
    func inFlight() {
        #expect(SocketTable.waiting(Array("pos:\t0\nino:\t7\nscm_fds: 12\n".utf8)) == 12)
        #expect(SocketTable.waiting(Array("pos:\t0\nino:\t7\n".utf8)) == 0)
    }

    @Test("RT29 the sockets among the files of an io_uring are told, and nothing else is taken for one")
    func ring() {
        let found = table(
            "SqMask:\t0x7\nUserFiles:\t9\n    0: socket:[41]\n    3: /home/socket:[5]\n    4: anon_inode:[eventfd]\n"
                + "    5: pipe:[6]\n10000: socket:[42]\nUserBufs:\t1\n    0: socket:[43]\nPollList:\n"
        )
        #expect(found.registered == [41, 42])
        #expect(found.rings == 1 && found.unnamed == 0 && found.busyRings == 0)
    }

    @Test("files that an older kernel tells by their last name alone may be sockets, and a ring in use may have any")
    func older() {
        #expect(table("UserFiles:\t3\n    0: TCP\n    1: <none>\n    2: passwd\nUserBufs:\t0\n").unnamed == 2)
        #expect(table("UserFiles:\t3\nUserBufs:\t0\n").busyRings == 1)
        #expect(table("SqMask:\t0x7\n").busyRings == 1)
        #expect(table("UserFiles:\t0\nUserBufs:\t0\n").busyRings == 0)
    }
}
