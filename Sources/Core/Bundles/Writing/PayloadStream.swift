public import Base

/// One payload file that is being written; every byte is hashed on its way. Not for use from two threads at once.
public final class PayloadStream {
    /// The name of the file within the bundle.
    public let name: PayloadName

    init(name: PayloadName) { self.name = name }

    /// Appends bytes.
    ///
    /// - Throws: `system` with errno when they cannot be written; the stream is then of no further use.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        throw Failure(.refused, "write a payload file", on: name.text, because: "not built yet")
    }

    /// Appends bytes.
    ///
    /// - Throws: `system` with errno when they cannot be written; the stream is then of no further use.
    public func append(_ bytes: [UInt8]) throws(Failure) {
        throw Failure(.refused, "write a payload file", on: name.text, because: "not built yet")
    }

    /// Appends one canonical JSON value and a line feed.
    ///
    /// - Throws: `system` with errno when it cannot be written; the stream is then of no further use.
    public func appendLine(_ value: JSONValue) throws(Failure) {
        throw Failure(.refused, "write a payload file", on: name.text, because: "not built yet")
    }

    /// Ends the file and enters it in the bundle's manifest. Without it the bundle cannot be sealed.
    ///
    /// - Throws: `system` with errno.
    @discardableResult
    public func close() throws(Failure) -> PayloadRecord {
        throw Failure(.refused, "write a payload file", on: name.text, because: "not built yet")
    }
}

/// One payload file as the manifest knows it.
public struct PayloadRecord: Hashable, Sendable {
    /// The name.
    public let name: PayloadName
    /// Bytes.
    public let size: UInt64
    /// SHA-256 over them.
    public let digest: Digest
}
