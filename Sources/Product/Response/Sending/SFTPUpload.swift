import Base
import Bundles
import Kernel

/// Writes one new file on another host as its bytes come. It is called NAME.part until all of it is there and on disk; an
/// existing file of either name is never touched. Used with the lock of whoever writes, if more than one does.
final class SFTPUpload: TarOutlet.Sink, @unchecked Sendable {
    private let path: [UInt8]
    private let connection: SFTPConnection
    private let handle: [UInt8]
    private var offset: UInt64 = 0
    private var isClosed = false
    private var free: RemoteRoom

    /// Makes the file.
    init(to path: BytePath, through connection: SFTPConnection) throws(Failure) {
        self.path = path.bytes
        self.connection = connection
        handle = try connection.create(path.bytes + Array(".part".utf8))
        free = RemoteRoom(of: path.parent, through: connection)
    }

    /// Makes the file through a connection of its own.
    convenience init(to path: BytePath, through socket: consuming Descriptor, patience: Duration) throws(Failure) {
        try self.init(to: path, through: try SFTPConnection(of: path, through: socket, patience: patience))
    }

    private var partial: [UInt8] { path + Array(".part".utf8) }

    var room: UInt64? { free.left }

    /// Appends bytes.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try connection.write(bytes, to: handle, at: offset)
        offset += UInt64(bytes.count)
        free.spend(UInt64(bytes.count))
    }

    /// Brings the file to the other host's disk, looks whether it is as long as it should be, and gives it its name.
    func finish() throws(Failure) {
        try connection.close(handle)
        isClosed = true
        let found = try connection.size(partial)
        guard found == offset else {
            throw Failure(
                .system,
                "send the bundle",
                on: String(decoding: path, as: UTF8.self),
                because: "\(offset) bytes were sent, \(found ?? 0) are there"
            )
        }
        try connection.rename(partial, to: path)
    }

    /// Leaves what is there under the name that says of itself that it is not whole.
    func giveUp() -> BytePath? { BytePath(partial) }

    /// Why the other end takes no more; `nil` when there is room, or nobody knows.
    func fullness() -> String? { isClosed ? nil : connection.fullness(handle) }

    /// Takes the unfinished file away again, whatever the other end says of what is still on its way, as far as it answers.
    ///
    /// - Returns: why it still lies there; `nil` when it is gone.
    func abandon() -> String? {
        do throws(Failure) {
            if !isClosed { try connection.giveUp(handle) }
            try connection.remove(partial)
            return nil
        } catch {
            return error.reason
        }
    }
}

/// What another host has free, asked for again when as much was written as makes a difference.
struct RemoteRoom {
    private static let stride: UInt64 = 8 << 20

    private let folder: BytePath
    private let connection: SFTPConnection
    private var known: UInt64?
    private var spent: UInt64 = 0

    init(of folder: BytePath, through connection: SFTPConnection) {
        self.folder = folder
        self.connection = connection
        known = connection.room(folder.bytes)
    }

    /// Bytes; `nil` when it does not say.
    var left: UInt64? { known.map { $0 - min($0, spent) } }

    mutating func spend(_ bytes: UInt64) {
        spent += bytes
        guard known != nil, spent >= RemoteRoom.stride else { return }
        known = connection.room(folder.bytes)
        spent = 0
    }
}
