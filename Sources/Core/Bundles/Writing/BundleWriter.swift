public import Base
public import Sealing
import Synchronization

/// Writes an evidence bundle, which becomes a BagIt 1.0 bag when it is sealed, to where its outlet leads.
/// May be used from several threads at once; each stream and archive belongs to one of them.
public final class BundleWriter: Sendable {
    /// The place.
    public var path: BytePath { outlet.path }

    private struct State: Sendable {
        var claimed: Set<PayloadName> = []
        var records: [PayloadRecord] = []
        var sums: [String: WrittenSums.File] = [:]
        var begun: UInt64 = 0
        var openStreams = 0
        var secrets: [SecretVolume] = []
        var dropped: PayloadName?
        var isSealed = false
    }

    /// Where it goes.
    public let outlet: any BundleOutlet
    private let volumeSize: Int
    private let recipients: [Recipient]
    let sumKey: SumKey
    private let state = Mutex(State())

    /// Makes the directory, which must not exist; its parent must.
    ///
    /// - Parameters:
    ///   - path: The new directory.
    ///   - volumeSize: Bytes in a volume of an archive: 64 MiB unless told, at least 4 KiB, at most 8 GiB less one byte.
    ///   - recipients: Who alone may open memory and secret values: they then lie encrypted below secrets/. Nobody: they
    ///     lie in plain below data/.
    /// - Throws: `system` with EEXIST when something stands there already, or another errno.
    public convenience init(
        creating path: BytePath,
        volumeSize: Int = 64 << 20,
        recipients: [Recipient] = []
    ) throws(Failure) {
        try BundleWriter.check(volumeSize)
        try self.init(to: DirectoryOutlet(creating: path), volumeSize: volumeSize, recipients: recipients)
    }

    /// Writes to an outlet that is open already.
    ///
    /// - Parameters:
    ///   - outlet: Where it goes.
    ///   - volumeSize: as ``init(creating:volumeSize:recipients:)`` says.
    ///   - recipients: as there.
    /// - Throws: `usage` when volumes cannot have that size.
    public init(to outlet: any BundleOutlet, volumeSize: Int = 64 << 20, recipients: [Recipient] = []) throws(Failure) {
        try BundleWriter.check(volumeSize)
        self.outlet = outlet
        self.volumeSize = volumeSize
        self.recipients = recipients
        sumKey = try SumKey()
    }

    private static func check(_ volumeSize: Int) throws(Failure) {
        guard (4096...Int(UstarHeader.largestSize)).contains(volumeSize) else {
            throw Failure(.usage, "set the size of volumes", on: "\(volumeSize)", because: "not 4 KiB to 8 GiB")
        }
    }

    /// Writes a whole payload file.
    ///
    /// - Throws: `refused` when the name is taken or the bundle is sealed; `system` with errno.
    @discardableResult
    public func write(_ name: PayloadName, _ bytes: [UInt8]) throws(Failure) -> PayloadRecord {
        let stream = try stream(name)
        try stream.append(bytes)
        return try stream.close()
    }

    /// Opens a payload file to be written bit by bit.
    ///
    /// - Throws: `refused` when the name is taken or the bundle is sealed; `system` with errno.
    public func stream(_ name: PayloadName) throws(Failure) -> PayloadStream {
        try claim(name)
        do throws(Failure) {
            let number = state.withLock { state in
                state.begun += 1
                return state.begun
            }
            return PayloadStream(name, of: self, number: number, file: try outlet.begin(name.text))
        } catch {
            streamWasDropped(name)
            throw error
        }
    }

    /// Opens a stream that is compressed and cut into volumes: `name.000`, `name.001` and so on.
    ///
    /// - Parameters:
    ///   - wanted: What the volumes are called, without their numbers, such as `data/memory/7-99.core.zst`.
    ///   - level: The level of zstd; below 0 is faster and larger (zstd(1), `--fast`).
    /// - Throws: `refused` when the name is taken or the bundle is sealed; `system` when there is no memory.
    ///
    /// Where there are recipients, what lies below data/memory/ and data/secrets/ goes encrypted below secrets/ instead:
    /// the stream's own name tells.
    public func volumes(_ wanted: PayloadName, level: Int32 = 1) throws(Failure) -> VolumeStream {
        let isForRecipients = !recipients.isEmpty && SecretVolume.folders.contains { wanted.text.hasPrefix($0) }
        let name = isForRecipients ? wanted.secret : wanted
        try claim(name)
        do throws(Failure) {
            return try VolumeStream(
                name,
                of: self,
                volumeSize: volumeSize,
                level: level,
                recipients: isForRecipients ? recipients : []
            )
        } catch {
            streamWasDropped(name)
            throw error
        }
    }

    /// Opens an archive: `data/files/<root>.pax.zst.NNN` and `data/files/<root>.mtree`.
    ///
    /// - Parameter root: The root's name, `[a-z0-9-]+`.
    /// - Throws: `malformed` when `root` is no such name; `refused` when it is taken; `system` with errno.
    public func archive(root: String) throws(Failure) -> ArchiveWriter {
        if let problem = VolumeName.problem(of: root) {
            throw Failure(.malformed, "name a root", on: root, because: problem)
        }
        return try ArchiveWriter(root: root, bundle: self, volumeSize: volumeSize)
    }

    /// Seals the bundle: writes the BagIt files, SUMMARY.txt, VERIFY.txt, brings everything to disk, then writes the
    /// signed statement over the tag manifest. Without a key the statement is written unsigned, and every reader is told.
    ///
    /// - Throws: `refused` when a stream is open or was dropped, when the counts do not add up or the bundle is sealed
    ///   already; `malformed` when the name is not `[a-z0-9-]+`; `system` with errno.
    public func seal(_ statement: SealStatement, with key: SigningKey?) throws(Failure) -> SealedBundle {
        if let problem = VolumeName.problem(of: statement.name) {
            throw Failure(.malformed, "name a bundle", on: statement.name, because: problem)
        }
        guard statement.counts.addUp else {
            throw Failure(
                .refused,
                "seal the bundle",
                on: "\(path)",
                because: "planned items are not the sum of outcomes"
            )
        }
        try writeSecretIndex()
        let records = try finishWriting()
        return try Sealer(outlet: outlet, payload: records).seal(statement, with: key)
    }

    private func claim(_ name: PayloadName) throws(Failure) {
        let refusal = state.withLock { state -> String? in
            if state.isSealed { return "the bundle is sealed" }
            if !state.claimed.insert(name).inserted { return "the name is taken" }
            state.openStreams += 1
            return nil
        }
        if let refusal { throw Failure(.refused, "add a payload file", on: name.text, because: refusal) }
    }

    /// What opens to whom, and the digests of its content, in the part that everybody can read (RT31).
    private func writeSecretIndex() throws(Failure) {
        let secrets = state.withLock { state in state.secrets.sorted { $0.name < $1.name } }
        if secrets.isEmpty { return }
        let index = try stream(try PayloadName(SecretVolume.index))
        for secret in secrets { try index.appendLine(secret.json) }
        try index.close()
    }

    func secretDidClose(_ secret: SecretVolume) {
        state.withLock { state in state.secrets.append(secret) }
    }

    func volumesDidClose() {
        state.withLock { state in state.openStreams -= 1 }
    }

    /// How many payload files were written to their end so far.
    public var filesWritten: Int { state.withLock { $0.records.count } }

    /// The payload files that were written to their end so far, sorted by name.
    public func written() -> [PayloadRecord] {
        state.withLock { state in state.records.sorted { $0.name < $1.name } }
    }

    /// What reading the bundle back compares with: of every payload file that was written to its end so far.
    public func sums() -> WrittenSums { WrittenSums(key: sumKey, files: state.withLock { $0.sums }) }

    func streamDidClose(_ record: PayloadRecord, _ sum: WrittenSums.File) {
        state.withLock { state in
            state.openStreams -= 1
            state.records.append(record)
            state.sums[record.name.text] = sum
        }
    }

    func streamWasDropped(_ name: PayloadName) {
        state.withLock { state in
            state.openStreams -= 1
            state.dropped = name
        }
    }

    private func finishWriting() throws(Failure) -> [PayloadRecord] {
        let (records, refusal) = state.withLock { state -> ([PayloadRecord], String?) in
            if state.isSealed { return ([], "it is sealed already") }
            if let dropped = state.dropped { return ([], "\(dropped) was not written to its end") }
            if state.openStreams > 0 { return ([], "\(state.openStreams) payload files are still open") }
            state.isSealed = true
            return (state.records.sorted { $0.name < $1.name }, nil)
        }
        if let refusal { throw Failure(.refused, "seal the bundle", on: "\(path)", because: refusal) }
        return records
    }
}
