import Base
import Glibc
import Kernel
import Programs
import Synchronization
import Testing

@testable import Containment

extension SystemTests {
    @Suite("successors", .kernel(.root, .cgroup2))
    struct SuccessorSystemTests {
        private func watch(
            for pid: Int32,
            on host: Host,
            reading: SuccessorWatch.ReadArguments? = nil
        ) throws -> SuccessorWatch {
            let leader = try ProcessDirectory(pid, on: host).stat().pin
            let pin = SessionPin(bootID: host.bootID, cgroups: [], leader: leader)
            return try SuccessorWatch(Subject(pin: pin), on: host, reading: reading)
        }

        /// Starts a program by a shell: what the leader's own parent starts is its successor by that alone.
        private func start(_ program: String, _ arguments: String...) throws -> Child {
            try Sandbox.of().start(Program("/bin/sh", ["-c", "\"$@\"; :", "sh", program] + arguments))
        }

        private func look(_ watch: SuccessorWatch) throws -> SuccessorWatch.Findings {
            try watch.look(until: Deadline(after: .milliseconds(300)), not: [])
        }

        @Test(
            "RT4 a crowd whose arguments hang makes no look longer, is asked twice at most, and is in doubt",
            .sandbox
        )
        func crowd() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let asked = Mutex<[ProcessPin: Int]>([:])
            let watch = try watch(for: sandbox.testkit("sleepers", "0").id, on: host) { pins, deadline in
                for pin in pins where !deadline.hasPassed {
                    asked.withLock { $0[pin, default: 0] += 1 }
                    usleep(50_000)
                }
                return [:]
            }
            let crowd = try start(try Sandbox.testkitPath(), "sleepers", "60")
            let line = try crowd.line { $0.hasPrefix("ready") }
            let first = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
            let began = ContinuousClock.now
            let found = try look(watch)
            #expect(began.duration(to: .now) < .seconds(3))
            #expect(found.successors.isEmpty && found.resembling.map(\.process.pid) == [first], "\(found)")
            #expect(asked.withLock { $0.values.max() ?? 0 } <= 2)
        }

        @Test(
            "RT5 a leader whose first thread has ended is read by a thread that lives, and its copy is named",
            .sandbox
        )
        func headless() throws {
            let scene = try Scene("zombieleader", room: "session")
            let watch = try watch(for: try #require(scene.ready.first), on: scene.host)
            let copy = try scene.sandbox.testkit("zombieleader", in: .none)
            let found = try look(watch)
            #expect(found.resembling.map(\.process.pid) == [copy.id], "\(found)")
        }

        @Test("RT27 a program of the host's that somebody starts for another end is no successor", .sandbox)
        func installed() throws {
            let sandbox = try Sandbox.of()
            let host = try Host()
            let watch = try watch(for: try sandbox.start(Program("/bin/sleep", ["1000"])).id, on: host)
            let other = try start("/bin/sleep", "1001")
            let none = try look(watch)
            #expect(none.successors.isEmpty && none.resembling.isEmpty && none.unknown.isEmpty, "\(none)")
            #expect(!other.hasEnded)
            let same = try start("/bin/sleep", "1000")
            let found = try look(watch).successors
            #expect(
                found.count == 1 && found.first?.reason.contains("process \(same.id) started it") == true,
                "\(found)"
            )
        }
    }
}
