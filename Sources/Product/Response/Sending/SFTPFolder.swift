import Base
import Bundles
import Synchronization

/// A bundle as a directory on another host: each file is written there from its first byte, so nothing waits here. The
/// directory is called NAME.part until all of it is there, each file as long as it should be, and the seal with it.
final class SFTPFolder: BundleOutlet {
    let path: BytePath

    private struct State: Sendable {
        var directories: Set<String> = [""]
        var files = 0
        var bytes: UInt64 = 0
        var room: RemoteRoom
    }

    private let connection: SFTPConnection
    private let state: Mutex<State>

    /// Makes the directory; one that is there already, or its part, is never touched.
    init(creating path: BytePath, through connection: SFTPConnection) throws(Failure) {
        self.path = path
        self.connection = connection
        guard try connection.size(path.bytes) == nil else {
            let subject = String(decoding: path.bytes, as: UTF8.self)
            throw Failure(.system, "send the bundle", on: subject, because: "something stands there already")
        }
        try connection.makeDirectory(SFTPFolder.part(of: path).bytes)
        state = Mutex(State(room: RemoteRoom(of: path.parent, through: connection)))
    }

    private static func part(of path: BytePath) -> BytePath { BytePath(path.bytes + Array(".part".utf8)) }

    private var part: BytePath { SFTPFolder.part(of: path) }

    var room: UInt64? { state.withLock { $0.room.left } }

    func begin(_ name: String) throws(Failure) -> any OutletFile {
        try state.withLock { state throws(Failure) in
            var folder = ""
            for component in name.split(separator: "/").dropLast() {
                folder += folder.isEmpty ? String(component) : "/\(component)"
                guard state.directories.insert(folder).inserted else { continue }
                try connection.makeDirectory(part.appending(folder).bytes)
            }
        }
        return SFTPFile(part.appending(name).bytes, of: self, try connection.create(part.appending(name).bytes))
    }

    /// Each file was brought to disk when it was closed; directories cannot be.
    func settle(_ names: [String]) throws(Failure) {}

    func finish(seal: String) throws(Failure) {
        try connection.rename(part.bytes, to: path.bytes)
        try connection.end()
    }

    func abandon() -> OutletRemains {
        state.withLock { state in
            let files = state.files == 1 ? "1 whole file" : "\(state.files) whole files"
            return OutletRemains(place: part, words: "\(files), \(state.bytes) bytes, arrived there, without a seal")
        }
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer, to handle: [UInt8], at offset: UInt64) throws(Failure) {
        try connection.write(bytes, to: handle, at: offset)
        state.withLock { $0.room.spend(UInt64(bytes.count)) }
    }

    /// Ends a file, which counts as arrived when the other end says that it has all of it.
    fileprivate func close(_ path: [UInt8], _ handle: [UInt8], size: UInt64) throws(Failure) {
        try connection.close(handle)
        let found = try connection.size(path)
        guard found == size else {
            let subject = String(decoding: path, as: UTF8.self)
            let reason = "\(size) bytes were sent, \(found ?? 0) are there"
            throw Failure(.system, "send the bundle", on: subject, because: reason)
        }
        state.withLock { state in
            state.files += 1
            state.bytes += size
        }
    }
}

private final class SFTPFile: OutletFile {
    private let path: [UInt8]
    private let folder: SFTPFolder
    private let handle: [UInt8]
    private var size: UInt64 = 0

    init(_ path: [UInt8], of folder: SFTPFolder, _ handle: [UInt8]) {
        self.path = path
        self.folder = folder
        self.handle = handle
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try folder.write(bytes, to: handle, at: size)
        size += UInt64(bytes.count)
    }

    func close() throws(Failure) { try folder.close(path, handle, size: size) }
}
