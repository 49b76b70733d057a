import Base
import Testing

@testable import Kernel

@Suite("allow list")
struct AllowListTests {
    private func entry(_ text: String) throws -> AllowList.Entry { try #require(AllowList.Entry(text)) }

    @Test(
        "an entry is an address of one machine, with a port or without",
        arguments: ["192.0.2.7", "192.0.2.7:6514", "2001:db8::7", "[2001:db8::7]:6514"]
    )
    func reads(text: String) throws {
        #expect(try entry(text).text == text)
    }

    @Test(
        "names, nets, everybody, multicast and port 0 are no entries",
        arguments: [
            "", "log.example", "192.0.2.0/24", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "192.0.2.7:0",
            "192.0.2.7:65536",
            "2001:db8::7:6514:1:2:3:4:5", "[2001:db8::7]", "$(id)", "192.0.2.7 ",
        ]
    )
    func refuses(text: String) {
        #expect(AllowList.Entry(text) == nil)
    }

    @Test("an IPv4 address in its mapped form is the IPv4 address")
    func mapped() throws {
        #expect(try entry("::ffff:192.0.2.7").address == NetworkAddress("192.0.2.7"))
        let list = AllowList([try entry("192.0.2.7:6514")])
        #expect(list.permits(try #require(Endpoint("[::ffff:192.0.2.7]:6514"))))
        #expect(!list.permits(try #require(Endpoint("192.0.2.7:6515"))))
        #expect(!list.permits(try #require(Endpoint("192.0.2.8:6514"))))
    }

    @Test("the program of an empty list is r0 = 0; exit")
    func nothing() {
        #expect(PacketProgram.dropping(except: AllowList()) == [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095])
    }

    @Test("every jump of a program leads forward to an instruction of it")
    func jumps() throws {
        let list = AllowList([try entry("192.0.2.7:6514"), try entry("2001:db8::7"), try entry("198.51.100.1")])
        let program = PacketProgram.dropping(except: list)
        for (place, instruction) in program.enumerated() {
            let kind = instruction & 0x07
            guard kind == 0x05 || kind == 0x06, instruction & 0xff != 0x85, instruction & 0xff != 0x95 else { continue }
            let distance = Int(Int16(truncatingIfNeeded: instruction >> 16))
            #expect(distance >= 0 && place + 1 + distance < program.count, "instruction \(place)")
        }
        #expect(program.suffix(4) == [0x1_0000_00b7, 0x95, 0xb7, 0x95])
    }

    @Test("the longest list is loaded by the kernel's limit of 4096 instructions")
    func longest() throws {
        let entries = try (0..<AllowList.most).map { try entry("[2001:db8::\($0 + 1)]:6514") }
        #expect(PacketProgram.dropping(except: AllowList(entries)).count < 4096)
    }
}

@Suite("nftables")
struct PacketTableTests {
    private let name = "quell-0011223344556677"

    private func group(_ path: String) -> CgroupPin { CgroupPin(hierarchy: "v2", path: BytePath(path), inode: 5) }

    @Test("a table for a whole namespace drops by policy and lets the list through")
    func whole() throws {
        let list = AllowList([
            try #require(AllowList.Entry("192.0.2.7:6514")), try #require(AllowList.Entry("2001:db8::7")),
        ])
        let rules = try PacketTable(name: name, networkNamespace: 1, allowed: list).rules()
        #expect(
            rules == """
                table inet quell-0011223344556677 {
                  chain output {
                    type filter hook output priority -500; policy drop;
                    ip daddr 192.0.2.7 meta l4proto { tcp, udp } th dport 6514 accept
                    ip6 daddr 2001:db8::7 meta l4proto { tcp, udp } accept
                  }
                  chain input {
                    type filter hook input priority -500; policy drop;
                    ip saddr 192.0.2.7 meta l4proto { tcp, udp } th sport 6514 accept
                    ip6 saddr 2001:db8::7 meta l4proto { tcp, udp } accept
                  }
                  chain forward {
                    type filter hook forward priority -500; policy drop;
                  }
                }

                """
        )
    }

    @Test("a table for interfaces drops every frame both ways, and lets the list through with what finds its address")
    func links() throws {
        let list = AllowList([try #require(AllowList.Entry("192.0.2.7:6514"))])
        let rules = try PacketTable(name: name, networkNamespace: 1, allowed: list, pins: [pin("veth0", 12)]).rules()
        #expect(
            rules == """
                table netdev quell-0011223344556677 {
                  chain ingress0 {
                    type filter hook ingress device "veth0" priority -500; policy accept;
                    meta protocol arp accept
                    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
                    ip daddr 192.0.2.7 meta l4proto { tcp, udp } th dport 6514 accept
                    iif 12 drop
                  }
                  chain egress0 {
                    type filter hook egress device "veth0" priority -500; policy accept;
                    meta protocol arp accept
                    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
                    ip saddr 192.0.2.7 meta l4proto { tcp, udp } th sport 6514 accept
                    oif 12 drop
                  }
                }

                """
        )
        let none = try PacketTable(name: name, networkNamespace: 1, pins: [pin("a", 3), pin("b", 4)]).rules()
        #expect(none.components(of: " drop\n") == 4 && none.components(of: "accept") == 4)
    }

    private func pin(_ name: String, _ index: Int32) -> LinkPin {
        LinkPin(name: name, index: index, peer: 2, peerNumber: 0, peerNamespace: 7)
    }

    @Test("an interface is known by its number: the next one of that name is another one")
    func pins() throws {
        func link(_ index: Int32, _ name: String) -> NetworkLink {
            NetworkLink(index: index, name: BytePath(name), kind: "veth", peer: 2, peerNamespace: 0)
        }
        let one = try #require(LinkPin(link(12, "veth0"), into: 7))
        #expect(one == pin("veth0", 12))
        #expect(one.isAmong([link(3, "eth0"), link(12, "veth0")]))
        #expect(!one.isAmong([link(13, "veth0")]) && !one.isAmong([link(12, "veth1")]) && !one.isAmong([]))
        #expect(LinkPin(NetworkLink(index: 2, name: BytePath("eth0"), kind: ""), into: 7) == nil)
    }

    @Test(
        "RT14 an interface whose name could end the word it stands in is refused",
        arguments: ["", "a\"", "a b", "a;b"]
    )
    func hostileLink(name link: String) {
        #expect(throws: Failure.self) { try PacketTable(name: name, networkNamespace: 1, pins: [pin(link, 1)]).rules() }
    }

    @Test("a table for groups names them by their path and depth")
    func groups() throws {
        let rules = try PacketTable(name: name, networkNamespace: 1, groups: [group("/agents/one")]).rules()
        #expect(rules.contains("socket cgroupv2 level 2 \"agents/one\" drop"))
        #expect(!rules.contains("policy drop"))
    }

    @Test(
        "RT14 a path that could end the word it stands in is refused",
        arguments: ["/a\" accept; #", "/a\n", "/a b", "/$(id)", "/a;b", "/\u{e9}"]
    )
    func hostile(path: String) {
        #expect(throws: Failure.self) {
            try PacketTable(name: name, networkNamespace: 1, groups: [group(path)]).rules()
        }
    }
}

extension String {
    /// How often it holds that text.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
