import Base
import Engine
import Playbooks

/// Actions shaped like the real ones.
enum TestCatalogue {
    static let session = Field("session", .session, "the session")
    static let reason = Field("reason", .text, isRequired: false, "why")

    static let actions = KnownActions([
        action("freeze", .contains, [session, reason], [Field("threads", .integer, "how many")]),
        action("isolate", .contains, [session, reason], []),
        action(
            "revoke",
            .alters,
            evidence: .stateInIntents,
            [
                session, reason,
                Field("credentials", .text, isRequired: false, choices: ["declared", "owned"], "which"),
            ],
            [Field("verdicts", .list, "one a credential")]
        ),
        action(
            "capture",
            .reads,
            [
                session, Field("profile", .text, isRequired: false, choices: ["volatile", "standard", "full"], "what"),
                Field("limit", .duration, isRequired: false, "how long"),
                Field("workers", .integer, isRequired: false, "how many"),
                Field("quick", .flag, isRequired: false, "not all"),
                Field("names", .list, isRequired: false, "which"),
            ],
            [
                Field("bundle", .text, "its id"), Field("complete", .flag, "all of it"),
                Field("failed", .integer, "items"),
                Field("took", .duration, "how long"),
                Field("grade", .text, choices: ["good", "poor"], "how good"),
            ]
        ),
        action("timeline", .reads, [Field("bundle", .text, isRequired: false, "which")], []),
        action("kill", .destroys, [session, reason], []),
    ])

    private static func action(
        _ name: String,
        _ nature: Nature,
        evidence: EvidenceRule? = nil,
        _ inputs: [Field],
        _ outputs: [Field]
    ) -> ActionDescriptor {
        ActionDescriptor(
            name: name,
            summary: name,
            nature: nature,
            lane: .capture,
            deadline: .seconds(1),
            evidence: evidence,
            inputs: inputs,
            outputs: outputs
        )
    }
}

/// A playbook with these steps and a session, a reason and some other parameters.
func playbook(_ steps: String, parameters: String = "") throws -> PlaybookDocument {
    let text = """
        playbook: test
        version: 1.0.0
        title: A test
        parameters:
          session: { type: session }
          reason: { type: string, default: "" }
        \(parameters)
        steps:
        \(steps)
        """
    return try PlaybookDocument.parse(Array(text.utf8), named: BytePath("t.yaml"))
}

func graph(
    _ steps: String,
    parameters: String = "",
    given: [String: String] = ["session": "pid:7"]
) throws -> StepGraph {
    try playbook(steps, parameters: parameters).graph(given: given, actions: TestCatalogue.actions)
}
