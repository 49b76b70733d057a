import Base
import Testing

@testable import Kernel

@Suite("network addresses")
struct EndpointTests {
    @Test(
        "an address is read and written in its canonical form",
        arguments: [
            ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::1", "::1"), ("::", "::"),
            ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("fe80::1", "fe80::1"),
            ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("localhost", "127.0.0.1"),
        ]
    )
    func canonical(_ text: String, _ written: String) throws {
        #expect(try #require(NetworkAddress(text)).description == written)
    }

    @Test(
        "what is not exactly an address is refused",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "::1::", ":::", "1:2:3:4:5:6:7", "g::",
            "::1%lo",
            "12345::", "1.2.3.4:5", "redis", "1:2:3:4:5:6:7:8::", "+1.2.3.4",
        ]
    )
    func refused(_ text: String) {
        #expect(NetworkAddress(text) == nil)
    }

    @Test("an endpoint wants a port, and brackets around IPv6")
    func endpoints() {
        #expect(Endpoint("[::1]:6390")?.description == "[::1]:6390")
        #expect(Endpoint("127.0.0.1:6390")?.port == 6390)
        for text in ["::1:6390", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:+1", ":80"] {
            #expect(Endpoint(text) == nil, "\(text)")
        }
    }

    @Test("loopback is 127/8 and ::1, also as a mapped address")
    func loopback() throws {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            #expect(try #require(NetworkAddress(text)).isLoopback, "\(text)")
        }
        for text in ["0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "::2"] {
            #expect(try !#require(NetworkAddress(text)).isLoopback, "\(text)")
        }
    }
}

@Suite("who would take a connection")
struct ListenerChoiceTests {
    private func listener(_ address: String, _ inode: UInt64) throws -> InetSocket {
        let none = Endpoint(address: .loopback, port: 0)
        let local = Endpoint(address: try #require(NetworkAddress(address)), port: 6390)
        return InetSocket(
            transport: .tcp,
            state: .listen,
            local: local,
            remote: none,
            uid: 0,
            inode: inode,
            cookie: inode
        )
    }

    @Test("a listener on the exact address goes before one on all addresses, and every exact one counts")
    func exact() throws {
        let endpoint = try #require(Endpoint("127.0.0.1:6390"))
        let all = try [listener("0.0.0.0", 1), listener("127.0.0.1", 2), listener("::", 3), listener("127.0.0.1", 4)]
        #expect(IdentifiedServer.select(all, for: endpoint).map(\.inode) == [2, 4])
        #expect(IdentifiedServer.select([all[0], all[2]], for: endpoint).map(\.inode) == [1, 3])
        #expect(try IdentifiedServer.select([listener("10.0.0.1", 5)], for: endpoint).isEmpty)
    }

    @Test("a listener on 0.0.0.0 takes no IPv6")
    func versions() throws {
        let endpoint = try #require(Endpoint("[::1]:6390"))
        #expect(
            try IdentifiedServer.select([listener("0.0.0.0", 1), listener("::", 2)], for: endpoint).map(\.inode) == [2]
        )
    }
}

@Suite("socket links")
struct SocketLinkTests {
    @Test("only a link that says socket is a socket")
    func links() {
        #expect(BytePath("socket:[4711]").socketInode == 4711)
        for text in ["pipe:[4711]", "socket:[x]", "socket:[1", "/tmp/socket:[1]", "socket:[]", "socket:[-1]"] {
            #expect(BytePath(text).socketInode == nil, "\(text)")
        }
    }
}
