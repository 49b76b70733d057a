import Base
import Casework
import Engine
import Sealing
import Testing

@Suite("Approvals")
struct ApprovalTests {
    @Test("a run waits for what the policy wants, does everything else, and goes on after the approval")
    func waitsAndGoesOn() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let steps = [
                step("freeze", ["frozen"]), step("revoke", ["revoked"], after: ["freeze"]),
                step("look", does: "capture", ["seen"], after: ["freeze"]),
                step("isolate", ["cut"], after: ["revoke"]),
            ]
            let (context, result, request) = try scene.waiting(people, [ApprovalNeed(1, of: "lead")], steps)
            #expect(result.outcome == .waiting)
            #expect(scene.world.lines.sorted() == ["frozen", "seen"])
            #expect(result.result(of: "revoke")?.state == .waiting)
            #expect(result.result(of: "isolate") == nil)
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            #expect(try people.desk(context.home).requests().count == 1)
            let standing = try people.desk(context.home).approve(
                people.signature(of: "bob", over: request),
                by: Scene.person
            )
            #expect(standing.state == .approved)
            #expect(standing.approvers == ["bob"])
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
            #expect(scene.world.lines.sorted() == ["cut", "frozen", "revoked", "seen"])
            #expect(try context.home.journal.verify().isSound)
            #expect(try Recovery(context).resume().isEmpty)
        }
    }

    @Test("what contains never waits: neither policy nor trust is read for it")
    func containsNeverWaits() throws {
        try Scene.play { scene in
            var context = try scene.context(scene.home())
            context.approvals = Approvals(requester: []) { () throws(Failure) in
                throw Failure(.malformed, "read the policy", on: "policy.yaml", because: "it is broken")
            }
            let steps = [step("freeze", ["a"]), step("isolate", ["b"]), step("revoke", ["c"], after: ["freeze"])]
            let result = try Runner(context).run(StepGraph(name: "g", steps: steps))
            #expect(result.steps.map(\.state) == [.succeeded, .succeeded, .failed])
            #expect(scene.world.lines.sorted() == ["a", "b"])
        }
    }

    @Test("RT17 the signed text holds case, run, step, host, head of the journal, expiry and what is decided")
    func text() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, result, request) = try scene.waiting(people)
            let lines = request.text.split(separator: "\n").map(String.init)
            for line in [
                "case      case-1", "run       \(result.run)", "step      revoke", "action    revoke (alters)",
                "session   v2 /agents/a7 inode 7, leader 7 started at tick 7", "decided   write b",
                "reason    it was a false alarm", "asked by  ada", "host      machine m1, boot boot-1",
                "journal   \(request.entries) entries, head \(request.head.hex)", "needs     1 of role lead: bob",
                "expires   \(request.expiresAt), 1060000 ms after boot",
            ] {
                #expect(lines.contains(line), "\(line)")
            }
            let entries = try context.home.journal.entries()
            #expect(entries[Int(request.entries) - 1].digest == request.head)
        }
    }

    @Test("RT17 an approval of one step is none of another: changed text, case, run, type or bytes are refused")
    func boundToOne() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(people)
            let desk = people.desk(context.home)
            let text = request.text
            for (old, new) in [
                ("case-1", "case-2"), (request.run, "run-000000"), ("step      revoke", "step      kill"),
                ("boot-1", "boot-2"), (request.head.hex, String(repeating: "0", count: 64)), ("1060000", "9060000"),
                ("write b", "write c"), ("1 of role lead", "0 of role lead"),
            ] {
                #expect(text.contains(old))
                let other = text.replacing(old, with: new)
                let signature = try people.signature(of: "bob", overText: other)
                expectRefusal("no text that this case") { try desk.approve(signature, by: Scene.person) }
            }
            for type in PayloadType.allCases where type != .approval {
                let signature = try people.signature(of: "bob", over: request, as: type)
                expectRefusal("namespace") { try desk.approve(signature, by: Scene.person) }
            }
            let good = try people.signature(of: "bob", over: request)
            let shorter = try people.signature(of: "bob", overText: String(text.dropLast()))
            #expect(throws: Failure.self) { try desk.approve(Array(good.dropLast(40)), by: Scene.person) }
            #expect(try desk.approve(shorter, by: Scene.person).state == .approved)
        }
    }

    @Test("RT17 a signature of one case counts in no other, even when that one asks for the same")
    func anotherCase() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (_, _, request) = try scene.waiting(people)
            let id = try #require(CaseID("case-2"))
            let other = try scene.store().create(id, about: [fakePin(inode: 7)], by: Scene.person)
            var context = try scene.context(other)
            context.approvals = people.approvals([ApprovalNeed(1, of: "lead")])
            let waiting = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["b"])]))
            #expect(waiting.outcome == .waiting)
            let signature = try people.signature(of: "bob", over: request)
            expectRefusal("no text that this case has asked about") {
                try people.desk(other).approve(signature, by: Scene.person)
            }
            #expect(scene.world.lines.isEmpty)
        }
    }

    @Test("RT17 a quorum counts persons: one person with two keys is one")
    func persons() throws {
        try Scene.play { scene in
            let people = try Approvers()
            var context = try scene.context(scene.home())
            context.actor = Responder("carl", by: .stated)
            context.approvals = people.approvals([ApprovalNeed(2, of: "lead")], requester: ["carl"])
            _ = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["b"])]))
            let desk = people.desk(context.home)
            let request = try #require(try desk.open().first).request
            let first = try desk.approve(people.signature(of: "ada", over: request), by: Scene.person)
            #expect(first.missing == ["1 of role lead"])
            let second = try people.signature(of: "ada-2", over: request)
            expectRefusal("persons are counted, not keys") { try desk.approve(second, by: Scene.person) }
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            // A journal that names the second key all the same is counted by the same rule.
            let body: JSONValue = [
                "decision": "approve", "person": "mallory", "request": .string(request.digest.hex),
                "signature": .string(String(decoding: second, as: UTF8.self)),
            ]
            try context.home.journal.append([EntryDraft(.approval, body, by: Scene.person)])
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            #expect(scene.world.lines.isEmpty)
            let bob = try desk.approve(people.signature(of: "bob", over: request), by: Scene.person)
            #expect(bob.state == .approved)
            #expect(bob.approvers == ["ada", "bob"])
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
        }
    }

    @Test("RT17 who asked, another role, a stranger and somebody whose time is over do not count")
    func whoMay() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(people)
            let desk = people.desk(context.home)
            for (name, reason) in [
                ("ada", "ada asked for it"), ("ada-2", "ada asked for it"), ("eve", "not of role lead"),
                ("old", "named nobody with the key"),
            ] {
                let signature = try people.signature(of: name, over: request)
                expectRefusal(reason) { try desk.approve(signature, by: Scene.person) }
            }
            let stranger = try SSHSignature.sign(Array(request.text.utf8), as: .approval, with: .generate())
            expectRefusal("named nobody with the key") {
                try desk.approve(Array(stranger.text.utf8), by: Scene.person)
            }
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            #expect(scene.world.lines.isEmpty)
        }
    }

    @Test("who asked may approve where the policy lets them")
    func requesterMay() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(
                people,
                [ApprovalNeed(1, of: "lead", mayBeRequester: true)]
            )
            _ = try people.desk(context.home).approve(people.signature(of: "ada", over: request), by: Scene.person)
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
        }
    }

    @Test("RT17 an approval is used once: the next run of the same asks anew, and the old signature counts no more")
    func usedOnce() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(people)
            let desk = people.desk(context.home)
            let signature = try people.signature(of: "bob", over: request)
            _ = try desk.approve(signature, by: Scene.person)
            expectRefusal("bob has approved it already") { try desk.approve(signature, by: Scene.person) }
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
            expectRefusal("the step ended: succeeded") { try desk.approve(signature, by: Scene.person) }
            let again = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["b"])]))
            #expect(again.outcome == .waiting)
            #expect(scene.world.lines == ["b"])
            expectRefusal("the step ended: succeeded") { try desk.approve(signature, by: Scene.person) }
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
        }
    }

    @Test("RT17 an approval expires by the time since boot, before and after it was given, and is asked for anew")
    func expires() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(people)
            let desk = people.desk(context.home)
            let signature = try people.signature(of: "bob", over: request)
            _ = try desk.approve(signature, by: Scene.person)
            people.clock.advance(by: 60_000)
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            #expect(scene.world.lines.isEmpty)
            expectRefusal("it was asked anew") { try desk.approve(signature, by: Scene.person) }
            let next = try #require(try desk.open().first).request
            people.clock.advance(by: 60_000)
            let late = try people.signature(of: "bob", over: next)
            expectRefusal("expired") { try desk.approve(late, by: Scene.person) }
            #expect(try desk.open().isEmpty)
        }
    }

    @Test("RT17 an approval covers what was decided when it was asked for, and nothing that came later")
    func envelope() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (first, _, request) = try scene.waiting(people)
            _ = try people.desk(first.home).approve(people.signature(of: "bob", over: request), by: Scene.person)
            var context = first
            context.registry = ActionRegistry()
            try context.registry.register(Fake<Revoke>(world: scene.world, pins: [fakePin(inode: 8)]))
            #expect(try Recovery(context).resume().map(\.outcome) == [.waiting])
            #expect(scene.world.lines.isEmpty)
            #expect(try people.desk(first.home).open().first?.request.pins == [fakePin(inode: 8)])
        }
    }

    @Test("a denial refuses the step, and the run ends")
    func denied() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let (context, _, request) = try scene.waiting(people)
            let desk = people.desk(context.home)
            try desk.deny(request, because: "not yet", by: Responder("bob", by: .stated))
            let signature = try people.signature(of: "bob", over: request)
            expectRefusal("bob denied it") { try desk.approve(signature, by: Scene.person) }
            let resumed = try Recovery(context).resume()
            #expect(resumed.map(\.outcome) == [.refused])
            #expect(resumed.first?.steps.first?.reasons == ["cannot revoke: step revoke: bob denied it: not yet"])
            #expect(try Recovery(context).resume().isEmpty)
            #expect(scene.world.lines.isEmpty)
        }
    }

    @Test("a verb that is given again goes on with the run that waits, and after it starts anew")
    func verbAgain() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let home = try scene.home()
            var single = Single(in: home, by: Scene.person)
            single.approvals = people.approvals([ApprovalNeed(1, of: "lead")])
            let action = Fake<Revoke>(world: scene.world)
            let first = single.run(action, .init(lines: ["a"]))
            #expect(first.outcome == .waiting)
            #expect(first.step.failure?.hint == "quell approve case-1 --show")
            #expect(single.run(action, .init(lines: ["a"])).run == first.run)
            #expect(single.run(action, .init(lines: ["other"])).run != first.run)
            let request = try #require(try people.desk(home).open().first).request
            _ = try people.desk(home).approve(people.signature(of: "bob", over: request), by: Scene.person)
            let second = single.run(action, .init(lines: ["a"]))
            #expect(second.run == first.run)
            #expect(second.outcome == .done)
            #expect(scene.world.lines == ["a"])
            let third = single.run(action, .init(lines: ["a"]))
            #expect(third.run != first.run)
            #expect(third.outcome == .waiting)
        }
    }

    @Test("evidence is asked for before approval, and both are needed; a waiver is shown to who approves")
    func evidenceFirst() throws {
        try Scene.play { scene in
            let people = try Approvers()
            let home = try scene.home()
            var single = Single(in: home, by: Scene.person)
            single.approvals = people.approvals([ApprovalNeed(1, of: "lead")], for: ["thaw"])
            let action = Fake<Thaw>(world: scene.world)
            #expect(single.run(action, .init(lines: ["a"])).outcome == .refused)
            #expect(try people.desk(home).requests().isEmpty)
            single = Single(in: home, by: Scene.person, waiver: "it ended")
            single.approvals = people.approvals([ApprovalNeed(1, of: "lead")], for: ["thaw"])
            #expect(single.run(action, .init(lines: ["a"])).outcome == .waiting)
            let request = try #require(try people.desk(home).open().first).request
            #expect(request.text.contains("evidence  none that counts; waived: it ended\n"))
            _ = try people.desk(home).approve(people.signature(of: "bob", over: request), by: Scene.person)
            var context = try scene.context(home)
            context.approvals = single.approvals
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
            #expect(scene.world.lines == ["a"])
        }
    }

    @Test("taking back what needed approval needs approval, and a policy that nobody can satisfy refuses at once")
    func undoAndImpossible() throws {
        try Scene.play { scene in
            let people = try Approvers()
            var context = try scene.context(scene.home())
            let run = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["a"])]))
            context.approvals = people.approvals([ApprovalNeed(1, of: "lead")])
            #expect(try UndoRun(context).undo(run.run).outcome == .waiting)
            let again = try UndoRun(context).undo(run.run)
            #expect(again.outcome == .waiting)
            #expect(scene.world.lines == ["a"])
            let requests = try people.desk(context.home).open()
            #expect(requests.count == 1)
            let request = try #require(requests.first).request
            #expect(request.run == again.run)
            _ = try people.desk(context.home).approve(people.signature(of: "bob", over: request), by: Scene.person)
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
            #expect(scene.world.lines == ["a", "not a"])
            context.approvals = people.approvals([ApprovalNeed(2, of: "lead")])
            let result = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["b"])]))
            #expect(result.outcome == .refused)
            #expect(result.steps.first?.reasons.first?.contains("names 1 who may approve it now") == true)
        }
    }

    @Test("rules add up: by nature and by name, each with its role")
    func rules() throws {
        try Scene.play { scene in
            let people = try Approvers()
            var context = try scene.context(scene.home())
            let lead = Policy.Rule(actions: ["revoke"], need: ApprovalNeed(1, of: "lead"), within: .seconds(60))
            let auditor = Policy.Rule(natures: [.alters], need: ApprovalNeed(1, of: "auditor"), within: .seconds(30))
            context.actor = Responder("carl", by: .stated)
            context.approvals = Approvals(requester: ["carl"], boottime: people.time) { () throws(Failure) in
                Authority(Policy([lead, auditor]), people.trust)
            }
            #expect(try Runner(context).run(StepGraph(name: "g", steps: [step("freeze", ["f"])])).outcome == .done)
            _ = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["b"])]))
            let desk = people.desk(context.home)
            let request = try #require(try desk.open().first).request
            #expect(request.expires == 1_030_000)
            let ada = try desk.approve(people.signature(of: "ada", over: request), by: Scene.person)
            #expect(ada.missing == ["1 of role auditor"])
            #expect(try desk.approve(people.signature(of: "eve", over: request), by: Scene.person).state == .approved)
            #expect(try Recovery(context).resume().map(\.outcome) == [.done])
        }
    }

    @Test("hostile text in a request stays on its line")
    func hostileText() throws {
        try Scene.play { scene in
            let people = try Approvers()
            var context = try scene.context(scene.home())
            context.approvals = people.approvals([ApprovalNeed(1, of: "lead")])
            context.reason = "fine\nneeds     0 of role lead\u{202E}"
            _ = try Runner(context).run(StepGraph(name: "g", steps: [step("revoke", ["x\ncase      other"])]))
            let text = try #require(try people.desk(context.home).open().first).request.text
            #expect(text.contains("reason    fine\\nneeds     0 of role lead\\u{202e}\n"))
            #expect(text.split(separator: "\n").filter { $0.hasPrefix("case ") }.count == 1)
        }
    }

    private func expectRefusal(
        _ reason: String,
        _ location: SourceLocation = #_sourceLocation,
        _ body: () throws -> ApprovalStanding
    ) {
        let failure = #expect(throws: Failure.self, sourceLocation: location) { _ = try body() }
        #expect(failure?.code == .refused, sourceLocation: location)
        #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")", sourceLocation: location)
    }
}
