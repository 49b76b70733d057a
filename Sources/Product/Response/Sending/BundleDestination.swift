public import Base
public import Bundles
import Glibc
import Kernel

/// Where a packed bundle goes, as it is packed: no second copy on this disk, and memory of one buffer.
public enum BundleDestination: Hashable, Sendable {
    /// A new file.
    case file(BytePath)
    /// Standard output.
    case output
    /// A new file on another host, by the stock ssh(1) and its SFTP subsystem.
    case sftp(host: String, path: BytePath)

    /// Reads `-`, `sftp:USER@HOST:/path`, or a path; a directory takes a file of the bundle's name.
    ///
    /// - Parameter absolute: Makes a path of the caller's absolute.
    /// - Throws: `usage` when it is no such place.
    public init(_ text: String, for name: String, absolute: (BytePath) -> BytePath) throws(Failure) {
        let file = "\(name).quell.tar"
        if text == "-" {
            self = .output
        } else if text.hasPrefix("sftp:") {
            let (host, path) = try BundleDestination.remote(text)
            self = .sftp(host: host, path: path.bytes.last == UInt8(ascii: "/") ? path.appending(file) : path)
        } else {
            let path = absolute(BytePath(text))
            self = .file(BundleDestination.isDirectory(path) ? path.appending(file) : path)
        }
    }

    /// The place in words.
    public var words: String {
        switch self {
        case .file(let path): "\(path)"
        case .output: "standard output"
        case .sftp(let host, let path): "\(host):\(path)"
        }
    }

    /// Whether a directory stands at the path.
    static func isDirectory(_ path: BytePath) -> Bool {
        var status = stat()
        return path.withCString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The host and the path of `sftp:USER@HOST:/path`.
    static func remote(_ text: String) throws(Failure) -> (host: String, path: BytePath) {
        let rest = text.dropFirst("sftp:".count)
        guard let colon = rest.firstIndex(of: ":"), rest[rest.index(after: colon)...].hasPrefix("/") else {
            throw usage(text, "sftp:USER@HOST:/path is meant, with the whole path")
        }
        let host = String(rest[..<colon])
        // It stands on ssh's command line: what begins with a hyphen would be an option there.
        let isPlain = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "@"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, !host.isEmpty, !host.hasPrefix("-"), !host.hasPrefix("@"), !host.hasSuffix("@") else {
            throw usage(text, "\(host) is no host")
        }
        return (host, BytePath(String(rest[rest.index(after: colon)...])))
    }

    private static func usage(_ text: String, _ reason: String) -> Failure {
        Failure(.usage, "read the destination", on: text, because: reason)
    }
}

/// How ssh gets to the other host. Its own configuration of the user and of /etc/ssh holds besides.
public struct SSHRoute: Hashable, Sendable {
    /// The key's file.
    public var identity: BytePath?
    /// The socket of an agent: there is no environment to take it from (RT38).
    public var agent: BytePath?
    /// The file of known hosts. A host that is not known is never believed.
    public var knownHosts: BytePath?
    /// The port, when it is not 22.
    public var port: UInt16?

    /// Takes all parts.
    public init(identity: BytePath? = nil, agent: BytePath? = nil, knownHosts: BytePath? = nil, port: UInt16? = nil) {
        self.identity = identity
        self.agent = agent
        self.knownHosts = knownHosts
        self.port = port
    }

    /// The arguments of ssh(1): nothing is asked, nothing is forwarded, a dead line ends within a minute.
    func arguments(to host: String) -> [BytePath] {
        var words = [
            "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=3",
            "-oForwardAgent=no", "-oForwardX11=no", "-oClearAllForwardings=yes", "-oPermitLocalCommand=no", "-T",
        ].map { BytePath($0) }
        if let identity { words += [BytePath("-i"), identity, BytePath("-oIdentitiesOnly=yes")] }
        if let agent { words.append(BytePath(Array("-oIdentityAgent=".utf8) + agent.bytes)) }
        if let knownHosts { words.append(BytePath(Array("-oUserKnownHostsFile=".utf8) + knownHosts.bytes)) }
        if let port { words += [BytePath("-p"), BytePath("\(port)")] }
        return words + [BytePath("-s"), BytePath("--"), BytePath(host), BytePath("sftp")]
    }
}

/// Packs a bundle to where it goes.
public struct BundleSender: Sendable {
    private let route: SSHRoute
    private let ssh: BytePath

    /// Takes how ssh gets there. `ssh` is the program, root's alone.
    public init(_ route: SSHRoute = SSHRoute(), ssh: BytePath = BytePath("/usr/bin/ssh")) {
        self.route = route
        self.ssh = ssh
    }

    /// Sends it.
    ///
    /// - Returns: how many bytes were sent.
    /// - Throws: as ``BundlePacker/pack(_:to:)``; `system` when the other host does not take it: what ssh says of that went to
    ///   standard error.
    public func send(_ bundle: VerifiedBundle, to destination: BundleDestination) throws(Failure) -> UInt64 {
        switch destination {
        case .file(let path): return try BundlePacker.pack(bundle, to: path)
        case .output:
            let output = try StandardOutput()
            return try BundlePacker.pack(bundle) { bytes throws(Failure) in try output.append(bytes) }
        case .sftp(let host, let path):
            return try send(bundle, to: path, through: try route.connect(to: host, with: ssh, for: path))
        }
    }

    /// Sends it to a host that is connected.
    func send(
        _ bundle: VerifiedBundle,
        to path: BytePath,
        through connection: SFTPConnection
    ) throws(Failure) -> UInt64 {
        let upload = try SFTPUpload(to: path, through: connection)
        let sent: UInt64
        do throws(Failure) {
            sent = try BundlePacker.pack(bundle) { bytes throws(Failure) in try upload.append(bytes) }
            try upload.finish()
        } catch {
            var reasons = [error.reason]
            if let full = upload.fullness() { reasons.append(full) }
            if let left = upload.abandon() { reasons.append("\(path).part still lies there: \(left)") }
            throw Failure(
                error.code,
                error.attempt,
                on: error.subject,
                because: reasons.joined(separator: "; "),
                errno: error.errno,
                hint: error.hint
            )
        }
        try connection.end()
        return sent
    }
}

extension SSHRoute {
    /// Connects to the SFTP of a host; what ssh has to say goes to standard error.
    func connect(to host: String, with ssh: BytePath, for path: BytePath) throws(Failure) -> SFTPConnection {
        try SFTPConnection(of: path) { (end: Int32) throws(Failure) -> ChildProcess in
            try ChildProcess.start(
                .rootOwned(ssh),
                arguments(to: host),
                descriptors: [ChildDescriptor(end, as: 0), ChildDescriptor(end, as: 1), ChildDescriptor(2, as: 2)]
            )
        }
    }
}

/// Standard output as the place of a bundle.
final class StandardOutput: TarOutlet.Sink {
    private let descriptor: Descriptor

    init() throws(Failure) {
        let copy = fcntl(1, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw Failure(errno: errno, "write the bundle", on: StandardOutput.path) }
        descriptor = Descriptor(adopting: copy)
    }

    static let path = BytePath("standard output")

    /// A pipe takes as much as its reader reads.
    var room: UInt64? { nil }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try descriptor.write(bytes, to: StandardOutput.path)
    }

    func finish() throws(Failure) {}

    func giveUp() -> BytePath? { StandardOutput.path }
}
