import Base
import Engine
import Playbooks
import Testing

@Suite("Playbooks become graphs")
struct PlaybookGraphTests {
    @Test("steps, order, times and inputs reach the graph; session and reason fill the inputs of their names")
    func wholeGraph() throws {
        let graph = try graph(
            """
              - { id: freeze, action: freeze, timeout: 5s, onFailure: stop }
              - { id: cut, action: isolate, after: [freeze], retry: 2 }
              - id: look
                action: capture
                with: { profile: volatile, limit: 2m, workers: 4, quick: true, names: [a, 7, "${parameters.reason}"] }
                needs: [freeze]
                after: [cut]
            """,
            given: ["session": "cgroup:/a7", "reason": "it lied"]
        )
        #expect(graph.name == "test" && graph.version == "1.0.0")
        #expect(graph.steps.map(\.id) == ["freeze", "cut", "look"])
        let freeze = try #require(graph.step("freeze"))
        #expect(freeze.parameters == ["session": "cgroup:/a7", "reason": "it lied"])
        #expect(freeze.timeoutNanoseconds == 5_000_000_000 && freeze.onFailure == .stop && freeze.retries == 0)
        #expect(graph.step("cut")?.after == ["freeze"] && graph.step("cut")?.retries == 2)
        #expect(graph.step("cut")?.onFailure == .continue)
        let look = try #require(graph.step("look"))
        #expect(look.needs == ["freeze"] && look.after == ["cut"])
        #expect(
            look.parameters == [
                "profile": "volatile", "limit": 120_000_000_000, "workers": 4, "quick": true,
                "names": ["a", 7, "it lied"], "session": "cgroup:/a7",
            ]
        )
    }

    @Test("references to outputs are typed references, written with and without ${}")
    func outputReferences() throws {
        for written in ["steps.keep.bundle", "${steps.keep.bundle}", "\"${steps.keep.bundle}\""] {
            let graph = try graph(
                """
                  - { id: keep, action: capture }
                  - id: story
                    action: timeline
                    needs: [keep]
                    with:
                      bundle: \(written)
                """
            )
            let reference = OutputReference(step: "keep", field: "bundle")
            #expect(graph.step("story")?.parameters["bundle"] == reference.json)
        }
        let text = try graph("  - { id: story, action: timeline, with: { bundle: \"steps.keep.bundle\" } }")
        #expect(text.step("story")?.parameters["bundle"] == "steps.keep.bundle")
    }

    @Test("parameters stand within texts and are read by their types")
    func parameterValues() throws {
        let graph = try graph(
            "  - { id: f, action: freeze, with: { reason: \"${parameters.reason}/${parameters.n}/$${x}\" } }\n"
                + "  - { id: c, action: capture, with: { limit: \"${parameters.span}\", names: \"${parameters.l}\" } }",
            parameters: """
                  n: { type: int, default: 3 }
                  span: { type: duration, default: 500ms }
                  l: { type: list, required: false }
                """,
            given: ["session": "pid:7", "reason": "r", "n": "12", "l": "a,b"]
        )
        #expect(graph.step("f")?.parameters["reason"] == "r/12/${x}")
        #expect(graph.step("c")?.parameters["limit"] == 500_000_000)
        #expect(graph.step("c")?.parameters["names"] == ["a", "b"])
    }

    @Test(
        "conditions are typed and parameters become constants",
        arguments: [
            ("steps.keep.state == succeeded", Condition.ended(step: "keep", in: .succeeded)),
            ("'timed-out' != steps.keep.state", .not(.ended(step: "keep", in: .timedOut))),
            ("steps.keep.complete", .equals(OutputReference(step: "keep", field: "complete"), true)),
            ("steps.keep.bundle", .isFilled(OutputReference(step: "keep", field: "bundle"))),
            ("!steps.keep.complete", .not(.equals(OutputReference(step: "keep", field: "complete"), true))),
            ("steps.keep.failed == 0", .equals(OutputReference(step: "keep", field: "failed"), 0)),
            ("steps.keep.took == 5s", .equals(OutputReference(step: "keep", field: "took"), 5_000_000_000)),
            ("parameters.reason == steps.keep.bundle", .equals(OutputReference(step: "keep", field: "bundle"), "why")),
            ("parameters.reason == 'why'", .all([])),
            ("parameters.reason != \"why\"", .not(.all([]))),
            ("parameters.quick", .any([])),
            ("true && (false || parameters.quick)", .all([.all([]), .any([.any([]), .any([])])])),
        ]
    )
    func conditions(text: String, condition: Condition) throws {
        let graph = try graph(
            """
              - { id: keep, action: capture }
              - id: story
                action: timeline
                after: [keep]
                when: >-
                  \(text)
            """,
            parameters: "  quick: { type: bool, default: false }",
            given: ["session": "pid:7", "reason": "why"]
        )
        #expect(graph.step("story")?.when == condition)
    }

    @Test("&& binds tighter than || and ! tighter than both")
    func precedence() throws {
        let graph = try graph(
            "  - { id: f, action: freeze, when: \"!false || false && false\" }"
        )
        #expect(graph.step("f")?.when == .any([.not(.any([])), .all([.any([]), .any([])])]))
    }

    @Test(
        "a run that gives the wrong parameters is told which",
        arguments: [
            ([:], "session", "this parameter must be given", "add --session LOCATOR"),
            (["session": "x", "reasn": "y"], "reasn", "it has no parameter of that name", "write \"reason\""),
            (["session": "x", "n": "two"], "two", "expected a whole number", nil),
        ] as [([String: String], String, String, String?)]
    )
    func wrongValues(given: [String: String], subject: String, reason: String, hint: String?) {
        let failure = #expect(throws: Failure.self) {
            try graph(
                "  - { id: f, action: freeze, when: parameters.n == 1 }",
                parameters: "  n: { type: int, default: 1 }",
                given: given
            )
        }
        #expect(failure?.code == .usage && failure?.subject == subject)
        #expect(failure?.reason == reason && failure?.hint == hint)
    }

    @Test("the digest is of the meaning, not of the text")
    func digest() throws {
        let one = try playbook("  - { id: f, action: freeze, timeout: 60s }")
        let same = try playbook("  # a comment\n  - action: \"freeze\"\n    id: f\n    timeout: 1m\n    retry: 0")
        let other = try playbook("  - { id: f, action: freeze, timeout: 61s }")
        #expect(one.digest == same.digest)
        #expect(one.digest != other.digest)
        #expect(one.digest.hex == "\(one.digest)" && one.digest.bytes.count == 32)
        let text = try playbook("  - { id: f, action: freeze, with: { reason: \"1\" } }")
        let number = try playbook("  - { id: f, action: freeze, with: { reason: 1 } }")
        #expect(text.digest != number.digest)
    }
}
