import Base
import Bundles
import Kernel

/// Writes one new file on another host as its bytes come. It is called NAME.part until all of it is there and on disk; an
/// existing file of either name is never touched. Used with the lock of whoever writes, if more than one does.
final class SFTPUpload: TarOutlet.Sink, @unchecked Sendable {
    private let path: BytePath
    private let connection: SFTPConnection
    private let handle: [UInt8]
    private let free: RemoteRoom
    private var offset: UInt64 = 0
    private var isClosed = false

    /// Makes the file.
    init(to path: BytePath, through connection: SFTPConnection) throws(Failure) {
        self.path = path
        self.connection = connection
        handle = try connection.create(path.part.bytes)
        free = RemoteRoom(of: path.parent, through: connection)
    }

    var room: UInt64? { free.left }

    /// Appends bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try connection.put(bytes, to: handle, at: offset)
        offset += UInt64(bytes.count)
        free.spend(UInt64(bytes.count))
    }

    /// Brings the file to the other host's disk, looks whether it is as long as it should be, and gives it its name.
    func finish() throws(Failure) {
        try connection.close(handle, of: path.part.bytes, size: offset)
        isClosed = true
        try connection.rename(path.part.bytes, to: path.bytes)
    }

    /// Leaves what is there under the name that says of itself that it is not whole, and takes the seal out of it. When the
    /// other end does not say that it did, the seal may be there, and the file may even have its name.
    func giveUp(before seal: UInt64?) -> TarOutlet.Remains {
        guard let seal else { return .unsealed(path.part) }
        do throws(Failure) {
            try connection.cut(path.part.bytes, to: seal)
            return .unsealed(path.part)
        } catch {
            return .perhapsSealed(path)
        }
    }

    /// Takes the unfinished file away again, whatever the other end says of what is still on its way, as far as it answers.
    ///
    /// - Returns: why it still lies there; `nil` when it is gone.
    func abandon() -> String? {
        do throws(Failure) {
            if !isClosed { try connection.giveUp(handle) }
            try connection.remove(path.part.bytes)
            return nil
        } catch {
            return error.reason
        }
    }
}
