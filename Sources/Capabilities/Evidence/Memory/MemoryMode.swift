/// How much of the memory of a session's processes a capture takes.
public enum MemoryMode: String, Hashable, Sendable, CaseIterable, Codable {
    /// Every page that is present.
    case all
    /// What stands nowhere else: anonymous pages, pages of private maps that were written, shared memory without a name.
    case dirty
    /// None.
    case nothing = "none"
}
