public import Base
public import Documents
public import Engine
public import Sealing

/// Where `policy.yaml` and `trust.yaml` lie: in /etc/quell, which binds whatever store somebody chooses, else in the store
/// (RT21). Never read before a freeze.
public struct AuthorityFiles: Sendable {
    private let folders: [BytePath]
    private let owners: TrustedOwners

    /// Takes the folders; the first that has a policy rules.
    public init(folders: [BytePath], owners: TrustedOwners = .current()) {
        self.folders = folders
        self.owners = owners
    }

    /// The policy in force with the trust file that goes with it: that of its own folder, or of one before. Without a
    /// policy nobody has to approve anything.
    ///
    /// - Throws: `refused` when others can write a file, `malformed` with file, line and column.
    public func read(actions: KnownActions) throws(Failure) -> Authority {
        for (position, folder) in folders.enumerated() {
            let path = folder.appending("policy.yaml")
            guard let bytes = try bytes(of: path, "policy") else { continue }
            let policy = try PolicyDocument.parse(bytes, named: path, actions: actions)
            return Authority(policy, try trust(in: Array(folders[...position])))
        }
        return .none
    }

    /// The trust file in force; nobody is trusted without one.
    ///
    /// - Throws: as ``read(actions:)``.
    public func trust() throws(Failure) -> TrustList { try trust(in: folders) }

    private func trust(in folders: [BytePath]) throws(Failure) -> TrustList {
        for folder in folders {
            let path = folder.appending("trust.yaml")
            if let bytes = try bytes(of: path, "trust file") { return try TrustDocument.parse(bytes, named: path) }
        }
        return .empty
    }

    private func bytes(of path: BytePath, _ what: String) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try TrustedFile.read(path, owners: owners, to: "read the \(what)")
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }
}
