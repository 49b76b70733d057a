import Base
import Containment
import Kernel
import Testing

extension SystemTests {
    @Suite("a session with many of everything", .kernel(.root, .cgroup2))
    struct CrowdSystemTests {
        @Test("RT13 a session that listens at 15,000 names holds up the word of its freeze for a moment only", .sandbox)
        func listeners() throws {
            let scene = try Scene("crowd", "15000")
            let began = Deadline.monotonicNow()
            let result = try scene.freeze()
            // What compares each with each takes half a minute.
            #expect(Deadline.monotonicNow() - began < 8_000_000_000)
            #expect(result.word == .confirmed, "\(result.word)")
            let around = try #require(result.surroundings)
            #expect(around.services.count <= 200)
            #expect(around.unknown.contains { $0.contains("not listed") || $0.contains("no time was left") })
            _ = try scene.thaw(result)
        }
    }
}
