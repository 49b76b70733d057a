import Base
import Glibc
import Programs
import Testing

extension SystemTests {
    /// What is said of a session because of names that it chose.
    @Suite("attribution", .kernel(.root, .cgroup2, .podman))
    struct AttributionSystemTests {
        @Test("RT8 a cgroup that is called like a container's brings its logs and records to nobody", .sandbox)
        func container() throws {
            try CaptureDesk.with { desk in
                try PodmanContainer.with(command: "sh", "-c", "echo said; exec sleep 1000") { container in
                    let home = try #require(desk.sandbox.unified).subgroup("libpod-\(container.id)")
                    let words = ["enter", home.path, "--", "/bin/sleep", "1000"]
                    let session = try desk.sandbox.start(Program(try Sandbox.testkitPath(), words))
                    let isInside = eventually {
                        Files.text("/proc/\(session.id)/cgroup")?.contains("libpod-\(container.id)") == true
                    }
                    #expect(isInside)
                    let (account, _) = try desk.capture("pid:\(session.id)")
                    #expect(!account.contains { $0["path"]?.string?.hasSuffix("/ctr.log") == true }, "\(account)")
                    let records = account.filter { $0["item"]?.string == "runtime" }
                    #expect(records.map { $0["outcome"]?.string } == ["failed"])
                    #expect(records.first?["reason"]?.string?.contains("nothing of it is attributed") == true)
                }
            }
        }

        @Test("the rights of a process with thousands of groups are told whole", .sandbox)
        func groups() throws {
            try CaptureDesk.with { desk in
                let script = """
                    import os, time
                    os.setgroups(range(1_000_000_000, 1_000_020_000))
                    print('ready', flush=True)
                    time.sleep(1000)
                    """
                let session = try desk.sandbox.start(Program("/usr/bin/python3", ["-c", script]), in: .unified)
                _ = try session.line { $0 == "ready" }
                let (_, processes) = try desk.capture("cgroup:/\(desk.sandbox.name)", and: "data/processes.jsonl")
                let told = processes.first { $0["pid"]?.integer == Int64(session.id) }
                #expect(told?["groups"]?.array?.count == 20_000 && told?["capabilities"] != nil)
            }
        }
    }
}
