import Documents
import Engine

/// Evidence before effect (promise 2): a step that the engine lets act only after a capture needs, by `needs`, a step
/// that makes one of at least that profile. The engine refuses in any case; this tells it before the incident.
enum CaptureFirstRule: LintRule {
    static let name = "capture-first"

    /// From little to much, as captures order them.
    private static let profiles = ["volatile", "standard", "full"]

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        let order = StepOrder(document)
        return document.steps.compactMap { step in
            guard let descriptor = actions[step.action.value], case .capture(let profile) = descriptor.evidence
            else { return nil }
            let wanted = profiles.firstIndex(of: "\(profile)") ?? 0
            let before = document.steps.filter { order.requirements(of: step.id.value).contains($0.id.value) }
            guard !before.contains(where: { (captured(by: $0, in: document) ?? -1) >= wanted }) else { return nil }
            return LintFinding(
                .error,
                name,
                at: step.action.place,
                "\(descriptor.name) \(descriptor.nature.rawValue), and no \(profile) capture is needed before it",
                fix: "add a step with \"action: capture\" and name it in \"needs\""
            )
        }
    }

    /// The rank of the profile that a step captures, `nil` when it captures nothing or depends on the run.
    private static func captured(by step: PlaybookStep, in document: PlaybookDocument) -> Int? {
        guard step.action.value == "capture" else { return nil }
        guard let entry = step.with.first(where: { $0.key == "profile" }) else { return 0 }
        guard case .scalar(let scalar) = entry.value.content else { return nil }
        return profiles.firstIndex(of: scalar.text)
    }
}
