import Base
import Kernel
import Testing

@testable import Credentials

@Suite("what may be revoked")
struct RevocationTargetTests {
    private func declared(_ principal: String, admin: String = "default") throws -> DeclaredCredential {
        DeclaredCredential(
            id: "cache",
            handle: try CredentialHandle("redis:\(principal)@127.0.0.1:6390"),
            serverExecutable: BytePath("/usr/bin/redis-server"),
            serverUID: 102,
            adminUser: admin,
            adminPasswordFile: BytePath("/etc/quell/redis.secret")
        )
    }

    @Test("RT1 of the session's, a bystander's and Quell's own credential in one workspace only the first may go")
    func ownership() throws {
        let inventory = [try declared("agent7")]
        func found(_ text: String) throws -> FoundCredential {
            FoundCredential(handle: try CredentialHandle(text), place: "/work/.env")
        }
        let mine = try RevocationTarget(found: found("redis:agent7@127.0.0.1:6390"), declared: inventory, of: nil)
        #expect(mine.credential.id == "cache")
        for other in ["redis:bystander@127.0.0.1:6390", "redis:default@127.0.0.1:6390", "redis:agent7@127.0.0.1:6391"] {
            let failure = #expect(throws: Failure.self, "\(other)") {
                try RevocationTarget(found: found(other), declared: inventory, of: nil)
            }
            #expect(failure?.code == .refused)
        }
    }

    @Test("RT1 an inventory that declares Quell's own user as the agent's is refused")
    func own() throws {
        let failure = #expect(throws: Failure.self) { try RevocationTarget(try declared("default"), of: nil) }
        #expect(failure?.code == .refused)
    }

    @Test("RT9 the endpoint, the executable and the user come from the inventory, and the session stands outside")
    func expectation() throws {
        let leader = ProcessPin(pid: 4711, startTicks: 1)
        let stray = ProcessPin(pid: 4712, startTicks: 2)
        let pin = SessionPin(
            bootID: "b",
            cgroups: [CgroupPin(hierarchy: "v2", path: BytePath("/agents/a7"), inode: 9)],
            leader: leader
        )
        let expectation = try RevocationTarget(try declared("agent7"), of: pin, notAmong: [stray]).expectation
        #expect(expectation.endpoint == Endpoint("127.0.0.1:6390"))
        #expect(expectation.uid == 102)
        #expect(expectation.outside == pin.cgroups)
        #expect(Set(expectation.notAmong) == [leader, stray])
    }

    @Test("a handle is read and written, whatever signs the principal has")
    func handles() throws {
        for text in ["redis:agent7@127.0.0.1:6390", "redis:a@b:c@[::1]:6390"] {
            #expect(try CredentialHandle(text).description == text)
        }
        #expect(try CredentialHandle("redis:a@b:c@[::1]:6390").principal == "a@b:c")
        for text in [
            "", "redis", "redis:@127.0.0.1:1", "redis:a b@127.0.0.1:1", "redis:a@host:1", "Redis:a@127.0.0.1:1",
            "redis:a\n@127.0.0.1:1", "redis:ä@127.0.0.1:1", ":a@127.0.0.1:1",
        ] {
            #expect(throws: Failure.self, "\(text)") { try CredentialHandle(text) }
        }
    }
}

@Suite("receipts and the ledger")
struct ReceiptTests {
    private func receipt(
        _ after: Sighting,
        _ persistence: Persistence = .seenOnDisk,
        siblings: [SiblingCredential] = [],
        ended: Int64 = 2
    ) throws -> Receipt {
        Receipt(
            credential: "cache",
            handle: try CredentialHandle("redis:agent7@127.0.0.1:6390"),
            server: try server(),
            before: Sighting(trial: .accepted, standing: .enabled, sessions: 2),
            asked: true,
            after: after,
            persistence: persistence,
            siblings: siblings,
            began: Instant(nanoseconds: 1),
            ended: Instant(nanoseconds: ended)
        )
    }

    private func server() throws -> ServerIdentity {
        let text = """
            {"pin":{"pid":7,"startTicks":1},"uid":102,"executable":"/usr/bin/redis-server","device":1,"inode":2,"listener":3}
            """
        return try JSONDecoding.decode(ServerIdentity.self, from: Array(text.utf8))
    }

    private let gone = Sighting(trial: .refused, standing: .disabled, sessions: 0)

    @Test("the sentence says what limits the verdict")
    func sentences() throws {
        #expect(
            try receipt(gone).sentence
                == "redis:agent7@127.0.0.1:6390: dead, its password was accepted before and is refused now, 2 sessions ended"
        )
        #expect(
            try receipt(gone, .untilRestart).sentence.hasSuffix(
                "; only until the server restarts: the change could not be saved"
            )
        )
        let twin = SiblingCredential(principal: "twin", isEnabled: true)
        #expect(try receipt(gone, siblings: [twin]).sentence.hasSuffix("; the same password still opens twin"))
        let open = Sighting(trial: .refused, standing: .disabled, sessions: 1)
        #expect(try receipt(open).sentence.hasSuffix("still-alive, 1 session still open"))
        let untried = Sighting(trial: .notTried, standing: .disabled, sessions: 0)
        #expect(try receipt(untried).sentence.contains("asked-unverified"))
        let unread = Sighting(trial: .notTried, standing: .disabled, sessions: 0, untried: "read /run/s: no such file")
        #expect(try receipt(unread).sentence.hasSuffix("; its password was not tried: read /run/s: no such file"))
    }

    @Test("a receipt survives its encoding")
    func encoding() throws {
        let original = try receipt(gone, .untilRestart, siblings: [SiblingCredential(principal: "t", isEnabled: false)])
        let value = try JSONEncoding.value(of: original)
        #expect(try JSONDecoding.decode(Receipt.self, from: value) == original)
    }

    @Test("every step and a ledger survive their encoding, as the journal needs it")
    func journalled() throws {
        let steps: [RedisEffect] = [
            .disable(principal: "a", wasEnabled: true), .endSessions(principal: "a"),
            .save(principal: "a", enabled: false), .enable(principal: "a"),
        ]
        let bytes = try JSONEncoding.canonicalBytes(of: steps)
        #expect(try JSONDecoding.decode([RedisEffect].self, from: bytes) == steps)
        var ledger = Ledger()
        try ledger.take(try receipt(gone, siblings: [SiblingCredential(principal: "twin", isEnabled: true)]))
        let stored = try JSONEncoding.canonicalBytes(of: ledger)
        #expect(try JSONDecoding.decode(Ledger.self, from: stored) == ledger)
    }

    @Test("RT40 the ledger takes the newest verdict and lists siblings as found, not as ours")
    func ledger() throws {
        var ledger = Ledger()
        let handle = try CredentialHandle("redis:agent7@127.0.0.1:6390")
        ledger.note(handle, .found("/work/.env"))
        ledger.note(handle, .declared("cache"))
        #expect(ledger.records.map(\.origin) == [.declared("cache")])
        let alive = Sighting(trial: .accepted, standing: .enabled, sessions: 1)
        try ledger.take(try receipt(alive, ended: 5))
        #expect(ledger.open.map(\.verdict) == [.stillAlive])
        try ledger.take(try receipt(gone, ended: 4))
        #expect(ledger.records[0].verdict == .stillAlive)
        try ledger.take(try receipt(gone, siblings: [SiblingCredential(principal: "twin", isEnabled: true)], ended: 6))
        #expect(ledger.open.map(\.handle.principal) == ["twin"])
        #expect(ledger.open.map(\.origin) == [.found("it has the password of agent7")])
    }
}
