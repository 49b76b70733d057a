import Base
import Glibc
import Kernel
import Testing

@testable import Evidence

@Suite("Network tables")
struct NetworkTests {
    private func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    private func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
        return bytes(UInt16(4 + value.count)) + bytes(type) + value + padding
    }

    private func message(_ body: [UInt8]) -> NetlinkMessage { NetlinkMessage(type: 0, payload: body[...]) }

    @Test("the interfaces, addresses and routes of this machine are told")
    func live() throws {
        var links: [JSONObject] = []
        for message in try NetlinkTalk(.route, in: -1).dump(NetworkTable.link.request, NetworkTable.link.body) {
            if let line = NetworkTable.link.line(of: message) { links.append(line) }
        }
        let loopback = try #require(links.first { $0["name"] == "lo" })
        #expect(loopback["hardwareAddress"] == "00:00:00:00:00:00" && loopback["mtu"]?.integer ?? 0 > 0)
        for table in [NetworkTable.address, .route, .neighbour] {
            let messages = try NetlinkTalk(.route, in: -1).dump(table.request, table.body)
            #expect(messages.allSatisfy { table.line(of: $0) != nil }, "\(table)")
        }
    }

    @Test("a route, a neighbour and a rule are read from recorded messages")
    func recorded() throws {
        let route = message(
            [2, 24, 0, 0, 254, 3, 0, 1] + bytes(UInt32(0)) + attribute(1, [10, 0, 7, 0]) + attribute(5, [10, 0, 0, 1])
                + attribute(4, bytes(UInt32(3))) + attribute(15, bytes(UInt32(254)))
        )
        let told = try #require(NetworkTable.route.line(of: route))
        #expect(told["destination"] == "10.0.7.0" && told["prefix"] == 24 && told["gateway"] == "10.0.0.1")
        #expect(told["index"] == 3 && told["routeTable"] == 254)
        let neighbour = message(
            [2, 0, 0, 0] + bytes(UInt32(3)) + bytes(UInt16(2)) + [0, 1] + attribute(1, [10, 0, 0, 1])
                + attribute(2, [0xaa, 0xbb, 0, 1, 2, 0xff])
        )
        #expect(NetworkTable.neighbour.line(of: neighbour)?["hardwareAddress"] == "aa:bb:00:01:02:ff")
        let chain = message([2, 0, 0, 0] + attribute(1, Array("filter\0".utf8)) + attribute(3, Array("input\0".utf8)))
        let nft = try #require(NetworkTable.nftChain.line(of: chain))
        #expect(nft["nftable"] == "filter" && nft["chain"] == "input")
    }

    @Test("sockets of families that this kernel may not diagnose are read from recorded messages")
    func families() throws {
        let packet = message(
            [17, 3, 0x03, 0x00] + bytes(UInt32(77)) + [UInt8](repeating: 0, count: 8) + attribute(0, bytes(UInt32(2)))
        )
        let told = try #require(SocketFamily.packet.socket(packet))
        #expect(told.inode == 77 && told.line["protocol"] == "0x3" && told.line["interface"] == 2)
        let netlink = message(
            [16, 3, 15, 1] + [4321, 0, 0, 78].flatMap { bytes(UInt32($0)) } + [UInt8](repeating: 0, count: 8)
        )
        #expect(
            SocketFamily.netlink.socket(netlink)?.line["port"] == 4321
                && SocketFamily.netlink.socket(netlink)?.inode == 78
        )
        let vsock = message(
            [40, 1, 1, 0] + [3, 1024, 2, 9, 79].flatMap { bytes(UInt32($0)) } + [UInt8](repeating: 0, count: 8)
        )
        let other = try #require(SocketFamily.vsock.socket(vsock))
        #expect(other.inode == 79 && other.line["local"] == "3:1024" && other.line["remote"] == "2:9")
        #expect(SocketFamily.vsock.socket(packet) == nil)
    }

    @Test(
        "a packet socket and a netlink socket of this process are told with who holds them; nothing that is held is missing"
    )
    func joined() throws {
        let netlink = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), 0)
        let unbound = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(netlink)
            close(unbound)
        }
        let scene = try Scene()
        var request = scene.request(.volatile)
        request.subjects = [
            CaptureSubject(pin: try ProcessDirectory(getpid(), on: Host()).stat().pin, membership: .member)
        ]
        let captured = try scene.capture(request)
        let lines = try captured.lines(of: "data/sockets.jsonl")
        for held in [netlink, unbound] {
            var facts = Glibc.stat()
            fstat(held, &facts)
            let line = try #require(lines.first { $0["inode"]?.string == String(facts.st_ino) })
            #expect(line["holders"]?.array?.contains { $0["link"]?.string == "fd/\(held)" } == true)
            if held == unbound { #expect(line["kind"] != "undiagnosed" || line["protocol"] == "TCP") }
        }
        #expect(try captured.lines(of: "data/network.jsonl").contains { $0["table"] == "link" && $0["name"] == "lo" })
    }

    @Test("messages that were cut or changed end the reading and never more", arguments: 0..<8)
    func mutations(_ seed: Int) {
        var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
        let sample =
            bytes(UInt32(44)) + bytes(UInt16(24)) + [UInt8](repeating: 0, count: 10)
            + [2, 24, 0, 0, 254, 3, 0, 1] + bytes(UInt32(0)) + attribute(1, [10, 0, 7, 0])
            + attribute(5, [10, 0, 0, 1])
        for _ in 0..<500 {
            var bytes = sample
            for _ in 0..<4 {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                bytes[Int(state % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: state >> 32)
            }
            bytes.removeLast(Int(state % 40))
            for message in NetlinkMessage.all(in: bytes[...]) {
                for table in NetworkTable.allCases { _ = table.line(of: message) }
                for family in SocketFamily.allCases { _ = family.socket(message) }
            }
        }
    }
}
