import Base
import Glibc
import Kernel
import Logs
import Programs
import Testing

extension SystemTests {
    @Suite("children", .kernel(.root))
    struct ChildSystemTests {
        private func soon() -> Deadline { Deadline(after: .seconds(10)) }

        private let env = Program.rootOwned(BytePath("/usr/bin/env"))

        @Test("RT38 a child has an empty environment")
        func environment() throws {
            let output = try ChildProcess.run(env, by: soon())
            #expect(output.bytes.isEmpty)
            #expect(output.end == .exited(0))
        }

        @Test("a child stands in the root folder")
        func folder() throws {
            let output = try ChildProcess.run(.rootOwned(BytePath("/usr/bin/pwd")), by: soon())
            #expect(String(decoding: output.bytes, as: UTF8.self) == "/\n")
        }

        @Test("RT38 a child holds exactly the descriptors it was given")
        func descriptors() throws {
            let extra = open("/", O_RDONLY | O_DIRECTORY)
            defer { close(extra) }
            try #require(extra > 2)
            let list = Program.rootOwned(BytePath("/usr/bin/ls"))
            let output = try ChildProcess.run(list, [BytePath("/proc/self/fd")], by: soon())
            // 3 is the directory that ls itself reads.
            #expect(String(decoding: output.bytes, as: UTF8.self) == "0\n1\n2\n3\n")
        }

        @Test("a status and a signal are told apart, and an overrunning child is killed")
        func ends() throws {
            let shell = Program.rootOwned(BytePath("/usr/bin/dash"))
            #expect(
                try ChildProcess.start(shell, [BytePath("-c"), BytePath("exit 7")]).finish(by: soon()) == .exited(7)
            )
            let killed = try ChildProcess.start(shell, [BytePath("-c"), BytePath("kill -TERM $$")])
            #expect(try killed.finish(by: soon()) == .killed(signal: SIGTERM))
            let sleeper = try ChildProcess.start(.rootOwned(BytePath("/usr/bin/sleep")), [BytePath("60")])
            let pid = sleeper.pid
            #expect(try sleeper.finish(by: Deadline(after: .milliseconds(30))) == .overran)
            #expect(kill(pid, 0) == -1)
        }

        @Test("a child dies with its owner")
        func owner() throws {
            var pid: Int32 = 0
            do {
                let sleeper = try ChildProcess.start(.rootOwned(BytePath("/usr/bin/sleep")), [BytePath("60")])
                pid = sleeper.pid
                #expect(kill(pid, 0) == 0)
            }
            #expect(kill(pid, 0) == -1)
        }

        @Test("output beyond the limit is cut and the child is ended")
        func limit() throws {
            let yes = Program.rootOwned(BytePath("/usr/bin/yes"))
            let output = try ChildProcess.run(yes, limit: 1000, by: soon())
            #expect(output.wasCut)
            #expect(output.bytes.count == 1000)
        }

        @Test("RT39 a program that others than root can change is not started", .sandbox)
        func foreign() throws {
            let folder = try Sandbox.of().folder
            let path = BytePath("\(folder)/tool")
            #expect(Files.write("#!/bin/sh\n", to: "\(folder)/tool", mode: 0o755) == 0)
            // The folder stands in /tmp, which everybody may write.
            let refused = #expect(throws: Failure.self) { try ChildProcess.run(.rootOwned(path), by: soon()) }
            #expect(refused?.code == .refused)
            for text in ["usr/bin/env", "/usr/../usr/bin/env", "/usr/bin", "/bin/env"] {
                let failure = #expect(throws: Failure.self, "\(text)") {
                    try ChildProcess.run(.rootOwned(BytePath(text)), by: soon())
                }
                #expect(failure?.code == .refused, "\(text)")
            }
        }

        private func cagePath() throws -> String {
            try Sandbox.testkitPath().replacing("quell-testkit", with: "quell-testcage")
        }

        private func cage(_ attempt: String) throws -> ChildEnd {
            // The build folder may be anywhere, so the program is not a root-owned one: start it as tests do.
            let result = try Program(cagePath(), [attempt], environment: [:]).run()
            return result.status > 128 ? .killed(signal: result.status - 128) : .exited(result.status)
        }

        @Test(
            "inside the worker's cage there is no way to open, connect, start, signal, trace or make code",
            arguments: ["open", "socket", "execve", "kill", "executable-memory", "thread", "namespace", "unlink"]
        )
        func cage(attempt: String) throws {
            #expect(try cage(attempt) == .killed(signal: SIGSYS))
        }

        @Test("inside the cage it is nobody, holds 0, 1 and 2, and can still allocate, write and end by itself")
        func nobody() throws {
            #expect(try cage("nobody") == .exited(42))
        }

        @Test("inside the cage a real transcript is read to its end", .sandbox)
        func logs() throws {
            let line =
                #"{"type":"user","timestamp":"2026-11-22T10:00:00.000Z","message":{"role":"user","content":"hi"}}"#
            let path = "\(try Sandbox.of().folder)/transcript.jsonl"
            #expect(Files.write([String](repeating: line, count: 5000).joined(separator: "\n") + "\n", to: path) == 0)
            let bash = try #require(Program.find("bash"))
            let result = try Program(bash, ["-c", "exec \"$0\" logs <\"$1\"", cagePath(), path], environment: [:]).run()
            #expect(result.status == 42)
            var decoder = WorkerRecords(fileBytes: Int64(line.utf8.count + 1) * 5000)
            let messages = try result.output.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Array($0)) }
            #expect(messages.count == 5001)
            guard case .end(let summary)? = messages.last else {
                Issue.record("the worker told no end")
                return
            }
            #expect(summary.isComplete)
            #expect(summary.unreadable == 0)
        }

        @Test("memory beyond the limit is not given")
        func memory() throws {
            #expect(try cage("memory") == .exited(42))
        }
    }
}
