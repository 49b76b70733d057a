import Base
import Containment
import Glibc
import Kernel
import Programs
import Sessions
import Testing

extension SystemTests {
    @Suite("a real cron", .kernel(.root, .cgroup2, .program("cron"), .program("faketime"), .program("unshare")))
    struct CronSystemTests {
        @Test("RT4 cron's entry for the agent is held and given back, and cron goes on serving others", .sandbox)
        func entryHeld() throws {
            let scene = try CronScene()
            let first = try scene.next(after: [])
            let result = try scene.freeze(first)
            defer { scene.clean(result) }
            #expect(result.word == .confirmed, "\(result)")
            let entry = try #require(result.supervisors.first { $0.kind == .cronEntry }, "\(result.supervisors)")
            #expect(entry.isHeld && entry.detail.contains(scene.agent) && !entry.detail.contains("served"))
            #expect(result.notes.contains { $0.contains("1 other entries of uid 0") }, "\(result.notes)")
            #expect(scene.text.contains("#quell-") && scene.text.contains("\n\(scene.bystander)\n"))
            for effect in result.effects { #expect(try effect.probe(on: scene.host) == .done, "\(effect.summary)") }
            // In the minute in which it was held cron may have started it just before.
            try scene.waitForMinutes(2)
            let known = scene.agents
            let killed = try Killer(scene.host).kill(result, scene.subject(first), apply: scene.apply)
            #expect(killed.isComplete, "\(killed)")
            try scene.waitForMinutes(2)
            #expect(scene.agents.subtracting(known).isEmpty, "cron started it again")

            let released = try SupervisorHold.letGo(result.effects, on: scene.host, apply: scene.apply)
            #expect(released.isComplete, "\(released)")
            #expect(scene.text == scene.before)
            _ = try scene.next(after: known)
        }

        @Test("RT4 a successor that cron starts is seen after the kill, and held with its entry", .sandbox)
        func successor() throws {
            let scene = try CronScene()
            let first = try scene.next(after: [])
            let left = try scene.freeze(first, holdRestart: false)
            defer { scene.clean(left) }
            #expect(left.word == .partial, "\(left)")
            #expect(left.supervisors.contains { $0.kind == .cronEntry && !$0.isHeld } && scene.text == scene.before)
            let killed = try Killer(scene.host).kill(left, scene.subject(first), apply: scene.apply)
            let next = try #require(killed.successors.first, "\(killed)")
            let again = try scene.freeze(next.process.pid)
            defer { scene.clean(again) }
            #expect(again.word == .confirmed, "\(again)")
            #expect(again.supervisors.contains { $0.kind == .cronEntry && $0.isHeld })
            let thawed = try Thaw.thaw(
                again.effects,
                members: again.members,
                release: true,
                on: scene.host,
                apply: scene.apply
            )
            #expect(thawed.isComplete && scene.text == scene.before, "\(thawed)")
        }

        @Test(
            "RT4 what at started is held when nothing waits in its queue, and partial while another job of the user waits",
            .kernel(.program("atd"), .program("at"), .program("atrm")),
            .sandbox
        )
        func atQueue() throws {
            let sandbox = try Sandbox.of()
            let queue = try AtDaemon()
            let agent = "\(try sandbox.copy("/bin/sleep", as: "rogue")) 1000"
            try queue.run("echo \(agent) | at now && echo true | at now + 1 day")
            let host = try Host()
            var policy = FreezePolicy()
            policy.root = BytePath(queue.root)
            var found: Int32?
            let isThere = eventually(within: .seconds(30)) {
                found = sandbox.unified?.processes.first {
                    ProcessScanner(host).namedStat(of: $0)?.name == BytePath("rogue")
                }
                return found != nil
            }
            try #require(isThere)
            func freeze() throws -> FreezeResult {
                let session = try SessionResolver(host: host).resolve(.pid(try #require(found)))
                return try Freezer(host).freeze(Subject(session), policy) { _, act throws(Failure) in try act() }
            }
            func clean(_ result: FreezeResult) {
                _ = try? Thaw.thaw(result.effects, members: result.members, release: true, on: host) {
                    _,
                    act throws(Failure) in try act()
                }
                Holds.remove(result.effects, on: host)
            }
            let waiting = try freeze()
            defer { clean(waiting) }
            #expect(waiting.word == .partial, "\(waiting)")
            let named = try #require(waiting.supervisors.first { !$0.isHeld })
            #expect(named.name == BytePath("atd") && named.detail.contains("1 jobs of uid 0 wait"), "\(named)")
            clean(waiting)
            try queue.run("atrm 2")
            let alone = try freeze()
            defer { clean(alone) }
            #expect(alone.word == .confirmed, "\(alone)")
        }

        @Test("RT4 when no entry is what cron started, it is named and the freeze is partial", .sandbox)
        func unknownEntry() throws {
            let scene = try CronScene()
            let first = try scene.next(after: [])
            // Somebody changes the table: what started it stands there no more.
            let changed = scene.before.replacing(scene.agent, with: "\(scene.agent) -v")
            #expect(Files.write(changed, to: scene.cron.table) == 0)
            let result = try scene.freeze(first)
            defer { scene.clean(result) }
            #expect(result.word == .partial, "\(result)")
            let named = try #require(result.supervisors.first { $0.kind == .cronEntry })
            #expect(!named.isHeld && named.reason?.contains("crontab -l") == true)
            #expect(scene.text == changed)
        }
    }
}

/// An agent and a bystander that a real cron starts every minute.
private struct CronScene {
    let cron: CronDaemon
    let host: Host
    let agent: String
    let bystander: String
    let before: String
    private let served: String

    init() throws {
        let sandbox = try Sandbox.of()
        agent = "\(try sandbox.copy("/bin/sleep", as: "rogue")) 1000"
        served = "\(sandbox.folder)/served"
        bystander = "* * * * * echo served >> \(served)"
        before = "# a table\nX=1\n* * * * * \(agent)\n\(bystander)\n"
        cron = try CronDaemon(before)
        host = try Host()
    }

    var text: String { Files.text(cron.table) ?? "" }

    /// The living agents.
    var agents: Set<Int32> {
        let scanner = ProcessScanner(host)
        let group = (try? Sandbox.of().unified?.processes) ?? []
        return Set(
            group.filter { pid in
                guard let stat = scanner.namedStat(of: pid) else { return false }
                return stat.name == BytePath("rogue") && !stat.numbers.isDead
            }
        )
    }

    /// An agent that was not there before.
    func next(after known: Set<Int32>) throws -> Int32 {
        var found: Int32?
        let isThere = eventually(within: .seconds(30)) {
            found = agents.subtracting(known).min()
            return found != nil
        }
        try #require(isThere)
        return try #require(found)
    }

    /// Waits until cron has served the bystander that often.
    func waitForMinutes(_ count: Int) throws {
        func minutes() -> Int { (Files.text(served) ?? "").split(separator: "\n").count }
        let start = minutes()
        let isServed = eventually(within: .seconds(30)) { minutes() >= start + count }
        try #require(isServed)
    }

    func subject(_ pid: Int32) throws -> Subject { Subject(try SessionResolver(host: host).resolve(.pid(pid))) }

    func freeze(_ pid: Int32, holdRestart: Bool = true) throws -> FreezeResult {
        var policy = FreezePolicy(holdRestart: holdRestart)
        policy.root = BytePath(cron.root)
        return try Freezer(host).freeze(try subject(pid), policy, apply: apply)
    }

    /// What was moved goes back to where this test's own end takes it away.
    func clean(_ result: FreezeResult) {
        _ = try? Thaw.thaw(result.effects, members: result.members, release: true, on: host, apply: apply)
        Holds.remove(result.effects, on: host)
    }

    func apply(_ effects: [ContainmentEffect], _ act: () throws(Failure) -> Void) throws(Failure) { try act() }
}
