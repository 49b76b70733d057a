import Base
import Testing

@testable import Credentials

@Suite("Redis facts")
struct RedisFactsTests {
    private func reply(_ text: String) throws -> RESPValue {
        let bytes = Array(text.replacing("\n", with: "\r\n").utf8)
        guard case .value(let value, _) = try RESPParser.parse(bytes) else {
            throw Failure(.malformed, "read", on: "the sample", because: "it is incomplete")
        }
        return value
    }

    private let hash = String(repeating: "5e", count: 32)

    @Test("ACL GETUSER gives flags and counts, and no hash")
    func user() throws {
        // Redis 7.0.15, recorded; the selectors are an empty list.
        let text = """
            *12
            $5
            flags
            *1
            $2
            on
            $9
            passwords
            *1
            $64
            \(hash)
            $8
            commands
            $5
            +@all
            $4
            keys
            $8
            ~agent:*
            $8
            channels
            $2
            &*
            $9
            selectors
            *0

            """
        let user = try #require(try RedisUser(reply(text)))
        #expect(user.isEnabled)
        #expect(user.flags == ["on"])
        #expect(user.passwords == 1)
        #expect(user.keys == "~agent:*")
        let encoded = String(decoding: try JSONEncoding.canonicalBytes(of: user), as: UTF8.self)
        #expect(!encoded.contains(hash))
    }

    @Test("an unknown user is nil, and a user that is neither on nor off or both is no answer")
    func notAUser() throws {
        #expect(try RedisUser(.null) == nil)
        func flags(_ names: String...) -> RESPValue {
            let list = names.map { RESPValue.bulk(Array($0.utf8)) }
            return .array([.bulk(Array("flags".utf8)), .array(list), .bulk(Array("passwords".utf8)), .array([])])
        }
        #expect(try RedisUser(flags("off"))?.isEnabled == false)
        for wrong in [flags(), flags("on", "off"), .array([]), .integer(1), .array([.null])] {
            #expect(throws: Failure.self) { try RedisUser(wrong) }
        }
    }

    @Test("clients are counted by their whole user name")
    func clients() throws {
        let list = """
            id=3 addr=127.0.0.1:1 laddr=127.0.0.1:6390 fd=8 name=user=agent7x db=0 user=default redir=-1
            id=4 addr=127.0.0.1:2 laddr=127.0.0.1:6390 fd=9 name= db=0 user=agent7 redir=-1
            id=5 addr=127.0.0.1:3 laddr=127.0.0.1:6390 fd=10 name= db=0 user=agent77 redir=-1

            """
        #expect(try RedisClients.count(of: "agent7", in: .bulk(Array(list.utf8))) == 1)
        #expect(try RedisClients.count(of: "nobody", in: .bulk([])) == 0)
        for wrong in [RESPValue.null, .bulk(Array("id=3 addr=x\n".utf8)), .array([])] {
            #expect(throws: Failure.self) { try RedisClients.count(of: "agent7", in: wrong) }
        }
    }

    @Test("RT40 other users with the same password are found, and only by a whole hash")
    func siblings() throws {
        let other = String(repeating: "ab", count: 32)
        let lines = [
            "user agent7 on #\(hash) ~* &* +@all", "user twin on #\(other) #\(hash) ~* +@all",
            "user sleeper off #\(hash) -@all", "user default on #\(other) ~* &* +@all", "user open on nopass ~* +@all",
            "broken", "user both on off #\(hash)",
        ].map { RESPValue.bulk(Array($0.utf8)) }
        let siblings = try RedisAccessList(.array(lines)).siblings(of: "agent7")
        #expect(
            siblings == [
                SiblingCredential(principal: "twin", isEnabled: true),
                SiblingCredential(principal: "sleeper", isEnabled: false),
            ]
        )
    }

    @Test("a saved file is read by its last line for the user")
    func saved() {
        let file = Array(
            "# users\nport 6390\r\nuser agent7 on >x ~*\r\nuser agent77 on ~* x\nuser agent7 off ~* +@all\n".utf8
        )
        #expect(RedisSavedUsers.standing(of: "agent7", in: file) == .disabled)
        #expect(RedisSavedUsers.standing(of: "agent77", in: file) == .enabled)
        #expect(RedisSavedUsers.standing(of: "agent", in: file) == .missing)
        #expect(RedisSavedUsers.standing(of: "agent7", in: BytePath("/nowhere/users.acl")) == .notKnown)
        #expect(RedisSavedUsers.standing(of: "agent7", in: nil) == .notKnown)
    }
}
