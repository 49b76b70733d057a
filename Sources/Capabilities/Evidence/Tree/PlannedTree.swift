public import Base

/// One root of a session that is to be archived.
public struct PlannedTree: Hashable, Sendable {
    /// Whether it holds what the agent wrote down of itself. Transcripts have a budget of their own (RT36).
    public enum Role: Hashable, Sendable {
        /// The agent's work.
        case workspace
        /// Its transcripts.
        case transcripts
    }

    /// Its name in the bundle, `[a-z0-9-]+`: `workspace`, `workspace-2`, `transcripts`.
    public let name: String
    /// The absolute path; no component may be a symbolic link (RT35).
    public let path: BytePath
    /// What it holds.
    public let role: Role

    /// Takes all parts.
    public init(name: String, path: BytePath, role: Role) {
        self.name = name
        self.path = path
        self.role = role
    }

    var item: CollectionItem.Class {
        switch role {
        case .workspace: .file
        case .transcripts: .transcript
        }
    }
}
