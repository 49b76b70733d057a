import Base
import Glibc
import Testing

@testable import Containment

@Suite("cron's tables")
struct CronTests {
    private func command(_ line: String, namesUser: Bool = false) -> String? {
        CronLine(parsing: Array(line.utf8), namesUser: namesUser).map { String(decoding: $0.command, as: UTF8.self) }
    }

    @Test("an entry is told from a comment and a setting, and gives what its shell is given")
    func lines() {
        #expect(command("* * * * * /opt/agent --fast") == "/opt/agent --fast")
        #expect(command("  0-59/5 1 2 jan mon\t a  b ") == "a  b ")
        #expect(command("@reboot agent") == "agent")
        #expect(command("* * * * * date +\\%s%in\\%put%x") == "date +%s")
        #expect(command("17 * * * * root cd / && run-parts /x", namesUser: true) == "cd / && run-parts /x")
        #expect(CronLine(parsing: Array("@reboot agent".utf8), namesUser: false)?.isAtBoot == true)
        let user = CronLine(parsing: Array("@daily bob x".utf8), namesUser: true)?.user
        #expect(user == "bob")
        for line in ["", " ", "# * * * * * x", "#quell-1 * * * * * x", "PATH=/bin", "A = 1", "* * * *", "* * * * *"] {
            #expect(command(line) == nil, "\(line)")
        }
    }

    @Test("RT4 a job's first process leads to its entry: the shell, or what it put itself aside for, and nothing else")
    func starting() throws {
        func starts(_ line: String, _ arguments: String...) throws -> Bool {
            try #require(CronLine(parsing: Array(line.utf8), namesUser: false)).starts(arguments.map { BytePath($0) })
        }
        #expect(try starts("* * * * * a && b", "/bin/sh", "-c", "a && b"))
        #expect(try !starts("* * * * * a && b", "/bin/sh", "-c", "a && c"))
        #expect(try !starts("* * * * * a && b", "a", "&&", "b"))
        #expect(try starts("* * * * * /x/agent 1", "/x/agent", "1"))
        #expect(try starts("* * * * * /x/agent.py 1", "/usr/bin/python3", "/x/agent.py", "1"))
        #expect(try starts("* * * * * agent 1", "/bin/sh", "/usr/bin/agent", "1"))
        #expect(try !starts("* * * * * /x/agent 1", "/x/agent", "2"))
        #expect(try !starts("* * * * * /x/agent 1", "/x/agent"))
    }

    @Test("RT4 only the one line becomes a comment and comes back; what others change meanwhile stays")
    func holding() throws {
        var template = Array("/tmp/quell-cron-XXXXXX".utf8CString)
        let folder = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = "\(folder)/root"
        defer {
            unlink(path)
            rmdir(folder)
        }
        func write(_ text: String) {
            guard let file = fopen(path, "w") else { return }
            fputs(text, file)
            fclose(file)
        }
        func read() -> String {
            String(decoding: RegularFile.read(BytePath(path), limit: 1 << 16) ?? [], as: UTF8.self)
        }
        let before = "MAILTO=x\n* * * * * agent\n\n5 * * * * agent\n* * * * * agent -v\nno end"
        write(before)
        #expect(chmod(path, 0o600) == 0)
        let entry = CronEntry(table: BytePath(path), line: BytePath("* * * * * agent"))
        let hold = CronHold(entry: entry, mark: "quell-x")
        #expect(!hold.isThere())
        var times = [stat(), stat(), stat(), stat()]
        #expect(stat(path, &times[0]) == 0 && stat(folder, &times[1]) == 0)
        try hold.put()
        #expect(hold.isThere())
        // cron compares seconds, and this is mostly the same one.
        #expect(stat(path, &times[2]) == 0 && stat(folder, &times[3]) == 0)
        #expect(times[2].st_mtim.tv_sec > times[0].st_mtim.tv_sec)
        #expect(times[3].st_mtim.tv_sec > times[1].st_mtim.tv_sec)
        #expect(read() == before.replacing("\n* * * * * agent\n", with: "\n#quell-x * * * * * agent\n"))
        var facts = stat()
        #expect(stat(path, &facts) == 0 && facts.st_mode & 0o7777 == 0o600 && facts.st_uid == geteuid())
        let again = #expect(throws: Failure.self) { try hold.put() }
        #expect(again?.code == .changed)

        write(read() + "\n1 1 * * * other\n")
        try hold.take()
        #expect(!hold.isThere() && read() == before + "\n1 1 * * * other\n")
        try hold.take()
        // The responder took the entry out meanwhile: there is nothing to take back.
        unlink(path)
        try hold.take()
        let gone = #expect(throws: Failure.self) { try hold.put() }
        #expect(gone?.code == .notFound)
        #expect(symlink("/etc/passwd", path) == 0)
        #expect(throws: Failure.self) { try hold.put() }
    }

    @Test("RT4 a pod of kubelet's is named, with what would help")
    func pods() {
        let root = BytePath("/nowhere")
        func details(_ path: String) -> [Supervisor] { KubeletPod.supervisors(of: [BytePath(path)], root: root) }
        for path in [
            "/kubepods/burstable/pod8f3c2a10-0000-4000-8000-000000000001/0a1b",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod8f3c.slice/cri-containerd-0a1b.scope",
            "/kubepods.slice/kubepods-pod8f3c.slice/crio-0a1b.scope",
        ] {
            let found = details(path)
            #expect(found.count == 1 && found[0].detail.contains("pod8f3c"), "\(found)")
            #expect(found.first?.reason?.contains("kubectl cordon") == true && found.first?.isHeld == false)
        }
        #expect(details("/system.slice/kubelet.service").isEmpty && details("/podman/x").isEmpty)
    }
}
