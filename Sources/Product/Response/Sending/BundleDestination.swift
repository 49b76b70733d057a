public import Base
import Glibc

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
