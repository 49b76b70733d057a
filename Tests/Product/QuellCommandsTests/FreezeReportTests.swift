import Base
import Containment
import Glibc
import Kernel
import Sessions
import Testing

@testable import QuellCommands

@Suite("what is told of a freeze")
struct FreezeReportTests {
    private let session = Session(
        locator: .pid(7),
        pin: SessionPin(bootID: "b", cgroups: [], leader: ProcessPin(pid: 7, startTicks: 8)),
        cgroups: [],
        leader: nil,
        members: [],
        guests: [],
        owner: nil
    )

    @Test("the time counts from the entry of the command, with what it took to find the session")
    func fromEntry() throws {
        var result = FreezeResult()
        result.word = .confirmed
        result.times.frozen = Instant.now()
        result.times.proven = result.times.frozen
        let entered = Deadline.monotonicNow() - 3_000_000_000
        let spans = FreezeReport(session: session, result: result, startedAt: entered).spans
        let milliseconds = spans.split(separator: " ").compactMap { Double($0) }
        #expect(milliseconds.count == 2 && milliseconds.allSatisfy { $0 >= 3000 && $0 < 120_000 }, "\(spans)")
    }
}
