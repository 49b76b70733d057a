import Base
import Containment
import Glibc
import Kernel
import Programs
import Testing

extension SystemTests {
    /// Sockets that no process has in its table: in a message that nobody has received, in the files of an io_uring.
    @Suite("parked sockets", .kernel(.root, .cgroup2))
    struct ParkedSocketSystemTests {
        private static let places = [
            ("127.0.0.1", "message"), ("::1", "message"), ("127.0.0.1", "ring"), ("::1", "ring"),
            ("127.0.0.1", "closed"), ("::1", "closed"),
        ]

        @Test(
            "RT22 RT29 of 6 MB queued on a connection that no table shows next to nothing arrives after the isolation",
            .sandbox,
            arguments: places
        )
        func parked(host: String, place: String) throws {
            let listener = try SlowReader(host)
            let scene = try Scene("flood", host, "\(listener.port)", place)
            #expect(try #require(scene.ready.last) > 6 << 20)
            // It has no group of its own: its socket stays with the one that it is moved out of.
            let subject = Subject(pin: SessionPin(bootID: scene.host.bootID, cgroups: [], leader: scene.leader))
            let frozen = try scene.freeze(subject)
            #expect(frozen.word == .confirmed)
            let group = try #require(frozen.groups.first?.group)
            let result = try scene.isolate([group], after: frozen)
            #expect(result.sockets.destroyed == 1, "\(result.sockets)")
            // What a ring has is told by the kernel; what is in a message may be anything.
            let hasDoubt = result.shortfalls.contains { $0.contains("in flight") }
            #expect(hasDoubt == (place == "message"), "\(result.shortfalls)")
            #expect(hasDoubt || result.shortfalls.isEmpty, "\(result.shortfalls)")
            #expect(listener.readEverything(for: .milliseconds(600)) < 2 << 20)
            _ = try scene.release(result)
            _ = try scene.thaw(frozen)
        }

        @Test(
            "RT11 a connection that may be a stranger's, parked or closed, is named and left as it is",
            .sandbox,
            arguments: ["message", "closed"]
        )
        func strangers(place: String) throws {
            let listener = try SlowReader("127.0.0.1")
            let scene = try Scene("sleepers", "1")
            let stranger = try scene.sandbox.start(
                Program(try Sandbox.testkitPath(), ["flood", "127.0.0.1", "\(listener.port)", place]),
                in: .unified
            )
            _ = try stranger.line { $0.hasPrefix("ready") }
            let subject = Subject(pin: SessionPin(bootID: scene.host.bootID, cgroups: [], leader: scene.leader))
            let frozen = try scene.freeze(subject)
            let group = try #require(frozen.groups.first?.group)
            let result = try scene.isolate([group], after: frozen)
            #expect(result.sockets.destroyed == 0, "\(result.sockets)")
            #expect(
                result.shortfalls.contains {
                    $0.contains("127.0.0.1:\(listener.port)") && $0.contains("was made where its members came from")
                },
                "\(result.shortfalls)"
            )
            #expect(listener.readEverything(for: .milliseconds(600)) > 6 << 20)
            _ = try scene.release(result)
            _ = try scene.thaw(frozen)
        }
    }
}
