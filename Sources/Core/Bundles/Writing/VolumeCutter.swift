import Base
import Sealing

/// Cuts one stream of bytes into volumes of a fixed size: payload files whose concatenation is the stream.
final class VolumeCutter {
    private let base: String
    private let size: Int
    private let bundle: BundleWriter
    private let recipients: [Recipient]
    private var current: OpenVolume?
    private(set) var closed: [PayloadRecord] = []

    /// `base` is the name of the volumes without their numbers. With recipients each volume is encrypted to them; its size
    /// is that of its content.
    init(base: String, size: Int, bundle: BundleWriter, recipients: [Recipient] = []) {
        self.recipients = recipients
        self.base = base
        self.size = size
        self.bundle = bundle
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            let volume = try openVolume()
            let count = min(rest.count, size - Int(volume.appended))
            try volume.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if volume.appended == UInt64(size) { try close() }
        }
    }

    /// Ends the last volume.
    func close() throws(Failure) {
        guard let volume = current else { return }
        current = nil
        closed.append(try volume.close())
    }

    private func openVolume() throws(Failure) -> OpenVolume {
        if let current { return current }
        guard let name = VolumeName.text(base: base, index: closed.count) else {
            throw Failure(
                .refused,
                "start a volume",
                on: base,
                because: "a stream has at most \(VolumeName.limit) volumes"
            )
        }
        let volume = try OpenVolume(name, of: bundle, for: recipients)
        current = volume
        return volume
    }
}
