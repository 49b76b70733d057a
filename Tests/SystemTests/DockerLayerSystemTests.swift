import Base
import Bundles
import Evidence
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    /// What a container of docker's wrote over its image, where docker keeps it as it does by default.
    @Suite("layers of docker", .kernel(.root, .cgroup2, .docker))
    struct DockerLayerSystemTests {
        private static let work = """
            b=/bin/busybox; echo new >/new; $b rm /bin/kill; $b mkdir /tmp/old; echo z >/tmp/old/z; $b chmod 700 /etc; \
            exec $b sleep 1000
            """

        @Test("RT10 overlay2: the layer is the one that the kernel has mounted, and what changed is told", .sandbox)
        func overlay2() throws {
            try DockerEngine.with(storage: .overlay2, command: "sh", "-c", Self.work) { container in
                let host = try Host()
                let folder = try Sandbox.of().folder
                let root = BytePath(folder)
                let session = try SessionResolver(host: host, root: root).resolve(Locator(parsing: container.locator))
                let files = try #require(ContainerFiles.of(session.pin, on: host, root: root))
                #expect(files.isAttributed && files.driver == "overlay2", "\(files.failures)")
                let upper = try #require(files.upper)
                #expect("\(upper)".hasPrefix("\(folder)/var/lib/docker/overlay2/"))
                #expect(eventually(within: .seconds(10)) { Files.text("\(upper)/tmp/old/z") == "z\n" })

                let roots = SessionRoots(of: session.members.map(\.pin), container: files, on: host)
                let tree = try #require(roots.trees.first { $0.role == .upper }, "\(roots.trees)")
                #expect(tree.path == upper && tree.identity != nil && tree.lost == nil)
                let changes = try changes(roots, host, "first")
                #expect(changes["new"] == "added" && changes["tmp/old/z"] == "added")
                #expect(changes["bin/kill"] == "deleted" && changes["etc"] == "metadata")

                // After its end nothing is mounted: files of root's name the same layer, with the same changes.
                try container.engine.docker(["kill", container.name])
                #expect(eventually(within: .seconds(20)) { container.state.hasPrefix("false") })
                let left = try #require(ContainerFiles.of(Locator(parsing: "docker:\(container.id)"), root: root))
                #expect(left.upper == upper)
                #expect(try self.changes(SessionRoots(ofEnded: left), host, "second") == changes)
            }
        }

        /// What a capture of these roots tells as changed, by path.
        private func changes(_ roots: SessionRoots, _ host: Host, _ name: String) throws -> [String: String] {
            var request = CaptureRequest.ofTest(.standard, roots.trees)
            request.changes = roots.changes
            let (_, bundle) = try request.captured(on: host, as: name)
            let rows = try bundle.lines("data/changes.jsonl")
            return Dictionary(
                rows.compactMap { row in
                    row["path"]?.string.flatMap { path in row["change"]?.string.map { (path, $0) } }
                },
                uniquingKeysWith: { first, _ in first }
            )
        }
    }
}
