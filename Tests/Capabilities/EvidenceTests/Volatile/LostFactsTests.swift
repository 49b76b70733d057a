import Base
import Bundles
import Glibc
import Kernel
import Programs
import Testing

@testable import Evidence

/// What could not be looked at is told, and is never the same as nothing.
@Suite("Facts that could not be had")
struct LostFactsTests {
    let folder: String

    init() throws {
        folder = try #require(Files.makeTemporaryFolder())
        for path in ["proc", "proc/100", "proc/100/task", "proc/100/task/100", "proc/100/task/101"] {
            mkdir("\(folder)/\(path)", 0o755)
        }
        // Fields 3 to 52 of proc_pid_stat(5).
        let fields = "S 1 2 3 0 -1 4194560 1 0 0 0 4 5 0 0 20 -5 3 0 900 1 2 3 4 5 6 7 0 0 0 0 0 0 0 0 17 1 50 2 0 0 0"
        for place in ["100", "100/task/100", "100/task/101"] {
            Files.write("100 (sh) \(fields)\n", to: "\(folder)/proc/\(place)/stat")
        }
    }

    /// A file of thread 100; a folder in its place is what reads as EISDIR, as root too.
    private func make(_ name: String, _ content: String?) {
        let path = "\(folder)/proc/100/task/100/\(name)"
        if let content { Files.write(content, to: path) } else { mkdir(path, 0o755) }
    }

    private func depths() throws -> [Int32: ThreadDepths] {
        let host = try Host(recordedAt: BytePath(folder))
        let pin = ProcessPin(pid: 100, startTicks: 900)
        return try ThreadDepths.read(pin, [100, 101, 102], on: host, by: Deadline(after: .seconds(5)))
    }

    private func line(_ depths: ThreadDepths?) -> JSONObject {
        var line = JSONObject()
        depths?.describe(in: &line)
        return line
    }

    @Test("what of a thread cannot be read is a gap with its errno, and what else there is of it is told")
    func threads() throws {
        defer { Files.removeTree(folder) }
        make("wchan", "futex_wait\n")
        make("syscall", nil)
        make("stack", nil)
        make("status", "Cpus_allowed_list:\t0-1\n")
        let told = try #require(try depths()[100])
        #expect(told.waitChannel == "futex_wait" && told.affinity == "0-1" && told.scheduling?.nice == -5)
        #expect(told.systemCall.isEmpty && told.gaps.map(\.errno) == [EISDIR, EISDIR] && told.lacking.isEmpty)
        #expect(line(told)["gaps"]?.array?.count == 2)
    }

    @Test("what a kernel was built without is told as that, and of a thread that has ended nothing is missing")
    func kernel() throws {
        defer { Files.removeTree(folder) }
        for name in ["wchan", "syscall", "status"] { make(name, "0\n") }
        let found = try depths()
        #expect(found[100]?.lacking == ["stack"] && found[100]?.gaps.isEmpty == true)
        #expect(line(found[100])["kernelLacks"] == ["stack"])
        let ended = try #require(found[102])
        #expect(ended.gaps.isEmpty && ended.lacking.isEmpty && line(ended).members.isEmpty)
    }

    @Test("threads and rows beyond the bounds are counted, and never silently gone")
    func caps() throws {
        defer { Files.removeTree(folder) }
        let threads = Array(repeating: Int32(101), count: ThreadDepths.mostThreads) + [100]
        let host = try Host(recordedAt: BytePath(folder))
        let pin = ProcessPin(pid: 100, startTicks: 900)
        let found = try ThreadDepths.read(pin, threads, on: host, by: Deadline(after: .seconds(30)))
        #expect(Set(found.keys) == [101], "the one behind the bound is told briefly, by who asked")
        let row = "       0          1  1600\n"
        let heading = "       key      shmid perms\n"
        let table = SystemVTable(
            parsing: Array((heading + String(repeating: row, count: SystemVTable.mostRows + 3)).utf8)
        )
        #expect(table.rows.count == SystemVTable.mostRows && table.leftOut == 3)
        #expect(SystemVTable(parsing: Array((heading + row + "short\n").utf8)).leftOut == 1)
    }

    @Test("a size that the kernel did not tell is not 0")
    func size() throws {
        defer { Files.removeTree(folder) }
        #expect(ResidentSize(parsing: Array("Rss:  12 kB\nSwap: 1 kB\n".utf8))?.resident == 12_288)
        #expect(ResidentSize(parsing: Array("Rss: 0 kB\n".utf8))?.resident == 0)
        for text in ["", "Swap: 1 kB\n", "Rss: many kB\n"] { #expect(ResidentSize(parsing: Array(text.utf8)) == nil) }
    }

    @Test("a socket of an unknown form is told as lost, not left out of the dump")
    func sockets() throws {
        defer { Files.removeTree(folder) }
        let whole = [UInt8](repeating: 0, count: 16).enumerated().map { $0.offset == 0 ? 17 : $0.element }
        func messages(_ payloads: [[UInt8]]) -> [NetlinkMessage] {
            payloads.map { NetlinkMessage(type: 20, payload: $0[...]) }
        }
        #expect(try SocketFamily.packet.sockets(messages([whole, whole])).count == 2)
        for payloads in [[whole, Array(whole.prefix(3))], [[]]] {
            let reason = #expect(throws: Failure.self) { try SocketFamily.packet.sockets(messages(payloads)) }
            #expect(reason?.code == .malformed)
        }
    }

    @Test("the protocol of a socket whose holder is gone is unknown, with the reason")
    func protocols() throws {
        defer { Files.removeTree(folder) }
        let host = try Host(recordedAt: BytePath(folder))
        let gone = ProcessesItem.Holder(
            pin: ProcessPin(pid: 4711, startTicks: 1),
            link: "fd/3",
            position: nil,
            flags: nil
        )
        let reason = #expect(throws: Failure.self) { try SocketFamily.protocolName(of: gone, on: host) }
        #expect(reason?.code == .notFound)
    }
}
