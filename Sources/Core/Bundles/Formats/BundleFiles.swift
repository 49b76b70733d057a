import Base

/// The names of the files that a bundle has besides its payload. Closed: a file that is neither payload nor one of
/// these makes a bundle wrong (RT18).
enum BundleFiles {
    static let summary = "SUMMARY.txt"
    static let verify = "VERIFY.txt"
    static let declaration = "bagit.txt"
    static let info = "bag-info.txt"
    static let manifest = "manifest-sha256.txt"
    static let tagManifest = "tagmanifest-sha256.txt"
    static let seal = "seal.dsse.json"
    static let unsignedStatement = "seal.unsigned.json"

    /// The token of RFC 3161 over the seal's signature, and the query while there is no token yet.
    static let timestamp = "seal.tsr"
    static let timestampQuery = "seal.tsq"
    /// What others say about the bundle, a statement and its signature each.
    static let countersignatures = "countersignatures/"

    /// What the name of a file begins with that is being added and has not got its own yet.
    static let unfinished = ".adding-"

    /// Whether a file of that name is what an interrupted addition left.
    static func isUnfinished(_ name: String) -> Bool {
        (name.split(separator: "/").last ?? "").hasPrefix(unfinished)
    }

    /// What the tag manifest lists, sorted.
    static let tagged = [summary, verify, info, declaration, manifest]
    /// The tagged files in the order in which they are written, and the tag manifest.
    static let written = [declaration, info, manifest, summary, verify, tagManifest]
    /// Files of a bundle that are no payload: the tagged ones, the tag manifest and the seal.
    static let countBesidesPayload = tagged.count + 2

    /// Whether a file of that name may come after the seal: it stands outside the tag manifest.
    static func mayFollowSeal(_ name: String) -> Bool {
        if name == timestamp || name == timestampQuery { return true }
        guard name.hasPrefix(countersignatures), MemberName.problem(of: name) == nil else { return false }
        let inner = name.dropFirst(countersignatures.count)
        return !inner.contains("/") && (inner.hasSuffix(".json") || inner.hasSuffix(".sshsig"))
    }

    /// The whole content of bagit.txt (RFC 8493 section 2.1.1).
    static let declarationText = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

    /// The content of bag-info.txt (RFC 8493 section 2.2.2).
    static func infoText(of statement: SealStatement, payload: [PayloadRecord]) -> String {
        """
        Bag-Software-Agent: \(oneLine(statement.tool.name)) \(oneLine(statement.tool.version))
        Bagging-Date: \(statement.sealed.description.prefix(10))
        External-Identifier: \(oneLine(statement.caseID))/\(statement.name)
        \(oxum(of: payload))

        """
    }

    /// The line that counts the payload: octets, a point, files.
    static func oxum(of payload: [PayloadRecord]) -> String {
        "Payload-Oxum: \(payload.reduce(UInt64(0)) { $0 &+ $1.size }).\(payload.count)"
    }

    private static func oneLine(_ text: String) -> String { Escaped.terminal(text) }
}
