import Base

/// Cuts one stream of bytes into volumes of a fixed size: payload files whose concatenation is the stream.
final class VolumeCutter {
    private let root: String
    private let size: Int
    private let bundle: BundleWriter
    private var current: PayloadStream?
    private(set) var closed: [PayloadRecord] = []

    init(root: String, size: Int, bundle: BundleWriter) {
        self.root = root
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

    private func openVolume() throws(Failure) -> PayloadStream {
        if let current { return current }
        guard let name = VolumeName.text(root: root, index: closed.count) else {
            throw Failure(
                .refused,
                "start a volume",
                on: root,
                because: "an archive has at most \(VolumeName.limit) volumes"
            )
        }
        let volume = try bundle.stream(try PayloadName(name))
        current = volume
        return volume
    }
}
