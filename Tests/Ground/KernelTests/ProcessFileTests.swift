import Base
import Testing

@testable import Kernel

@Suite("process files")
struct ProcessFileTests {
    private static let line =
        "4711 (%@) S 7 4711 4712 0 -1 4194560 120 0 0 0 15 27 0 0 20 0 3 0 987654 12345 42 18446744073709551615 0 0\n"

    private func parsed(named name: String) -> ProcessStat? {
        let parts = ProcessFileTests.line.split(separator: "%@", maxSplits: 1)
        return ProcessStat(parsing: Array("\(parts[0])\(name)\(parts[1])".utf8))
    }

    @Test("a stat line gives its numbers")
    func numbers() throws {
        let stat = try #require(parsed(named: "agent"))
        #expect(stat.pid == 4711)
        #expect(stat.name == BytePath("agent"))
        #expect(stat.numbers.state == UInt8(ascii: "S"))
        #expect(stat.numbers.parent == 7)
        #expect(stat.numbers.group == 4711)
        #expect(stat.numbers.session == 4712)
        #expect(stat.numbers.userTicks == 15)
        #expect(stat.numbers.systemTicks == 27)
        #expect(stat.numbers.threads == 3)
        #expect(stat.numbers.startTicks == 987_654)
        #expect(!stat.numbers.isKernelThread)
    }

    @Test("a name may hold parentheses, spaces and newlines", arguments: ["a) R 1 1", ") Z 0 (", "x\n1 (y", "((", ""])
    func hostileNames(name: String) throws {
        let stat = try #require(parsed(named: name))
        #expect(stat.name == BytePath(name))
        #expect(stat.numbers.parent == 7)
        #expect(stat.numbers.startTicks == 987_654)
    }

    @Test("a cut stat line is no stat", arguments: ["", "1", "1 (a", "1 (a)", "1 (a) S", "1 (a) S 1 2 3", "(a) S 1"])
    func cut(text: String) {
        #expect(ProcessStat(parsing: Array(text.utf8)) == nil)
    }

    @Test("the kernel's flag tells a kernel thread")
    func kernelThread() throws {
        let text = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 1 0 0 20 0 1 0 5 0 0\n"
        #expect(try #require(ProcessStat(parsing: Array(text.utf8))).numbers.isKernelThread)
    }

    @Test("status gives ids, namespace pids and the tracer")
    func status() {
        let text = """
            Name:\tagent
            TracerPid:\t12
            Uid:\t1000\t1001\t1002\t1003
            Gid:\t5\t6\t7\t8
            NSpid:\t4711\t9\t1
            CapEff:\t000001ffffffffff
            NoNewPrivs:\t1
            Seccomp:\t2
            """
        let status = ProcessStatus(parsing: Array(text.utf8))
        #expect(status.uids == [1000, 1001, 1002, 1003])
        #expect(status.gids == [5, 6, 7, 8])
        #expect(status.namespacePids == [4711, 9, 1])
        #expect(status.tracer == 12)
        #expect(status.effectiveCapabilities == 0x1ff_ffff_ffff)
        #expect(status.noNewPrivileges)
        #expect(status.seccomp == 2)
    }

    @Test("every line of a cgroup file is read, with colons and odd bytes in paths")
    func cgroupLines() {
        let bytes = Array(
            "12:cpu,cpuacct:/a:b\n6:freezer:/x\u{1}\n1:name=systemd:/s\n0::/agents/a7 (deleted)\nrubbish\n".utf8
        )
        let lines = CgroupLine.parse(bytes)
        #expect(lines.map(\.hierarchy) == ["v1:cpu,cpuacct", "v1:freezer", "v1:name=systemd", "v2"])
        #expect(lines[0].path == BytePath("/a:b"))
        #expect(lines[0].controllers == ["cpu", "cpuacct"])
        #expect(lines[3].path == BytePath("/agents/a7 (deleted)"))
    }

    @Test(
        "membership is decided on whole components and per hierarchy",
        arguments: [
            ("0::/agents/a7\n", true), ("0::/agents/a7/sub\n", true), ("0::/agents/a77\n", false),
            ("0::/agents\n", false), ("6:freezer:/agents/a7\n0::/\n", false), ("6:freezer:/f/x\n0::/\n", true),
            ("7:freezer:/f\n", true), ("7:pids:/f\n0::/other\n", false), ("", false),
        ]
    )
    func pathSet(file: String, isIn: Bool) {
        let set = CgroupPathSet([
            CgroupLine(hierarchy: "v2", path: BytePath("/agents/a7")),
            CgroupLine(hierarchy: "v1:freezer", path: BytePath("/f")),
        ])
        let bytes = Array(file.utf8)
        #expect(bytes.withUnsafeBytes { set.matches($0) } == isIn)
    }

    @Test("the root of a hierarchy matches nobody")
    func rootMatchesNobody() {
        let set = CgroupPathSet([CgroupLine(hierarchy: "v2", path: BytePath("/"))])
        #expect(Array("0::/\n0::/a\n".utf8).withUnsafeBytes { set.matches($0) } == false)
    }

    @Test("decimals are whole or nothing")
    func decimals() {
        #expect(Decimal.uint64(Array("18446744073709551615".utf8)) == .max)
        #expect(Decimal.uint64(Array("18446744073709551616".utf8)) == nil)
        #expect(Decimal.int32(Array("-1".utf8)) == -1)
        #expect(Decimal.int32(Array("2147483648".utf8)) == nil)
        #expect(Decimal.int32(Array("".utf8)) == nil)
        #expect(Decimal.int32(Array("1 ".utf8)) == nil)
        #expect(FlatKeyed(Array("populated 1\nfrozen 0\nodd\n".utf8))["frozen"] == 0)
    }
}
