import Base
import Glibc
import Kernel
import Logs
import Programs
import Testing

@testable import Response

extension SystemTests {
    @Suite("the reading of logs", .kernel(.root))
    struct LogWorkerSystemTests {
        @Test("a worker that hangs is given up at the deadline of the whole action", .sandbox)
        func hangs() throws {
            // Quell starts only programs in folders that nobody but root can write.
            let folder = try #require(Files.makeTemporaryFolder("/var/lib/\(try Sandbox.of().name)-XXXXXX"))
            defer { _ = Files.removeTree(folder) }
            #expect(Files.write("#!/bin/sh\nexec sleep 60\n", to: "\(folder)/worker") == 0)
            chmod("\(folder)/worker", 0o700)
            let log = open("/dev/null", O_RDONLY | O_CLOEXEC)
            defer { close(log) }
            var worker = LogWorker(deadline: Deadline(after: .milliseconds(200)))
            worker.program = .rootOwned(BytePath("\(folder)/worker"))
            let before = Deadline.monotonicNow()
            for _ in 0..<2 {
                let failure = #expect(throws: Failure.self) {
                    _ = try worker.read(log, of: 10, as: .claudeCode, called: "a log") { _ throws(Failure) in }
                }
                #expect(failure?.code == .timedOut, "\(String(describing: failure))")
            }
            #expect(Deadline.monotonicNow() - before < 30_000_000_000)
        }
    }
}
