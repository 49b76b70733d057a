/// No step waits for itself.
enum CycleRule: LintRule {
    static let name = "cycle"

    static func check(_ document: PlaybookDocument, against actions: KnownActions) -> [LintFinding] {
        let order = StepOrder(document)
        let waiting = document.steps.filter { order.ancestors(of: $0.id.value).contains($0.id.value) }
        guard let first = waiting.first else { return [] }
        let links = first.needs + first.after
        // The link that leads back is the one to blame.
        let link = links.first { $0.value == first.id.value || order.ancestors(of: $0.value).contains(first.id.value) }
        let ids = waiting.map(\.id.value).joined(separator: ", ")
        return [
            LintFinding(
                .error,
                name,
                at: link?.place ?? first.place,
                "step \"\(first.id.value)\" waits for itself (\(ids))",
                fix: "remove one of these from needs or after"
            )
        ]
    }
}
