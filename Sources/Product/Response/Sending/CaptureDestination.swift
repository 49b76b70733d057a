public import Base
import Bundles

/// Where a capture goes instead of its case, while it is made: nothing of it but what is on its way lies on this disk.
public struct CaptureDestination: Sendable {
    /// The kinds of places.
    public enum Place: Hashable, Sendable {
        /// A new directory of the bundle's name in this one.
        case folder(BytePath)
        /// A new packed file.
        case file(BytePath)
        /// Standard output, packed.
        case output
        /// A new directory of the bundle's name in this one of another host.
        case remoteFolder(host: String, BytePath)
        /// A new packed file on another host.
        case remoteFile(host: String, BytePath)
    }

    /// Bytes in a volume of what is packed: that much waits here until its size is known.
    private static let volumeInFlight = 4 << 20

    /// The place.
    public let place: Place
    private let route: SSHRoute
    private let ssh: BytePath

    /// Reads `-`, `sftp:USER@HOST:/path`, or a path. A directory takes the bundle as a directory; so does every path of another
    /// host that does not end in `.quell.tar`.
    ///
    /// - Parameters:
    ///   - absolute: Makes a path of the caller's absolute.
    ///   - route: How ssh gets there.
    ///   - ssh: The program, root's alone.
    /// - Throws: `usage` when it is no such place.
    public init(
        _ text: String,
        by route: SSHRoute = SSHRoute(),
        ssh: BytePath = BytePath("/usr/bin/ssh"),
        absolute: (BytePath) -> BytePath
    ) throws(Failure) {
        self.route = route
        self.ssh = ssh
        if text == "-" {
            place = .output
        } else if text.hasPrefix("sftp:") {
            let (host, path) = try BundleDestination.remote(text)
            let isFile = path.bytes.suffix(10).elementsEqual(".quell.tar".utf8)
            place = isFile ? .remoteFile(host: host, path) : .remoteFolder(host: host, path)
        } else {
            let path = absolute(BytePath(text))
            place = BundleDestination.isDirectory(path) ? .folder(path) : .file(path)
        }
    }

    /// Where the bundle `name` will be, in words.
    public func words(_ name: String) -> String {
        switch place {
        case .folder(let path): "\(path.appending(name))"
        case .file(let path): "\(path)"
        case .output: "\(StandardOutput.path)"
        case .remoteFolder(let host, let path): "\(host):\(path.appending(name))"
        case .remoteFile(let host, let path): "\(host):\(path)"
        }
    }

    /// What the file system here has free that takes the bundle, in bytes; `nil` when none here does, or it does not say.
    public var room: UInt64? { folder.flatMap(FreeRoom.of(folder:)) }

    /// Whether what lies there can be read back from here: only then does the capture count for a kill.
    public var isReadable: Bool { readable("") != nil }

    /// Where this host can read the bundle `name` again; `nil`: nowhere.
    func readable(_ name: String) -> BytePath? {
        switch place {
        case .folder(let path): path.appending(name)
        case .file(let path): path
        case .output, .remoteFolder, .remoteFile: nil
        }
    }

    /// Bytes in a volume.
    var volumeSize: Int {
        switch place {
        case .folder, .remoteFolder: 64 << 20
        case .file, .output, .remoteFile: CaptureDestination.volumeInFlight
        }
    }

    /// The folder here that takes the bundle; `nil` when there is none.
    var folder: BytePath? {
        switch place {
        case .folder(let path): path
        case .file(let path): path.parent
        case .output: StandardOutput.file()?.parent
        case .remoteFolder, .remoteFile: nil
        }
    }

    /// Opens it for the bundle `name`. What has no size yet waits in the folder `spool`; a file's waits beside it.
    ///
    /// Whoever does not take it is not waited for much longer once `isToStop` says so, from any thread.
    ///
    /// - Throws: `system` when something stands there already, or it cannot be reached.
    func open(
        _ name: String,
        spool: BytePath,
        until isToStop: @escaping @Sendable () -> Bool
    ) throws(Failure) -> any BundleOutlet {
        let patience = SFTPConnection.patience(until: isToStop)
        switch place {
        case .folder(let path): return try DirectoryOutlet(creating: path.appending(name))
        case .file(let path):
            return TarOutlet(name, at: path, into: try TarFileSink(creating: path), spool: path.parent)
        case .output:
            return TarOutlet(
                name,
                at: StandardOutput.path,
                into: try StandardOutput(Patience(until: isToStop)),
                spool: spool
            )
        case .remoteFolder(let host, let path):
            let whole = path.appending(name)
            return try SFTPFolder(creating: whole, through: try connect(host, whole, patience))
        case .remoteFile(let host, let path):
            let connection = try connect(host, path, patience)
            return TarOutlet(name, at: path, into: try SFTPUpload(to: path, through: connection), spool: spool)
        }
    }

    private func connect(_ host: String, _ path: BytePath, _ patience: Patience) throws(Failure) -> SFTPConnection {
        try route.connect(to: host, with: ssh, for: path, patience: patience)
    }
}
