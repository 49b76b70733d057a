import Base
import Sealing

/// Turns a written payload into a sealed bag.
struct Sealer {
    let outlet: any BundleOutlet
    let payload: [PayloadRecord]
    /// Encrypted volumes: outside the payload, in the tag manifest.
    let secrets: [PayloadRecord]

    init(outlet: any BundleOutlet, payload: [PayloadRecord]) {
        self.outlet = outlet
        self.payload = payload.filter { !$0.name.isSecret }
        secrets = payload.filter(\.name.isSecret)
    }

    func seal(_ statement: SealStatement, with key: SigningKey?) throws(Failure) -> SealedBundle {
        let tags = try writeTagFiles(statement, signer: key?.verifyingKey.fingerprint)
        let tagManifest = Manifest(tags + secrets.map { Manifest.Line(digest: $0.digest, name: $0.name.text) }).bytes
        try write(BundleFiles.tagManifest, tagManifest)
        let root = SHA256.digest(of: tagManifest)
        try outlet.settle((payload + secrets).map(\.name.text) + BundleFiles.tagged + [BundleFiles.tagManifest])

        let text = try InTotoStatement(
            root: root,
            statement: statement,
            payloadFiles: payload.count,
            payloadBytes: payload.reduce(UInt64(0)) { $0 + $1.size },
            signer: key?.verifyingKey.fingerprint
        ).bytes()
        let sealName = key == nil ? BundleFiles.unsignedStatement : BundleFiles.seal
        if let key {
            try write(sealName, try DSSE.sign(text, as: .seal, with: key).bytes)
        } else {
            try write(sealName, text)
        }
        try outlet.finish(seal: sealName)
        return SealedBundle(
            path: outlet.path,
            name: statement.name,
            root: root,
            signer: key?.verifyingKey.fingerprint,
            payloadFiles: payload.count,
            payloadBytes: payload.reduce(UInt64(0)) { $0 + $1.size }
        )
    }

    private func writeTagFiles(_ statement: SealStatement, signer: Digest?) throws(Failure) -> [Manifest.Line] {
        let manifest = Manifest(payload.map { Manifest.Line(digest: $0.digest, name: $0.name.text) })
        let words = BundleText(statement: statement, payload: payload, secrets: secrets, isSigned: signer != nil)
        return [
            try write(BundleFiles.declaration, Array(BundleFiles.declarationText.utf8)),
            try write(BundleFiles.info, Array(BundleFiles.infoText(of: statement, payload: payload).utf8)),
            try write(BundleFiles.manifest, manifest.bytes),
            try write(BundleFiles.summary, Array(words.summary.utf8)),
            try write(BundleFiles.verify, Array(words.verify.utf8)),
        ]
    }

    @discardableResult
    private func write(_ name: String, _ bytes: [UInt8]) throws(Failure) -> Manifest.Line {
        let file = try outlet.begin(name)
        try bytes.withRawBytes { buffer throws(Failure) in try file.append(buffer) }
        try file.close()
        return Manifest.Line(digest: SHA256.digest(of: bytes), name: name)
    }
}
