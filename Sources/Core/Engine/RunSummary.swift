public import Base
public import Casework

/// One run of a case, for people who look for it.
public struct RunSummary: Hashable, Sendable, Codable {
    /// Its name.
    public let run: String
    /// The actions of its steps, in the order of their beginning, each once.
    public let actions: [String]
    /// Whether it meant to change anything: a run that was refused, or only waited, has nothing to take back.
    public let hasEffects: Bool
    /// Whether its end is on record.
    public let isEnded: Bool
    /// The run that it takes back.
    public let undoes: String?
    /// Whether another run has taken it back.
    public let isUndone: Bool

    /// All runs of a journal, oldest first.
    ///
    /// - Throws: `malformed` for a body that is not one of ours.
    public static func all(in journal: VerifiedJournal) throws(Failure) -> [RunSummary] {
        let histories = try RunHistory.all(in: journal)
        let undone = Set(histories.filter(\.isEnded).compactMap(\.undoes))
        return histories.map { history in
            let steps = history.steps.sorted { $0.value.oldest < $1.value.oldest }.map(\.value.action)
            var seen = Set<String>()
            return RunSummary(
                run: history.run,
                actions: steps.filter { !$0.isEmpty && seen.insert($0).inserted },
                hasEffects: history.steps.values.contains { !$0.effects.isEmpty },
                isEnded: history.isEnded,
                undoes: history.undoes,
                isUndone: undone.contains(history.run)
            )
        }
    }
}

extension RunHistory.Step {
    /// When its first effect was meant; steps without effects come last.
    fileprivate var oldest: Int64 { effects.map(\.moment).min() ?? .max }
}
