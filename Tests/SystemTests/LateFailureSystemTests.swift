import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    /// What fails when the work is done already.
    @Suite("late failures", .kernel(.root, .cgroup2))
    struct LateFailureSystemTests {
        @Test("a search that fails after the freeze leaves a result, not an error", .sandbox)
        func search() throws {
            let scene = try Scene("sleepers", "2")
            let outsider = try scene.sandbox.testkit("sleepers", "1", in: .none)
            let guest = try #require(try descendants(of: outsider.id).last)
            Files.write("\(guest)", to: "\(scene.unified.path)/cgroup.procs", create: false)
            let result = try Freezer(scene.host).freeze(scene.subject) { effects, act throws(Failure) in
                if case .makeGroup = effects.first { throw Failure(errno: ENOSPC, "make a cgroup", on: BytePath("/")) }
                try scene.record(effects, act)
            }
            #expect(result.word == .partial, "\(result)")
            #expect(result.groups.map(\.isFrozen) == [true])
            #expect(result.cut?.drops.count == 1)
            #expect(result.failures.contains { $0.errno == ENOSPC })
            #expect(result.times.proven == nil)
            #expect(try scene.thaw(result).isComplete)
        }
    }
}
