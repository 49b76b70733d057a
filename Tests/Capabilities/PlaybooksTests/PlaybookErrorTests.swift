import Base
import Documents
import Engine
import Playbooks
import Testing

/// The texts of errors. The steps begin in line 9 of the file, indented by two.
@Suite("Errors of playbooks name the place and the fix")
struct PlaybookErrorTests {
    struct Wrong: Sendable, CustomTestStringConvertible {
        let steps: String
        let position: String
        let reason: String
        let fix: String?
        let parameters: String

        init(_ steps: String, _ position: String, _ reason: String, _ fix: String?, parameters: String = "") {
            self.steps = steps
            self.position = position
            self.reason = reason
            self.fix = fix
            self.parameters = parameters
        }

        var testDescription: String { reason }
    }

    static let wrong: [Wrong] = [
        Wrong(
            "  - { id: f, acton: freeze }",
            "9:14",
            "unknown key \"acton\"",
            "write \"action\""
        ),
        Wrong("  - { id: f }", "9:5", "the key \"action\" is missing", "add \"action: ...\" to this mapping"),
        Wrong("  - { id: f, action: freze }", "9:22", "unknown action \"freze\"", "write \"freeze\""),
        Wrong(
            "  - { id: f, action: xyzzy }",
            "9:22",
            "unknown action \"xyzzy\"",
            "known actions: capture, freeze, isolate, kill, revoke, timeline"
        ),
        Wrong(
            "  - { id: F, action: freeze }",
            "9:11",
            "expected a name of a-z, 0-9 and -, at most 64 letters, found \"F\"",
            nil
        ),
        Wrong(
            "  - { id: f, action: freeze }\n  - { id: f, action: isolate }",
            "10:11",
            "a second step with the id \"f\", first at 9:11",
            "give each step its own id"
        ),
        Wrong(
            "  - { id: f, action: freeze, needs: [g] }",
            "9:38",
            "there is no step \"g\"",
            "there are no steps here"
        ),
        Wrong(
            "  - { id: freeze, action: freeze }\n  - { id: c, action: isolate, after: [freze] }",
            "10:39",
            "there is no step \"freze\"",
            "write \"freeze\""
        ),
        Wrong(
            "  - { id: f, action: freeze, with: { reson: x } }",
            "9:38",
            "freeze has no input \"reson\"",
            "write \"reason\""
        ),
        Wrong(
            "  - { id: f, action: freeze, with: { reason: \"${parameters.reasn}\" } }",
            "9:46",
            "unknown parameter \"reasn\"",
            "write \"reason\""
        ),
        Wrong(
            "  - { id: f, action: freeze, with: { reason: \"${parameter.reason}\" } }",
            "9:46",
            "unknown reference \"${parameter.reason}\"",
            "write ${parameters.NAME} or ${steps.ID.FIELD}"
        ),
        Wrong(
            "  - { id: f, action: freeze, with: { reason: \"${parameters.reason\" } }",
            "9:46",
            "a reference ${ without its }",
            "write ${parameters.NAME}"
        ),
        Wrong(
            "  - { id: f, action: freeze, with: { reason: [x] } }",
            "9:46",
            "expected a text for reason, found a list",
            nil
        ),
        Wrong(
            "  - { id: c, action: capture, with: { profile: everything } }",
            "9:48",
            "capture knows no profile \"everything\"",
            "known values: volatile, standard, full"
        ),
        Wrong(
            "  - { id: c, action: capture, with: { limit: 5 } }",
            "9:46",
            "expected a duration such as 500ms, 5s, 2m or 1h, found \"5\"",
            nil
        ),
        Wrong(
            "  - { id: c, action: capture, with: { workers: \"${parameters.reason}\" } }",
            "9:48",
            "workers is a whole number, parameter \"reason\" is a text",
            nil
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, with: { bundle: steps.c.bundl }, needs: [c] }",
            "10:48",
            "capture has no output \"bundl\"",
            "write \"bundle\""
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, with: { bundle: steps.c.bundle } }",
            "10:48",
            "step \"c\" may still run when \"t\" starts",
            "add \"needs: [c]\" or \"after: [c]\""
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, with: { bundle: steps.c.failed }, needs: [c] }",
            "10:48",
            "bundle is a text, steps.c.failed is a whole number",
            nil
        ),
        Wrong(
            "  - { id: c, action: capture }\n"
                + "  - { id: t, action: timeline, with: { bundle: \"x${steps.c.bundle}\" }, needs: [c] }",
            "10:48",
            "steps.c.bundle must stand alone",
            "give it as the whole value"
        ),
        Wrong(
            "  - { id: a, action: freeze, after: [b] }\n  - { id: b, action: isolate, after: [a] }",
            "9:38",
            "step \"a\" waits for itself (a, b)",
            "remove one of these from needs or after"
        ),
        Wrong(
            "  - { id: f, action: freeze, timeout: 0s }",
            "9:39",
            "expected a duration above zero, found \"0s\"",
            nil
        ),
        Wrong(
            "  - { id: f, action: freeze, retry: 11 }",
            "9:37",
            "expected a whole number from 0 to 10, found \"11\"",
            nil
        ),
        Wrong(
            "  - { id: f, action: freeze, onFailure: abort }",
            "9:41",
            "expected \"stop\" or \"continue\", found \"abort\"",
            nil
        ),
        Wrong(
            "  - { id: k, action: kill }",
            "9:22",
            "kill destroys, and no standard capture is needed before it",
            "add a step with \"action: capture\" and name it in \"needs\""
        ),
        Wrong(
            "  - { id: f, action: freeze, when: parameters.reason = 'x' }",
            "9:54",
            "unexpected \"=\"",
            "compare with =="
        ),
        Wrong(
            "  - { id: f, action: freeze, when: \"parameters.reason == why\" }",
            "9:58",
            "unknown word \"why\"",
            "put a text in quotes: 'why'"
        ),
        Wrong(
            "  - { id: f, action: freeze, when: parameters.reason }",
            "9:36",
            "a text is no condition by itself",
            "compare it with =="
        ),
        Wrong(
            "  - { id: f, action: freeze, when: parameters.reason == 7 }",
            "9:54",
            "a text cannot be compared with a whole number",
            nil
        ),
        Wrong(
            "  - { id: f, action: freeze, when: (true }",
            "9:41",
            "a parenthesis is not closed",
            "add \")\""
        ),
        Wrong(
            "  - { id: f, action: freeze, when: true false }",
            "9:41",
            "unexpected \"false\"",
            "join conditions with && or ||"
        ),
        Wrong(
            "  - { id: f, action: freeze, when: true && }",
            "9:43",
            "expected a value, found the end",
            "write parameters.NAME, steps.ID.state, steps.ID.FIELD or a literal"
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, after: [c], when: steps.c.state == suceeded }",
            "10:67",
            "unknown state \"suceeded\"",
            "write \"succeeded\""
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, after: [c], when: steps.c.grade == 'god' }",
            "10:67",
            "grade is never 'god'",
            "write \"good\""
        ),
        Wrong(
            "  - { id: c, action: capture }\n  - { id: t, action: timeline, when: steps.c.complete }",
            "10:38",
            "step \"c\" may still run when \"t\" starts",
            "add \"needs: [c]\" or \"after: [c]\""
        ),
        Wrong(
            "  - { id: f, action: freeze }",
            "7:8",
            "unknown key \"typ\"",
            "write \"type\"",
            parameters: "  n: { typ: int }"
        ),
        Wrong(
            "  - { id: f, action: freeze }",
            "7:14",
            "unknown type \"text\"",
            "known types: session, string, int, bool, duration, list",
            parameters: "  n: { type: text }"
        ),
        Wrong(
            "  - { id: f, action: freeze }",
            "7:28",
            "expected a whole number, found \"x\"",
            nil,
            parameters: "  n: { type: int, default: x }"
        ),
        Wrong(
            "  - { id: f, action: freeze }",
            "7:32",
            "a session is always given by a person",
            "remove the default",
            parameters: "  n: { type: session, default: x }"
        ),
    ]

    @Test("an error has the place of the wrong word, says what is wrong and what to write", arguments: wrong)
    func errors(_ wrong: Wrong) {
        let failure = #expect(throws: Failure.self) { try graph(wrong.steps, parameters: wrong.parameters) }
        #expect(failure?.code == .malformed)
        #expect(failure?.subject == "t.yaml:\(wrong.position)")
        #expect(failure?.reason == wrong.reason)
        #expect(failure?.hint == wrong.fix)
    }

    @Test("lint tells everything at once, in the order of the file")
    func lint() throws {
        let document = try playbook(
            """
              - { id: keep, action: capture, with: { profil: full } }
              - { id: gone, action: timeline, needs: [keep], when: steps.keep.state == failed }
              - { id: never, action: timeline, needs: [gone] }
              - { id: end, action: kill, needs: [keep] }
              - { id: ok, action: revoke, when: parameters.unknown }
            """,
            parameters: "  spare: { type: int, default: 1 }"
        )
        let lines = document.lint(against: TestCatalogue.actions).map { finding in
            "\(finding.place.position) \(finding.severity.rawValue) \(finding.rule): \(finding.reason)"
        }
        #expect(
            lines == [
                "7:3 warning unused-parameter: parameter \"spare\" is not used",
                "9:42 error inputs: capture has no input \"profil\"",
                "10:56 warning unreachable: step \"gone\" can never run: its condition is always false",
                "11:5 warning unreachable: step \"never\" can never run: it needs \"gone\", which never runs",
                "12:24 error capture-first: kill destroys, and no standard capture is needed before it",
                "13:37 error when: unknown parameter \"unknown\"",
            ]
        )
    }

    @Test("a destroying step after a standard capture that it needs is in order")
    func captureFirst() throws {
        let graph = try graph(
            """
              - { id: keep, action: capture, with: { profile: standard } }
              - { id: look, action: capture, needs: [keep] }
              - { id: end, action: kill, needs: [look] }
            """
        )
        #expect(graph.steps.count == 3)
        #expect(throws: Failure.self) {
            _ = try graphWithAfterOnly()
        }
    }

    /// A capture that may have failed is no capture: `after` is not enough.
    private func graphWithAfterOnly() throws -> StepGraph {
        try graph(
            """
              - { id: keep, action: capture, with: { profile: standard } }
              - { id: end, action: kill, after: [keep] }
            """
        )
    }
}
