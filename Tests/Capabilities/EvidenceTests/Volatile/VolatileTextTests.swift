import Base
import Kernel
import Testing

@testable import Evidence

/// Parsers of what the kernel prints, on recorded text and on what no kernel prints.
@Suite("Texts of the kernel")
struct VolatileTextTests {
    @Test("status gives ids, groups, the names of capabilities, seccomp and affinity")
    func status() {
        let facts = StatusFacts(
            parsing: Array(
                """
                Name:\tUid:\t9
                Umask:\t0022
                Uid:\t1000\t1001\t1002\t1003
                Gid:\t10\t11\t12\t13
                Groups:\t4 24 27 
                NSpid:\t812\t7
                CapEff:\t0000008000000021
                CapBnd:\t000001ffffffffff
                NoNewPrivs:\t1
                Seccomp:\t2
                Seccomp_filters:\t3
                Cpus_allowed_list:\t0-1
                """.utf8
            )
        )
        var line = JSONObject()
        facts.describe(in: &line)
        #expect(line["uids"] == [1000, 1001, 1002, 1003] && line["groups"] == [4, 24, 27])
        #expect(line["capabilities"]?["effective"] == ["cap_chown", "cap_kill", "cap_bpf"])
        #expect(line["capabilities"]?["bounding"]?.array?.count == 41)
        #expect(line["seccomp"] == "filter" && line["seccompFilters"] == 3 && line["noNewPrivileges"] == true)
        #expect(line["namespacePids"] == [812, 7] && facts.affinity == "0-1")
        #expect(CapabilityNames.of(1 << 41 | 1) == ["cap_chown", "cap_41"])
    }

    @Test("limits give soft and hard, with names of several words")
    func limits() {
        let text = """
            Limit                     Soft Limit           Hard Limit           Units     
            Max cpu time              unlimited            unlimited            seconds   
            Max open files            1024                 524288               files     
            Max nice priority         0                    0                    
            nonsense
            """
        let limits = ResourceLimits(parsing: Array(text.utf8)).limits
        #expect(limits.map(\.name) == ["Max cpu time", "Max open files", "Max nice priority"])
        #expect(limits[1].soft == "1024" && limits[1].hard == "524288" && limits[0].hard == "unlimited")
    }

    @Test("scheduling is read behind the last parenthesis of a hostile name")
    func scheduling() {
        let fields = "S 1 2 3 0 -1 4194560 1 0 0 0 4 5 0 0 20 -5 3 0 900 1 2 3 4 5 6 7 0 0 0 0 0 0 0 0 17 1 50 2 0 0 0"
        let found = ThreadDepths.Scheduling(parsing: Array("77 (a) R 9 (b)) \(fields)".utf8))
        #expect(found?.nice == -5 && found?.lastProcessor == 1)
        #expect(found?.realTimePriority == 50 && found?.policy == 2)
        #expect(ThreadDepths.Scheduling(parsing: Array("77 (a) S 1 2".utf8)) == nil)
    }

    @Test("maps give the names that map_files wants, and segments by their id")
    func maps() throws {
        let line = "7f1d5ac16000-7f1d5ac17000 rw-s 00001000 00:01 552                        /dev/zero (deleted)"
        let map = try #require(MapLine(parsing: Array(line.utf8)[...]))
        #expect(map.range == "7f1d5ac16000-7f1d5ac17000" && map.length == 4096 && map.offset == 4096)
        #expect(map.isCalledDeleted && map.segment == nil)
        let low = "00400000-00452000 rw-s 00000000 00:01 32769 /SYSV0000002a (deleted)"
        let segment = try #require(MapLine(parsing: Array(low.utf8)[...]))
        #expect(segment.range == "400000-452000" && segment.segment == 32_769)
        #expect(MapLine(parsing: Array("x-y rw-s".utf8)[...]) == nil)
        let anonymous = try #require(MapLine(parsing: Array("7f00-7f10 rw-p 0 00:00 0".utf8)[...]))
        #expect(!anonymous.isCalledDeleted)
    }

    @Test("fdinfo gives position, flags and mount, and keeps what the kind adds")
    func descriptors() {
        let text = "pos:\t17\nflags:\t02100002\nmnt_id:\t29\nino:\t1038\neventfd-count:                3\nscm_fds: 2\n"
        let found = DescriptorInformation(parsing: Array(text.utf8))
        #expect(found.position == 17 && found.flags == 0o2100002 && found.mount == 29 && found.inode == 1038)
        #expect(found.number("scm_fds") == 2 && found.number("eventfd-count") == 3 && found.number("tfd") == nil)
        let long = Array(String(repeating: "tfd: 1\n", count: DescriptorInformation.mostLines + 5).utf8)
        #expect(DescriptorInformation(parsing: long).detailsLeftOut == 5)
    }

    @Test("tables of System V give rows by their columns, times as stamps in Z")
    func systemV() {
        let text = """
                   key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime
            1234567890          3   600           5          1   100   200  1000    10  1000    10 1700000000          0 1700000001
             broken row
            """
        let table = SystemVTable(parsing: Array(text.utf8))
        #expect(table.rows.count == 1 && table.leftOut == 1)
        #expect(table.rows[0]["qnum"] == 1 && table.rows[0]["lrpid"] == 200 && table.rows[0]["nothing"] == nil)
        let line = table.rows[0].line
        #expect(line["stime"]?.string == "2023-11-14T22:13:20.000000000Z" && line["rtime"] == .null)
        #expect(line["perms"] == "600" && line["key"] == "0x499602d2")
    }

    @Test("keys give owner, type and description; what has a payload is known")
    func keys() throws {
        let user = "3ba11074 I--Q---     1 perm 3f010000  1000     0 user      a name: with spaces: 7"
        let key = try #require(KeyLine(parsing: Array(user.utf8)[...]))
        #expect(key.uid == 1000 && key.type == "user" && key.hasPayload)
        #expect(key.description == BytePath("a name: with spaces: 7") && key.serial == 0x3ba1_1074)
        let ring = "1464e05a I--Q---     2 perm 1f3f0000     0 65534 keyring   _uid.0: empty"
        #expect(try #require(KeyLine(parsing: Array(ring.utf8)[...])).hasPayload == false)
        #expect(KeyLine(parsing: Array("1464e05a I--Q---".utf8)[...]) == nil)
    }

    @Test("a ring gives its registered files and buffers and not what follows them")
    func rings() {
        let facts = RingFacts([
            "SqMask:\t0x7", "UserFiles:\t3", "    0: /etc/passwd", "    1: /tmp/go\\012ne\\040(deleted)",
            "UserBufs:\t1",
            "    0: 0x55d6cae5b380/4096", "PollList:", "  op=6, task_works=0",
        ])
        #expect(facts.files == [BytePath("/etc/passwd"), BytePath("/tmp/go\nne (deleted)")] && facts.fileCount == 3)
        #expect(facts.buffers == ["0x55d6cae5b380/4096"] && facts.bufferCount == 1)
    }

    @Test("a message queue gives its size")
    func queues() {
        let text = Array("QSIZE:129        NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n".utf8)
        #expect(QueueStatus(parsing: text)?.bytes == 129)
        #expect(QueueStatus(parsing: Array("QSIZE:x".utf8)) == nil)
    }

    @Test("only what runtimes mount at their places is customary")
    func customary() throws {
        func mount(_ type: String, at path: String) throws -> Mount {
            let line = "30 29 0:5 / \(path) rw - \(type) \(type) rw\n"
            return try #require(MountTable(parsing: Array(line.utf8)).entries.first)
        }
        #expect(Overmounts.isCustomary(try mount("proc", at: "/proc")))
        #expect(Overmounts.isCustomary(try mount("tmpfs", at: "/dev/shm")))
        #expect(!Overmounts.isCustomary(try mount("proc", at: "/root/loot")))
        #expect(!Overmounts.isCustomary(try mount("ext4", at: "/dev/x")))
        #expect(!Overmounts.isCustomary(try mount("tmpfs", at: "/devious")))
        #expect(Overmounts.isCustomary(try mount("tmpfs", at: "/tmp")))
        #expect(!Overmounts.isCustomary(try mount("tmpfs", at: "/tmp/work/loot")))
    }

    @Test(
        "no text of a kernel that never was makes a parser fail",
        arguments: [0, 1, 2, 3, 4, 5, 6, 7]
    )
    func mutations(_ seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        let words = [
            "Uid:", "CapEff:", "\t", " ", "\n", ":", "18446744073709551616", "-1", "(", ")", "ffffffffffffffffff", "/",
            "UserFiles:", "7f-", "-7f", " (deleted)", "/SYSV", "\u{0}", "QSIZE:", "perm", "0", "é",
        ]
        for _ in 0..<400 {
            let text = (0..<Int(next() % 60)).map { _ in words[Int(next() % UInt64(words.count))] }.joined()
            let bytes = Array(text.utf8)
            var line = JSONObject()
            StatusFacts(parsing: bytes).describe(in: &line)
            _ = ResourceLimits(parsing: bytes)
            _ = ThreadDepths.Scheduling(parsing: bytes)
            _ = MapLine(parsing: bytes[...])?.segment
            _ = RingFacts(DescriptorInformation(parsing: bytes).details)
            _ = SystemVTable(parsing: bytes).rows.map(\.line)
            _ = KeyLine(parsing: bytes[...])
            _ = QueueStatus(parsing: bytes)
            _ = ToldVariable(BytePath(bytes), number: 0, SecretDigest())
        }
    }
}
