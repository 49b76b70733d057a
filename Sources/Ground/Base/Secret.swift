import Glibc

/// A value that never leaves the process in words: it has no text, no encoding and no equality, and its bytes are
/// overwritten when the last owner lets go.
public final class Secret: Sendable {
    private let storage: SecretStorage

    /// Copies `bytes`; the caller should drop its own copy.
    public init(_ bytes: some Collection<UInt8>) {
        storage = SecretStorage(bytes)
    }

    /// How many bytes there are.
    public var count: Int { storage.buffer.count }

    /// Lends the bytes for the time of `body`.
    public func withBytes<Result, Problem: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try body(UnsafeRawBufferPointer(storage.buffer))
    }
}

extension Secret: CustomStringConvertible, CustomReflectable {
    /// Always `[secret]`.
    public var description: String { "[secret]" }
    /// Shows nothing to debuggers and dumps.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Owns the bytes; unchecked because the buffer is written once in `init` and again only in `deinit`.
private final class SecretStorage: @unchecked Sendable {
    let buffer: UnsafeMutableRawBufferPointer

    init(_ bytes: some Collection<UInt8>) {
        buffer = .allocate(byteCount: bytes.count, alignment: 1)
        buffer.copyBytes(from: bytes)
    }

    deinit {
        if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        buffer.deallocate()
    }
}
