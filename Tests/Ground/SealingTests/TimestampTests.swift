import Base
import Glibc
import Programs
import Testing

@testable import Sealing

@Suite("Timestamps of RFC 3161", .enabled(if: access("/usr/bin/openssl", X_OK) == 0))
struct TimestampTests {
    static let message = Array("a signature".utf8)

    @Test("a query is what openssl reads, and a token of its authority is trusted with the CA and unknown without")
    func roundTrip() throws {
        try withFolder { folder in
            let authority = try LocalAuthority(in: "\(folder)")
            let query = try TimestampQuery(over: Self.message)
            #expect(query.bytes.count == 69)
            #expect(try TimestampQuery(parsing: query.bytes) == query)
            let before = Instant.now().advanced(by: .seconds(-2))
            let token = try TimestampToken(response: try authority.answer(query.bytes), answering: query)
            #expect(try TimestampToken(parsing: token.bytes) == token)
            let unknown = try token.judge(over: Self.message, trusting: [])
            #expect(!unknown.isTrusted)
            #expect(unknown.authority == "/CN=tsa")
            #expect(unknown.time > before && unknown.time <= Instant.now())
            let ca = try TimeAuthority(pem: authority.certificate)
            #expect(try token.judge(over: Self.message, trusting: [ca]).isTrusted)
            #expect { try token.judge(over: [1], trusting: [ca]) } throws: { ($0 as? Failure)?.code == .notVerified }
            Files.write(token.bytes, to: "\(folder)/seal.tsr")
            Files.write(Self.message, to: "\(folder)/data")
            try authority.openssl("ts -verify -data data -in seal.tsr -CAfile ca.pem")
        }
    }

    @Test("another authority's CA does not make a token trusted")
    func anotherCA() throws {
        try withFolder { folder in
            for name in ["a", "b"] { mkdir("\(folder)/\(name)", 0o700) }
            defer { for name in ["a", "b"] { #expect(Files.removeTree("\(folder)/\(name)").isEmpty) } }
            let authority = try LocalAuthority(in: "\(folder)/a")
            let other = try TimeAuthority(pem: try LocalAuthority(in: "\(folder)/b").certificate)
            let query = try TimestampQuery(over: Self.message)
            let token = try TimestampToken(response: try authority.answer(query.bytes), answering: query)
            #expect(try !token.judge(over: Self.message, trusting: [other]).isTrusted)
        }
    }

    @Test("an answer to another question, a refusal and a certificate that is for something else are no timestamp")
    func refused() throws {
        try withFolder { folder in
            let authority = try LocalAuthority(in: "\(folder)")
            let query = try TimestampQuery(over: Self.message)
            let answer = try authority.answer(query.bytes)
            for other in [try TimestampQuery(over: Self.message), try TimestampQuery(over: [1])] {
                #expect { try TimestampToken(response: answer, answering: other) } throws: {
                    ($0 as? Failure)?.code == .notVerified
                }
            }
            var sha1 = query.bytes
            sha1[20] = 9
            let rejected = try authority.answer(sha1)
            #expect { try TimestampToken(response: rejected, answering: query) } throws: {
                ($0 as? Failure)?.code == .refused
            }
            #expect { try TimeAuthority(pem: "no certificate") } throws: { ($0 as? Failure)?.code == .malformed }
        }
    }

    @Test("a changed byte of a stored token is refused, or leaves time and authority as they were")
    func mutations() throws {
        try withFolder { folder in
            let authority = try LocalAuthority(in: "\(folder)")
            let query = try TimestampQuery(over: Self.message)
            let token = try TimestampToken(response: try authority.answer(query.bytes), answering: query)
            let ca = try TimeAuthority(pem: authority.certificate)
            let honest = try token.judge(over: Self.message, trusting: [ca])
            var unfound = 0
            for index in token.bytes.indices {
                var mutated = token.bytes
                mutated[index] ^= 1
                do throws(Failure) {
                    let found = try TimestampToken(parsing: mutated).judge(over: Self.message, trusting: [ca])
                    #expect(found == honest || !found.isTrusted, "byte \(index)")
                    if found == honest { unfound += 1 }
                } catch {
                    #expect(error.code == .malformed || error.code == .notVerified)
                }
            }
            // What is neither signed nor looked at, such as the list of digests that the signature could use.
            #expect(unfound * 20 < token.bytes.count)
            for more in [[0], token.bytes] as [[UInt8]] {
                #expect(throws: Failure.self) { try TimestampToken(parsing: token.bytes + more) }
            }
            for count in stride(from: 0, to: token.bytes.count, by: 13) {
                #expect(throws: Failure.self) { try TimestampToken(parsing: Array(token.bytes[..<count])) }
            }
        }
    }

    @Test("a query with any byte changed is none that Quell wrote, or another question")
    func queries() throws {
        let query = try TimestampQuery(over: Self.message)
        for index in query.bytes.indices {
            var mutated = query.bytes
            mutated[index] ^= 0x80
            do throws(Failure) {
                let other = try TimestampQuery(parsing: mutated)
                #expect(other != query)
            } catch {
                #expect(error.code == .malformed)
            }
        }
    }
}
