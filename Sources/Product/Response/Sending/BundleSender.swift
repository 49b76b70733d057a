public import Base
public import Bundles

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
        connection.end()
        return sent
    }
}
