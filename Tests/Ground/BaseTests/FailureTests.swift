import Base
import Glibc
import Testing

@Suite("failures and outcomes")
struct FailureTests {
    @Test("a failure says what was tried, on what and why, in one harmless line")
    func words() {
        let failure = Failure(errno: ENOENT, "read the cgroup events", on: BytePath("/a\n7"))
        #expect("\(failure)" == "cannot read the cgroup events: /a\\n7: no such file or directory (ENOENT)")
        #expect(failure.code == .notFound)
        #expect(failure.errno == ENOENT)
        #expect(failure.hint == nil)
        #expect(failure.hinting("quell doctor").hint == "quell doctor")
    }

    @Test(
        "errno decides the code",
        arguments: [
            (ENOENT, Failure.Code.notFound), (ESRCH, .notFound), (EPERM, .notPermitted), (EACCES, .notPermitted),
            (EIO, .system),
            (ENOSPC, .system),
        ]
    )
    func codes(number: Int32, code: Failure.Code) {
        #expect(Failure(errno: number, "x", on: BytePath("y")).code == code)
    }

    @Test("an errno that nobody named keeps its number")
    func unnamed() {
        #expect(SystemErrorName.text(4095).contains("4095"))
    }

    @Test("a failure survives coding")
    func coding() throws {
        let failure = Failure(.refused, "kill", on: "a7", because: "no capture", errno: 1, hint: "quell capture a7")
        #expect(try JSONDecoding.decode(Failure.self, from: try JSONEncoding.canonicalBytes(of: failure)) == failure)
    }

    @Test("each kind of failure has its exit status, and each status a meaning")
    func outcomes() {
        let expected: [(Failure.Code, Int32)] = [
            (.notFound, 2), (.ambiguous, 2), (.notPermitted, 77), (.refused, 5), (.notVerified, 4), (.usage, 64),
            (.cancelled, 130), (.timedOut, 3), (.system, 1), (.malformed, 1), (.changed, 1),
        ]
        for (code, status) in expected {
            #expect(Outcome(Failure(code, "x", on: "y", because: "z")).rawValue == status, "\(code.rawValue)")
        }
        #expect(Set(Outcome.allCases.map(\.meaning)).count == Outcome.allCases.count)
    }
}

@Suite("secrets")
struct SecretTests {
    @Test("a secret has no words, in print, dump or interpolation")
    func silent() {
        let secret = Secret(Array("hunter2".utf8))
        var dumped = ""
        dump(secret, to: &dumped)
        #expect("\(secret)" == "[secret]")
        #expect(String(reflecting: secret) == "[secret]")
        #expect(!dumped.contains("hunter2"))
        #expect(secret.count == 7)
        #expect(secret.withBytes { Array($0) } == Array("hunter2".utf8))
        #expect(Secret([UInt8]()).withBytes { $0.count } == 0)
    }
}

@Suite("pins")
struct SessionPinTests {
    private func pin(boot: String = "b", inode: UInt64? = nil, hierarchy: String = "v2", start: UInt64? = nil)
        -> SessionPin
    {
        SessionPin(
            bootID: boot,
            cgroups: inode.map { [CgroupPin(hierarchy: hierarchy, path: BytePath("/a"), inode: $0)] } ?? [],
            leader: start.map { ProcessPin(pid: 7, startTicks: $0) }
        )
    }

    @Test("the same session has the same boot and a common cgroup or the same leader")
    func same() {
        #expect(pin(inode: 1).isSameSession(as: pin(inode: 1, start: 5)))
        #expect(pin(start: 5).isSameSession(as: pin(inode: 9, start: 5)))
    }

    @Test("RT35 a reused pid, a cgroup made anew, another hierarchy or another boot is another session")
    func different() {
        #expect(!pin(start: 5).isSameSession(as: pin(start: 6)))
        #expect(!pin(inode: 1).isSameSession(as: pin(inode: 2)))
        #expect(!pin(inode: 1).isSameSession(as: pin(inode: 1, hierarchy: "v1:freezer")))
        #expect(!pin(boot: "a", inode: 1, start: 5).isSameSession(as: pin(boot: "b", inode: 1, start: 5)))
        #expect(!pin().isSameSession(as: pin()))
    }
}
