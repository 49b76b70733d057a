public import Base
public import Kernel

/// The public name of a credential, never the secret: `redis:PRINCIPAL@HOST:PORT`.
public struct CredentialHandle: Hashable, Sendable {
    /// The kind of provider, such as `redis`.
    public let provider: String
    /// Whose it is at the provider: for Redis the ACL user.
    public let principal: String
    /// Where the provider is.
    public let server: Endpoint

    /// Takes all parts.
    ///
    /// - Throws: `malformed` when the principal is empty, longer than 128 bytes, or has anything but printable ASCII
    ///   without space: such a name could not be told from another one in a log.
    public init(provider: String, principal: String, server: Endpoint) throws(Failure) {
        let isPlain = principal.utf8.allSatisfy { (0x21...0x7e).contains($0) }
        guard (1...128).contains(principal.utf8.count), isPlain else {
            throw Failure(
                .malformed,
                "name a credential",
                on: principal,
                because: "a principal is 1 to 128 printable ASCII characters without spaces"
            )
        }
        guard !provider.isEmpty, provider.utf8.allSatisfy({ (0x61...0x7a).contains($0) || $0 == 0x2d }) else {
            throw Failure(.malformed, "name a credential", on: provider, because: "a provider is lower-case letters")
        }
        self.provider = provider
        self.principal = principal
        self.server = server
    }

    /// Reads the text form.
    ///
    /// - Throws: `malformed` for anything else.
    public init(_ text: String) throws(Failure) {
        guard let colon = text.firstIndex(of: ":"), let at = text.lastIndex(of: "@"), colon < at,
            let server = Endpoint(String(text[text.index(after: at)...]))
        else {
            throw Failure(
                .malformed,
                "read a credential's name",
                on: text,
                because: "it is not of the form redis:PRINCIPAL@HOST:PORT"
            )
        }
        try self.init(
            provider: String(text[..<colon]),
            principal: String(text[text.index(after: colon)..<at]),
            server: server
        )
    }
}

extension CredentialHandle: CustomStringConvertible {
    /// The text form.
    public var description: String { "\(provider):\(principal)@\(server)" }
}

extension CredentialHandle: Codable {
    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        try self.init(try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
