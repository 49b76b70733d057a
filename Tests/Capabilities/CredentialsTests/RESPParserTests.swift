import Base
import Testing

@testable import Credentials

@Suite("RESP parser")
struct RESPParserTests {
    private func parse(_ text: String) throws -> RESPParser.Step { try RESPParser.parse(Array(text.utf8)) }

    private func bulk(_ text: String) -> RESPValue { .bulk(Array(text.utf8)) }

    @Test("each kind of reply is read, and how many bytes it took")
    func kinds() throws {
        #expect(try parse("+OK\r\n+next") == .value(.simple(Array("OK".utf8)), count: 5))
        #expect(try parse(":-42\r\n") == .value(.integer(-42), count: 6))
        #expect(try parse("$3\r\na\r\n\r\n") == .value(bulk("a\r\n"), count: 9))
        #expect(try parse("$0\r\n\r\n") == .value(bulk(""), count: 6))
        #expect(try parse("$-1\r\n") == .value(.null, count: 5))
        #expect(try parse("*-1\r\n") == .value(.null, count: 5))
        #expect(
            try parse("*2\r\n$1\r\na\r\n*1\r\n:7\r\n") == .value(.array([bulk("a"), .array([.integer(7)])]), count: 19)
        )
    }

    @Test("every shorter piece of a reply is incomplete, never wrong")
    func pieces() throws {
        let whole = Array("*3\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$7\r\nallkeys\r\n-ERR no\r\n".utf8)
        for length in 0..<whole.count {
            #expect(try RESPParser.parse(Array(whole[..<length])) == .incomplete, "\(length)")
        }
        guard case .value(_, whole.count) = try RESPParser.parse(whole) else {
            Issue.record("the whole is a value")
            return
        }
    }

    @Test(
        "a hostile reply is refused before anything is allocated for it",
        arguments: [
            "$99999999999\r\n", "$17000000\r\n", "$-2\r\n", "$+1\r\n", "$ 1\r\n", "$\r\n", "$1x\r\na\r\n",
            "$1\r\nab\r\n",
            "*100001\r\n", "*-2\r\n", "*99999999999999999999\r\n", "_\r\n", "%1\r\n", "~1\r\n", ",1.5\r\n", "#t\r\n",
            "\r\n", "+OK\rX", ":\r\n", ":1.0\r\n", ":--1\r\n", "HTTP/1.1 400 Bad Request\r\n", "\u{0}\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        ]
    )
    func hostile(_ text: String) {
        let failure = #expect(throws: Failure.self) { try parse(text) }
        #expect(failure?.code == .malformed)
    }

    @Test("arrays of arrays are counted together")
    func bomb() {
        var limits = RESPParser.Limits()
        limits.allElements = 100
        let text = "*50\r\n" + String(repeating: "*50\r\n", count: 50)
        #expect(throws: Failure.self) { try RESPParser.parse(Array(text.utf8), limits: limits) }
    }

    @Test("a line without end is refused at its limit, a reply at its own")
    func endless() throws {
        let line = [UInt8(ascii: "+")] + [UInt8](repeating: 0x61, count: 70_000)
        #expect(throws: Failure.self) { try RESPParser.parse(line) }
        var limits = RESPParser.Limits()
        limits.reply = 100
        let bulk = Array("*2\r\n$90\r\n".utf8) + [UInt8](repeating: 0x61, count: 95)
        #expect(throws: Failure.self) { try RESPParser.parse(bulk, limits: limits) }
    }

    @Test("no change of one byte crashes the parser or makes it read further than the bytes")
    func mutations() {
        let whole = Array("*3\r\n$5\r\nflags\r\n*1\r\n$2\r\non\r\n:12\r\n".utf8)
        for position in whole.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = whole
                changed[position] = byte
                guard let step = try? RESPParser.parse(changed) else { continue }
                if case .value(_, let count) = step { #expect(count <= changed.count) }
            }
        }
    }

    @Test("an error shows its first word only, for a server may repeat the password in the rest")
    func errors() throws {
        let text = "-ERR unknown command 'AUTH', with args beginning with: 'agent7' 'hunter2'\r\n"
        guard case .value(.error(let error), _) = try parse(text) else {
            Issue.record("an error is a value")
            return
        }
        #expect(error.code == "ERR")
        var dumped = ""
        dump(error, to: &dumped)
        #expect(!"\(error) \(dumped) \(String(reflecting: error))".contains("hunter2"))
        #expect(RESPError(Array("hunter2".utf8)).code == "UNREADABLE")
        #expect(
            RESPError(Array("WRONGPASS invalid username-password pair or user is disabled.".utf8)).code == "WRONGPASS"
        )
    }
}
