/// What a test does to a journal at each commit: nothing, stop for a while, or end the process. Passed in by initialiser;
/// there is no variable and no file that switches it on.
package struct JournalFault: Sendable {
    /// Called with the number of the append of this journal object, from 0, when its rows are written but not committed.
    package let beforeCommit: @Sendable (Int) -> Void
    /// Called with the same number when the commit is durable.
    package let afterCommit: @Sendable (Int) -> Void

    /// Takes both; nothing happens unless told.
    package init(
        beforeCommit: @escaping @Sendable (Int) -> Void = { _ in },
        afterCommit: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        self.beforeCommit = beforeCommit
        self.afterCommit = afterCommit
    }

    /// Nothing happens.
    package static let none = JournalFault()
}
