public import Base

/// A session that has ended and of which a runtime keeps files: there is nothing to freeze. All of it is what files say;
/// that nothing of it runs the kernel says.
public struct DeadSession: Hashable, Sendable, Codable {
    /// The locator by which it is shown, with the runtime's id.
    public let locator: Locator
    /// What ran it.
    public let runtime: SessionRuntime.Kind
    /// The runtime's id.
    public let id: BytePath
    /// The names that somebody gave it.
    public let names: [BytePath]
    /// Whose container it was.
    public let uid: UInt32
    /// Whether it ever ran.
    public let wasStarted: Bool
    /// When it was made.
    public let made: Instant?
    /// When it ended; `nil` when no file tells.
    public let ended: Instant?
    /// Its exit status; `nil` when no file tells.
    public let exitStatus: Int?
    /// The folder with what it wrote over its image, or else its root file system, as the files name it (RT10).
    public let files: BytePath?

    /// Whether the locator may stand in a command that is printed (RT14).
    public var isPrintable: Bool {
        guard case .oci(let container) = locator else { return true }
        return container.isPrintable
    }

    /// Whether a locator that found nothing that runs is about it.
    public func isMeant(by other: Locator) -> Bool {
        switch (locator, other) {
        case (.podman(let own), .podman(let name)): own.user == name.user && isCalled(name)
        case (.docker, .docker(let name)): isCalled(name)
        case (.oci(let own), .oci(let container)): own == container
        case (.podman(let own), .name(let text)) where own.user == nil, (.docker(let own), .name(let text)):
            own.name == text.text || names.contains(text)
        case (.oci(let own), .name(let text)): own.user == nil && own.id == text.text
        default: false
        }
    }

    private func isCalled(_ name: ContainerName) -> Bool {
        // What has the length of a whole id is never a name.
        if name.name.utf8.count == 64, name.isIDPrefix { return id == BytePath(name.name) }
        return names.contains(BytePath(name.name)) || name.isIDPrefix && (id.text?.hasPrefix(name.name) ?? false)
    }
}

extension DeadSession: CustomStringConvertible {
    /// What people read, made safe for a terminal: `podman web (0a1b2c3d4e5f)`, `runc web`.
    public var description: String {
        guard let name = names.first else { return "\(runtime.rawValue) \(BytePath(id.bytes.prefix(12)))" }
        return "\(runtime.rawValue) \(name) (\(BytePath(id.bytes.prefix(12))))"
    }
}
