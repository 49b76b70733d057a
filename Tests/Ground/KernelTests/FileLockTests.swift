import Testing

@testable import Kernel

@Suite("locks on files")
struct FileLockTests {
    @Test("the kernel's list gives each lock with who waits for it; a lock of an open file description has no taker")
    func parsing() {
        let text = """
            1: POSIX  ADVISORY  READ 3546 fd:00:524297 1073741826 1073742335
            2: FLOCK  ADVISORY  WRITE 4095 00:19:853 0 EOF
            2: -> FLOCK  ADVISORY  WRITE 4096 00:19:853 0 EOF
            2: -> FLOCK  ADVISORY  WRITE 4097 00:19:853 0 EOF
            3: OFDLCK ADVISORY  WRITE -1 00:19:12 0 EOF
            4: LEASE  ACTIVE    READ 77 08:01:99 0 EOF
            nonsense
            5: SHORT

            """
        let locks = FileLock.parse(Array(text.utf8))
        #expect(locks.map(\.kind) == ["POSIX", "FLOCK", "OFDLCK", "LEASE"])
        #expect(locks.map(\.pid) == [3546, 4095, nil, 77])
        #expect(locks.map(\.mode) == ["READ", "WRITE", "WRITE", "READ"])
        #expect(locks.map(\.waiting) == [0, 2, 0, 0])
        #expect(locks.map(\.file) == ["fd:00:524297", "00:19:853", "00:19:12", "08:01:99"])
    }
}
