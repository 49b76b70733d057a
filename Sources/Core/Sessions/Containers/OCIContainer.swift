public import Base

/// A container of runc or crun itself, by the id that its own commands take: `ID`, `USER/ID` for a user's own.
///
/// An id has only what runc lets it have, so that a path part, a quote, a newline or `$()` never reaches a file name or
/// a hint.
public struct OCIContainer: Hashable, Sendable {
    /// Which program keeps its state.
    public enum Runtime: String, Hashable, Sendable, CaseIterable {
        case runc, crun
    }

    /// Which program keeps its state.
    public let runtime: Runtime
    /// Whose container; `nil` for root's.
    public let user: String?
    /// The id, a name that somebody gave.
    public let id: String

    /// Reads `ID` or `USER/ID`; `nil` when it has not that form. Source: runc, libcontainer/factory_linux.go, `idRegex`:
    /// `^[\w+-\.]+$`, and neither `.` nor `..`; users as useradd(8) takes them.
    public init?(parsing bytes: BytePath, of runtime: Runtime) {
        guard let text = bytes.text else { return nil }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let last = parts.last, OCIContainer.isID(last.utf8) else { return nil }
        if parts.count == 2 {
            guard ContainerName.isUser(parts[0].utf8) else { return nil }
            user = String(parts[0])
        } else {
            user = nil
        }
        self.runtime = runtime
        id = String(last)
    }

    /// Whether it may stand in a command that is printed (RT14).
    public var isPrintable: Bool { AgentName.isValid(id) && user.map(AgentName.isValid) ?? true }

    /// As it is typed behind the prefix of a locator.
    public var argument: String { user.map { "\($0)/\(id)" } ?? id }

    static func isID(_ bytes: Substring.UTF8View) -> Bool {
        guard (1...255).contains(bytes.count), !bytes.elementsEqual(".".utf8), !bytes.elementsEqual("..".utf8) else {
            return false
        }
        return bytes.allSatisfy { ContainerName.isAlphanumeric($0) || "_+,-.".utf8.contains($0) }
    }
}
