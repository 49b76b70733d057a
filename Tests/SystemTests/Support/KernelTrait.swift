import Glibc
import Programs
import Testing

/// One thing of the machine that a test needs.
enum Need: Sendable {
    /// Effective uid 0.
    case root
    /// A cgroup v2 hierarchy, unified or hybrid, that we may write.
    case cgroup2
    /// The v1 freezer hierarchy, that we may write.
    case v1freezer
    /// `redis-server` is installed.
    case redis
    /// A program of that name is in PATH.
    case program(String)
    /// A file that can be opened for reading and writing, such as a device.
    case device(String)
    /// podman and runc are installed, and a static busybox to run in a container.
    case podman
    /// dockerd and its client of Debian's, runc, and a static busybox to run in a container.
    case docker
    /// bagit.py, which scripts/install-dependencies puts into a virtual environment and names in QUELL_BAGIT.
    case bagit

    /// `nil` when the machine has it, else what is missing.
    func missing() -> String? {
        switch self {
        case .root: geteuid() == 0 ? nil : "needs root"
        case .cgroup2: Need.writable(CgroupMounts.unified, "cgroup v2")
        case .v1freezer: Need.writable(CgroupMounts.freezer, "the v1 freezer")
        case .redis: Program.find("redis-server") == nil ? "needs redis-server" : nil
        case .program(let name): Program.find(name) == nil ? "needs the program \(name)" : nil
        case .device(let path): access(path, R_OK | W_OK) == 0 ? nil : "needs \(path)"
        case .podman: Need.missing(of: ["podman", "runc", "conmon", "tar"], files: [PodmanContainer.busybox])
        case .docker:
            Need.missing(
                of: ["dockerd", "containerd", "runc", "unshare", "tar"],
                files: [DockerEngine.client, PodmanContainer.busybox]
            )
        case .bagit: Program.ownEnvironment()["QUELL_BAGIT"] == nil ? "needs QUELL_BAGIT" : nil
        }
    }

    private static func missing(of programs: [String], files: [String]) -> String? {
        let missing = programs.filter { Program.find($0) == nil } + files.filter { access($0, X_OK) != 0 }
        return missing.isEmpty ? nil : "needs " + missing.joined(separator: " and ")
    }

    private static func writable(_ mount: String?, _ name: String) -> String? {
        guard let mount else { return "needs \(name), which is not mounted" }
        return access(mount, W_OK) == 0 ? nil : "needs \(name) writable"
    }
}

/// Skips a test when the machine lacks something, and never silently: each skip is a line in the file $QUELL_SKIPS,
/// which scripts/test counts.
struct KernelTrait: TestTrait, SuiteTrait {
    let needs: [Need]
    var isRecursive: Bool { true }

    func prepare(for test: Test) async throws {
        guard Program.ownEnvironment()["QUELL_SYSTEM_TESTS"] != nil else {
            try Test.cancel("system tests run only with QUELL_SYSTEM_TESTS=1")
        }
        let missing = needs.compactMap { $0.missing() }
        guard !missing.isEmpty else { return }
        let reason = missing.joined(separator: ", ")
        #expect(Skips.record(test.name, reason) == 0, "the skip could not be recorded")
        try Test.cancel("\(reason)")
    }
}

extension Trait where Self == KernelTrait {
    /// The test needs these things of the machine.
    static func kernel(_ needs: Need...) -> KernelTrait { KernelTrait(needs: needs) }
}
