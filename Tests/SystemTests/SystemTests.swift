import Testing

/// Everything that needs a real kernel or a real server, one test at a time.
///
/// A room adds its tests in its own file:
///
///     extension SystemTests {
///         @Suite("freezer", .kernel(.root, .cgroup2))
///         struct FreezerSystemTests {
///             @Test("frozen means every thread", .sandbox)
///             func everyThread() throws {
///                 let sandbox = try Sandbox.of()
///                 let child = try sandbox.testkit("sleepers", "3", in: .both)
///                 ...
///             }
///         }
///     }
///
/// They run only with QUELL_SYSTEM_TESTS=1; `swift test` alone leaves them out.
@Suite(.serialized)
enum SystemTests {}
