public import Base
import Sealing

/// One payload file that is being written; every byte is hashed on its way. Not for use from two threads at once.
public final class PayloadStream {
    /// The name of the file within the bundle.
    public let name: PayloadName

    private static let bufferSize = 256 << 10

    private let bundle: BundleWriter
    private let file: any OutletFile
    private var hasher = Sealing.Hasher()
    private var sum: KeyedSum
    private let number: UInt64
    private var pending: [UInt8] = []
    private var size: UInt64 = 0
    private var isClosed = false

    /// `number` is its own within the bundle.
    init(_ name: PayloadName, of bundle: BundleWriter, number: UInt64, file: any OutletFile) {
        self.name = name
        self.number = number
        sum = KeyedSum(bundle.sumKey, number: number)
        self.bundle = bundle
        self.file = file
    }

    /// Bytes appended so far.
    var appended: UInt64 { size + UInt64(pending.count) }

    deinit {
        if !isClosed { bundle.streamWasDropped(name) }
    }

    /// Appends bytes.
    ///
    /// - Throws: `refused` after ``close()``; `system` with errno when they cannot be written: the bundle can then not be
    ///   sealed.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try requireOpen()
        if pending.isEmpty, bytes.count >= Self.bufferSize { return try put(bytes) }
        pending.append(contentsOf: bytes)
        if pending.count >= Self.bufferSize { try flush() }
    }

    /// Appends bytes.
    ///
    /// - Throws: as ``append(_:)-(UnsafeRawBufferPointer)``.
    public func append(_ bytes: [UInt8]) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try append(buffer) }
    }

    /// Appends one canonical JSON value and a line feed.
    ///
    /// - Throws: as ``append(_:)-(UnsafeRawBufferPointer)``.
    public func appendLine(_ value: JSONValue) throws(Failure) {
        var line = CanonicalJSON.bytes(of: value)
        line.append(UInt8(ascii: "\n"))
        try append(line)
    }

    /// Ends the file and enters it in the bundle's manifest. Without it the bundle cannot be sealed.
    ///
    /// - Throws: `refused` the second time; `system` with errno.
    @discardableResult
    public func close() throws(Failure) -> PayloadRecord {
        try requireOpen()
        try flush()
        try file.close()
        isClosed = true
        let record = PayloadRecord(name: name, size: size, digest: hasher.finish())
        bundle.streamDidClose(record, WrittenSums.File(number: number, tag: sum.finish(), digest: record.digest))
        return record
    }

    private func requireOpen() throws(Failure) {
        if isClosed { throw Failure(.refused, "write a payload file", on: name.text, because: "it is closed") }
    }

    private func flush() throws(Failure) {
        guard !pending.isEmpty else { return }
        try pending.withRawBytes { bytes throws(Failure) in try put(bytes) }
        pending.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        hasher.update(bytes)
        sum.update(bytes)
        try file.append(bytes)
        size += UInt64(bytes.count)
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
