import Base
import Sealing

/// One volume that is being written: as it is, or encrypted on its way.
final class OpenVolume {
    /// Bytes of content so far.
    private(set) var appended: UInt64 = 0

    private let bundle: BundleWriter
    private let stream: PayloadStream
    private let recipients: [Recipient]
    private let encryption: Encryption?
    private var hasher = Sealing.Hasher()

    init(_ name: String, of bundle: BundleWriter, for recipients: [Recipient]) throws(Failure) {
        self.bundle = bundle
        self.recipients = recipients
        guard !recipients.isEmpty else {
            stream = try bundle.stream(try PayloadName(member: name))
            encryption = nil
            return
        }
        let stream = try bundle.stream(try PayloadName(member: name + SecretVolume.suffix))
        encryption = try Encryption(for: .recipients(recipients)) { bytes throws(Failure) in try stream.append(bytes) }
        self.stream = stream
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        appended += UInt64(bytes.count)
        guard let encryption else { return try stream.append(bytes) }
        hasher.update(bytes)
        try encryption.append(bytes)
    }

    /// Ends it and enters it in the bundle.
    func close() throws(Failure) -> PayloadRecord {
        guard let encryption else { return try stream.close() }
        try encryption.finish()
        let record = try stream.close()
        bundle.secretDidClose(
            SecretVolume(
                record: record,
                plainSize: appended,
                plainDigest: hasher.finish(),
                recipients: recipients.map(\.fingerprint.hex)
            )
        )
        return record
    }
}
