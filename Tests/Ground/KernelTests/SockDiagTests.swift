import Base
import Testing

@testable import Kernel

/// Answers of a Linux 6.18 kernel to an inet dump over loopback, as they came over the socket.
private enum Recorded {
    /// 127.0.0.1:45153 listening, backlog 5.
    static let listener =
        "98010000140002000700000094300000"  // nlmsghdr: length, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, sequence 7, port
        + "020a0000"  // family, state, timer, retransmissions
        + "b0610000"  // ports, big endian
        + "7f000001000000000000000000000000"  // source
        + "00000000000000000000000000000000"  // destination
        + "00000000"  // interface
        + "0110000000000000"  // cookie
        + "00000000"  // expires
        + "00000000"  // receive queue
        + "05000000"  // send queue
        + "00000000"  // uid
        + "301c0300"  // inode
        + "0500080000000000"  // shutdown
        + "08000f0000000000"  // class id
        + "0c0015000100000000000000"  // cgroup id
        + "0600160052000000"  // socket options
        + "1c0102000a00000000000000000000000000000000000000000000000000000005000000000000000000000000000000"
        + "0000000000000000000000000000000000000000000000000000000000000000000000000a0000000000000003000000"
        + "000000000000000000000000ffffffffffffffffffffffffffffffff"  // tcp_info up to the pacing rates
        + "0000000000000000"  // bytes acknowledged
        + "0000000000000000"  // bytes received
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "00000000000000000000000000000000"  // segments, round trips, delivery
        + "0000000000000000"  // bytes sent
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000"  // the rest

    /// 127.0.0.1:49274 -> 127.0.0.1:45153, which sent 1000 bytes and received 10.
    static let connection =
        "98010000140002000700000094300000"  // nlmsghdr: length, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, sequence 7, port
        + "02010000"  // family, state, timer, retransmissions
        + "c07ab061"  // ports, big endian
        + "7f000001000000000000000000000000"  // source
        + "7f000001000000000000000000000000"  // destination
        + "00000000"  // interface
        + "0210000000000000"  // cookie
        + "00000000"  // expires
        + "00000000"  // receive queue
        + "00000000"  // send queue
        + "00000000"  // uid
        + "311c0300"  // inode
        + "0500080000000000"  // shutdown
        + "08000f0000000000"  // class id
        + "0c0015000100000000000000"  // cgroup id
        + "0600160052000000"  // socket options
        + "1c010200010000000007aa01e01c0300409c0000008a0000180200000000000000000000000000000000000000000000"
        + "00000000000000000000000000000000ffff0000d7ff00001e00000011000000ffffff7f0b000000cbff000003000000"
        + "00000000d7ff00000000000049f8556806000000ffffffffffffffff"  // tcp_info up to the pacing rates
        + "e903000000000000"  // bytes acknowledged
        + "0a00000000000000"  // bytes received
        + "04000000030000000000000009000000010000000100000055d5f7e90000000000000000000000000000000000000000"
        + "00000000000000000200000000000000"  // segments, round trips, delivery
        + "e803000000000000"  // bytes sent
        + "000000000000000000000000000000000000000000140100000001000000000000000000000000000000000000000000"
        + "000000000000000000000000000000000000000000000000"  // the rest

    /// NLMSG_DONE of sequence 7.
    static let done = "1400000003000200070000009430000000000000"

    static func bytes(_ hex: String...) throws -> [UInt8] { try #require(Hex.decode(hex.joined())) }
}

@Suite("sock_diag answers")
struct SockDiagTests {
    private func socket(in datagram: [UInt8]) throws -> InetSocket {
        let first = try #require(SockDiagMessage.answers(in: datagram[...], sequence: 7).answers.first)
        guard case .socket(let payload) = first else { throw Failure(.malformed, "read", on: "\(first)", because: "?") }
        return try #require(SockDiagMessage.inetSocket(payload, .tcp))
    }

    @Test("an error number that has no opposite is an answer like another, and not the end of Quell")
    func smallestNumber() {
        let number: [UInt8] = [0, 0, 0, 0x80]
        for type: UInt8 in [2, 3] {
            let message: [UInt8] = [20, 0, 0, 0, type, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + number
            let found = SockDiagMessage.answers(in: message[...], sequence: 1)
            #expect(found.answers == [type == 3 ? .done(errno: .min) : .error(errno: .min)] && found.isWhole)
        }
        let refused: [UInt8] = [20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] + number
        #expect(throws: Failure.self) { try RouteMessage.links(in: refused[...]) }
    }

    @Test("a recorded listener has its address, its backlog and its inode")
    func listener() throws {
        let listener = try socket(in: Recorded.bytes(Recorded.listener))
        #expect(listener.state == .listen)
        #expect(listener.local == Endpoint("127.0.0.1:45153"))
        #expect(listener.remote.port == 0)
        #expect(listener.inode == 203_824)
        #expect(listener.cookie == 4097)
        #expect(listener.sendQueue == 5)
        #expect(listener.cgroupID == 1)
    }

    @Test("a recorded connection has both ends, its cgroup and the bytes that went over it")
    func connection() throws {
        let bytes = try Recorded.bytes(Recorded.connection)
        let connection = try socket(in: bytes)
        #expect(connection.state == .established)
        #expect(connection.local == Endpoint("127.0.0.1:49274"))
        #expect(connection.remote == Endpoint("127.0.0.1:45153"))
        #expect(connection.cgroupID == 1)
        let counters = TCPCounters(bytesSent: 1000, bytesAcknowledged: 1001, bytesReceived: 10)
        #expect(connection.counters == counters)
    }

    @Test("messages of another sequence number are not answers")
    func otherSequence() throws {
        let datagram = try Recorded.bytes(Recorded.listener, Recorded.done)
        #expect(SockDiagMessage.answers(in: datagram[...], sequence: 7).answers.count == 2)
        #expect(SockDiagMessage.answers(in: datagram[...], sequence: 8).answers.isEmpty)
    }

    @Test("an interrupted dump says so, and an error has its errno")
    func flags() throws {
        var done = try Recorded.bytes(Recorded.done)
        done[6] |= 0x10
        #expect(SockDiagMessage.answers(in: done[...], sequence: 7).interrupted)
        // NLMSG_ERROR with -EPERM.
        let refused = try Recorded.bytes("1400000002000000" + "0700000000000000" + "ffffffff")
        #expect(SockDiagMessage.answers(in: refused[...], sequence: 7).answers == [.error(errno: 1)])
    }

    @Test("a cut or lying datagram never reads outside itself")
    func mutations() throws {
        let whole = try Recorded.bytes(Recorded.listener, Recorded.done)
        for length in 0..<whole.count {
            let cut = SockDiagMessage.answers(in: whole[..<length], sequence: 7)
            if length > 0, length != 408 { #expect(!cut.isWhole) }
            for case .socket(let payload) in cut.answers { _ = SockDiagMessage.inetSocket(payload, .tcp) }
        }
        for position in 0..<408 {
            for value in [UInt8(0), 1, 0x7f, 0xff] {
                var changed = whole
                changed[position] = value
                for case .socket(let payload) in SockDiagMessage.answers(in: changed[...], sequence: 7).answers {
                    _ = SockDiagMessage.inetSocket(payload, .tcp)
                    _ = SockDiagMessage.unixSocket(payload)
                }
            }
        }
    }

    @Test("a unix socket has its peer and an abstract name is shown with @")
    func unix() throws {
        // AF_UNIX, SOCK_STREAM, established, inode 4711, cookie; name "\0bus", peer 4712.
        let payload = try Recorded.bytes(
            "01010100" + "67120000" + "0000000000000000" + "0800000000627573" + "08000200" + "68120000"
        )
        let socket = try #require(SockDiagMessage.unixSocket(ByteReader(payload[...])))
        #expect(socket.inode == 4711)
        #expect(socket.peer == 4712)
        #expect(socket.name == BytePath("@bus"))
        #expect(!socket.isListening)
    }
}
