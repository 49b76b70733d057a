import Base
import Bundles
import Synchronization

/// A bundle as a directory on another host: each file is written there from its first byte, so nothing waits here. The
/// directory is called NAME.part until all of it is there, each file as long as it should be, and the seal with it.
final class SFTPFolder: BundleOutlet {
    let path: BytePath

    private struct State: Sendable {
        var directories: Set<String> = [""]
        /// Files that arrived whole, without the seal.
        var files = 0
        var bytes: UInt64 = 0
        /// The seal, as soon as it is begun.
        var seal: String?
    }

    private let connection: SFTPConnection
    private let free: RemoteRoom
    private let state = Mutex(State())

    /// Makes the directory; one that is there already, or its part, is never touched.
    init(creating path: BytePath, through connection: SFTPConnection) throws(Failure) {
        self.path = path
        self.connection = connection
        guard try connection.size(path.bytes) == nil else {
            let subject = String(decoding: path.bytes, as: UTF8.self)
            throw Failure(.system, "send the bundle", on: subject, because: "something stands there already")
        }
        try connection.makeDirectory(path.part.bytes)
        free = RemoteRoom(of: path.parent, through: connection)
    }

    var room: UInt64? { free.left }

    func begin(_ name: String) throws(Failure) -> any OutletFile {
        try state.withLock { state throws(Failure) in
            var folder = ""
            for component in name.split(separator: "/").dropLast() {
                folder += folder.isEmpty ? String(component) : "/\(component)"
                guard state.directories.insert(folder).inserted else { continue }
                try connection.makeDirectory(path.part.appending(folder).bytes)
            }
        }
        let file = path.part.appending(name).bytes
        let handle = try connection.create(file)
        if isSeal(name) { state.withLock { $0.seal = name } }
        return SFTPFile(file, of: self, handle, isSeal: isSeal(name))
    }

    /// Each file was brought to disk when it was closed; directories cannot be.
    func settle(_ names: [String]) throws(Failure) {}

    func finish(seal: String) throws(Failure) {
        try connection.rename(path.part.bytes, to: path.bytes)
        connection.end()
    }

    /// Takes the seal away, if there was one. When the other end does not say that it did, the directory may be sealed, and
    /// may even have its name.
    func abandon() -> OutletRemains {
        let (seal, sent) = state.withLock { ($0.seal, OutletRemains.words($0.files, $0.bytes)) }
        do throws(Failure) {
            if let seal { try connection.remove(path.part.appending(seal).bytes) }
            return OutletRemains(place: path.part, words: "\(sent), arrived there, without a seal")
        } catch {
            return OutletRemains(place: path, words: "\(sent), arrived there; \(OutletRemains.perhapsSealed)")
        }
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer, to handle: [UInt8], at offset: UInt64) throws(Failure) {
        try connection.put(bytes, to: handle, at: offset)
        free.spend(UInt64(bytes.count))
    }

    /// Ends a file, which counts as arrived when the other end says that it has all of it.
    fileprivate func close(_ file: SFTPFile) throws(Failure) {
        try connection.close(file.handle, of: file.path, size: file.size)
        if file.isSeal { return }
        state.withLock { state in
            state.files += 1
            state.bytes += file.size
        }
    }
}

private final class SFTPFile: OutletFile {
    let path: [UInt8]
    let handle: [UInt8]
    let isSeal: Bool
    private let folder: SFTPFolder
    private(set) var size: UInt64 = 0

    init(_ path: [UInt8], of folder: SFTPFolder, _ handle: [UInt8], isSeal: Bool) {
        self.path = path
        self.folder = folder
        self.handle = handle
        self.isSeal = isSeal
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try folder.write(bytes, to: handle, at: size)
        size += UInt64(bytes.count)
    }

    func close() throws(Failure) { try folder.close(self) }
}
