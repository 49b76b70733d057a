import Base
import Bundles
import Glibc
import Kernel
import Sessions
import Testing

@testable import Evidence

@Suite("Logs of the host")
struct HostLogsTests {
    /// 2026-11-20, 21, 22 at noon.
    private static let days = (1_795_176_000, 1_795_262_400, 1_795_348_800)

    /// A host's /var/log: audit logs and a syslog, rotated, two compressed, and two files of journald's.
    private func scene() throws -> Scene {
        let scene = try Scene()
        let (first, second, third) = HostLogsTests.days
        scene.python(
            """
            import gzip
            def log(name, text, at):
                os.makedirs(os.path.dirname(name), exist_ok=True)
                data = text.encode()
                open(name, 'wb').write(gzip.compress(data, mtime=0) if name.endswith('.gz') else data)
                os.utime(name, (at, at))
            log('var/log/audit/audit.log', 'now', \(third))
            log('var/log/audit/audit.log.1', 'yesterday', \(second))
            log('var/log/syslog', 'now', \(third))
            log('var/log/syslog.2.gz', 'yesterday', \(second))
            log('var/log/syslog.3.gz', 'long ago', \(first))
            log('var/log/syslogger', 'of another program', \(third))
            log('var/log/journal/m/system.journal', 'binary', \(third))
            # Its first record is of the year 2027.
            log('var/log/journal/m/system@aa-01-%016x.journal' % (\(third + 40 * 86_400) * 1000000), 'x', \(third))
            log('home/u/.bash_history', 'ls', \(third))
            """
        )
        return scene
    }

    private func window(_ since: Int, _ until: Int) -> LogWindow {
        LogWindow(
            since: Instant(nanoseconds: Int64(since) * 1_000_000_000),
            until: Instant(nanoseconds: Int64(until) * 1_000_000_000)
        )
    }

    /// The plain files were born when this test made them: after the window, which has to end behind that.
    private static let always = 4_000_000_000

    @Test("logs of the window are copied as they are, rotated and compressed ones too; others are told and left out")
    func window() throws {
        let scene = try scene()
        var request = scene.request()
        let (_, second, third) = HostLogsTests.days
        let logs = HostLogs(
            in: window(second - 60, HostLogsTests.always),
            on: try Host(),
            root: BytePath(scene.workspace)
        )
        request.hostLogs = logs.ofTheHost()
        request.trees = []
        let captured = try scene.capture(request)
        captured.expectBalanced()
        let items = captured.items(of: "hostLog")
        func item(_ name: String) -> JSONValue? {
            items.first { $0["path"]?.string == "\(scene.workspace)/var/log/\(name)" }
        }
        for name in ["audit/audit.log", "audit/audit.log.1", "syslog", "syslog.2.gz", "journal/m/system.journal"] {
            #expect(item(name)?["outcome"]?.string == "collected", "\(name)")
        }
        #expect(item("syslog.3.gz")?["outcome"]?.string == "skipped")
        #expect(item("syslog.3.gz")?["reason"]?.string?.contains("before the window") == true)
        #expect(item("syslogger") == nil)
        let packed = try #require(item("syslog.2.gz")?["member"]?.string)
        #expect(packed.hasSuffix(".gz"))
        let path = scene.folder + "/bundle/" + packed
        let script = "import gzip,sys; sys.exit(gzip.open(sys.argv[1]).read() != b'yesterday')"
        #expect(run("/usr/bin/python3", "-c", script, path) == 0)
        // What lies outside of the window was not asked for: nothing is missing.
        #expect(captured.sealed.shortfalls.isEmpty)
        _ = third
    }

    @Test("a folder with more names than are looked at says so, and a journal that is no file is told")
    func caps() throws {
        let scene = try Scene()
        for folder in ["/var", "/var/log", "/var/log/journal", "/var/log/journal/m"] {
            mkdir(scene.workspace + folder, 0o755)
        }
        symlink("/dev/null", scene.workspace + "/var/log/journal/m/system.journal")
        let always = window(0, HostLogsTests.always)
        let link = HostLogs(in: always, on: try Host(), root: BytePath(scene.workspace)).ofTheHost()
        #expect(link.contains { $0.leftOut == "it is no file: symlink" }, "\(link)")
        for number in 0...HostLogs.mostNames { try scene.write("var/log/journal/m/n\(number)", "") }
        let logs = HostLogs(in: always, on: try Host(), root: BytePath(scene.workspace)).ofTheHost()
        let cut = logs.compactMap(\.failure).first
        #expect(cut?.reason == "it has more than 4096 names: those behind the first are not looked at", "\(logs)")
    }

    @Test("a journal whose name says that it begins after the window is left out")
    func later() throws {
        let scene = try scene()
        let (_, second, third) = HostLogsTests.days
        let logs = HostLogs(in: window(second, third + 86_400), on: try Host(), root: BytePath(scene.workspace))
        let archived = logs.ofTheHost().first { $0.path.lastComponent.bytes.contains(UInt8(ascii: "@")) }
        #expect(archived?.leftOut?.contains("after the window") == true)
    }

    @Test("a host without auditd and journald is told to have none")
    func none() throws {
        let scene = try Scene()
        let logs = HostLogs(in: window(0, HostLogsTests.always), on: try Host(), root: BytePath(scene.workspace))
        #expect(logs.ofTheHost().compactMap(\.leftOut) == ["auditd has written none here", "journald keeps none here"])
    }

    @Test("RT24 a history of another user is told and not read")
    func othersHistory() throws {
        let scene = try scene()
        let logs = HostLogs(in: window(0, HostLogsTests.always), on: try Host(), root: BytePath(scene.workspace))
        let own = logs.of([home(scene, geteuid())])
        #expect(own.map(\.leftOut) == [nil] && own.map(\.kind) == [.history])
        #expect(logs.of([home(scene, geteuid() + 1)]).first?.leftOut?.contains("not to the session's user") == true)
    }

    @Test("a folder of logs that cannot be listed has failed; it is not one without logs")
    func unlisted() throws {
        let scene = try Scene()
        scene.python("os.makedirs('var/log'); open('var/log/audit', 'w').write('a file where a folder is meant')")
        var request = scene.request()
        request.hostLogs = HostLogs(
            in: window(0, HostLogsTests.always),
            on: try Host(),
            root: BytePath(scene.workspace)
        ).ofTheHost()
        request.trees = []
        let captured = try scene.capture(request)
        captured.expectBalanced()
        let items = captured.items(of: "hostLog").filter { $0["path"]?.string?.hasSuffix("/var/log/audit") == true }
        #expect(items.map { $0["outcome"]?.string } == ["failed"])
        #expect(items.first?["reason"]?.string?.contains("ENOTDIR") == true)
    }

    private func home(_ scene: Scene, _ uid: UInt32) -> SessionHome {
        SessionHome(
            path: BytePath(scene.workspace + "/home/u"),
            inside: nil,
            user: nil,
            uid: uid,
            places: [:],
            folders: [],
            isOfTheHost: true
        )
    }
}
