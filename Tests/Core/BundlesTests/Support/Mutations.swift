import Base
import Sealing

@testable import Bundles

extension Mutation {
    static let all: [Mutation] = members + bag + seal + archive + records + later

    static let members: [Mutation] = [
        .init("a payload file is missing", .members, "data/session.json") { forger, _ in
            forger.files["data/session.json"] = nil
        },
        .init("a payload file is too many", .members, "data/extra.json") { forger, _ in
            forger.files["data/extra.json"] = []
        },
        .init("a payload file has another name", .members, "data/processes.jsonl") { forger, _ in
            forger.files["data/processes2.jsonl"] = forger.files["data/processes.jsonl"]
            forger.files["data/processes.jsonl"] = nil
        },
        .init("there is a fetch.txt", .members, "fetch.txt") { forger, _ in
            forger.files["fetch.txt"] = Array("http://example.org/x 1 data/x\n".utf8)
        },
        .init("there is a second manifest", .members, "manifest-sha512.txt") { forger, _ in
            forger.files["manifest-sha512.txt"] = []
        },
        .init("there is a second tag manifest", .members, "tagmanifest-md5.txt") { forger, _ in
            forger.files["tagmanifest-md5.txt"] = []
        },
        .init("SUMMARY.txt is missing", .members, "SUMMARY.txt") { forger, _ in forger.files["SUMMARY.txt"] = nil },
        .init("the seal is missing", .members, "seal.dsse.json") { forger, _ in forger.files["seal.dsse.json"] = nil },
        .init("there are two seals", .members, "seal.unsigned.json") { forger, _ in
            forger.files["seal.unsigned.json"] = forger.files["seal.dsse.json"]
        },
        .init("a file of a later version stands there", .members, "seal.sig") { forger, _ in
            forger.files["seal.sig"] = [0x30]
        },
        .init("a payload file was cut", .bag, "bag-info.txt") { forger, _ in
            forger.files["data/session.json"]?.removeLast()
        },
        .init("a payload file became longer", .bag, "bag-info.txt") { forger, _ in
            forger.files["data/session.json"]?.append(10)
        },
        .init("two payload files changed places", .digest, "data/files/workspace.pax.zst.000") { forger, _ in
            let first = forger.files["data/files/workspace.pax.zst.000"]
            forger.files["data/files/workspace.pax.zst.000"] = forger.files["data/files/workspace.pax.zst.001"]
            forger.files["data/files/workspace.pax.zst.001"] = first
        },
    ]

    static let bag: [Mutation] = [
        .init("a manifest line stands twice", .bag, "manifest-sha256.txt line 2") { forger, key in
            let lines = forger.files["manifest-sha256.txt"] ?? []
            let first = lines.prefix { $0 != 10 } + [10]
            forger.files["manifest-sha256.txt"] = first + lines
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("the manifest is not sorted", .bag, "manifest-sha256.txt line 2") { forger, key in
            let lines = (forger.files["manifest-sha256.txt"] ?? []).split(separator: 10)
            forger.files["manifest-sha256.txt"] = Array(lines.reversed().map { $0 + [10] }.joined())
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("the manifest lacks a file that is there", .members, "data/session.json") { forger, key in
            let content = forger.files["data/session.json"]
            forger.files["data/session.json"] = nil
            forger.makeBagAgree()
            try forger.seal(with: key)
            forger.files["data/session.json"] = content
        },
        .init("the manifest names a file outside", .bag, "manifest-sha256.txt") { forger, key in
            forger.replace("data/session.json", with: "data/../etc/x", in: "manifest-sha256.txt")
            let lines = (forger.files["manifest-sha256.txt"] ?? []).split(separator: 10).sorted {
                $0.dropFirst(66).lexicographicallyPrecedes($1.dropFirst(66))
            }
            forger.files["manifest-sha256.txt"] = Array(lines.map { $0 + [10] }.joined())
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("the tag manifest lacks VERIFY.txt", .bag, "tagmanifest-sha256.txt") { forger, key in
            let lines = (forger.files["tagmanifest-sha256.txt"] ?? []).split(separator: 10)
            forger.files["tagmanifest-sha256.txt"] = Array(
                lines.filter { !$0.reversed().starts(with: "VERIFY.txt".utf8.reversed()) }.map { $0 + [10] }.joined()
            )
            try forger.seal(with: key)
        },
        .init("Payload-Oxum is wrong", .bag, "bag-info.txt") { forger, key in
            forger.replace("Payload-Oxum: ", with: "Payload-Oxum: 1", in: "bag-info.txt")
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("Payload-Oxum stands twice", .bag, "bag-info.txt") { forger, key in
            forger.files["bag-info.txt"]? += Array("payload-oxum: 1.1\n".utf8)
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("bagit.txt names another version", .bag, "bagit.txt") { forger, key in
            forger.replace("1.0", with: "0.97", in: "bagit.txt")
            forger.makeTagManifestAgree()
            try forger.seal(with: key)
        },
        .init("VERIFY.txt was rewritten", .digest, "VERIFY.txt") { forger, _ in
            forger.files["VERIFY.txt"] = Array("all is well\n".utf8)
        },
    ]

    static let seal: [Mutation] = [
        .init("the tag manifest is not the one that was signed", .digest, "tagmanifest-sha256.txt") { forger, _ in
            forger.files["SUMMARY.txt"]? += [10]
            forger.makeTagManifestAgree()
        },
        .init("the envelope has a duplicate key", .seal, "seal.dsse.json") { forger, _ in
            forger.replace("{\"payload\":", with: "{\"payload\":\"\",\"payload\":", in: "seal.dsse.json")
        },
        .init("the envelope has another member", .seal, "seal.dsse.json") { forger, _ in
            forger.replace("{\"payload\":", with: "{\"note\":\"\",\"payload\":", in: "seal.dsse.json")
        },
        .init("the envelope has space in it", .seal, "seal.dsse.json") { forger, _ in
            forger.files["seal.dsse.json"]? += [10]
        },
        .init("the statement has a duplicate key", .seal, "seal.dsse.json") { forger, key in
            try forger.seal(with: key) { $0.replacing("{\"_type\":", with: "{\"_type\":\"x\",\"_type\":") }
        },
        .init("the statement has two subjects", .seal, "seal.dsse.json") { forger, key in
            try forger.seal(with: key) { $0.replacing("\"subject\":[", with: "\"subject\":[{\"name\":\"x\"},") }
        },
        .init("the statement has an unknown member", .seal, "seal.dsse.json") { forger, key in
            try forger.seal(with: key) { $0.replacing("\"caseID\":", with: "\"also\":1,\"caseID\":") }
        },
        .init("the statement has another predicate type", .seal, "seal.dsse.json") { forger, key in
            try forger.seal(with: key) { $0.replacing("bundle:incident:v1", with: "bundle:exercise:v1") }
        },
        .init("the statement counts other files", .seal, "seal.dsse.json") { forger, key in
            let count = forger.payload.count
            try forger.seal(with: key) { $0.replacing("\"files\":\(count)", with: "\"files\":\(count + 1)") }
        },
        .init("the statement's counts do not add up", .collection, "seal.dsse.json") { forger, key in
            var statement = Samples.statement()
            statement.counts.planned += 1
            try forger.seal(with: key, as: statement)
        },
        .init("the signature is another key's under the trusted name", .signature, "seal.dsse.json") { forger, key in
            let stranger = try SigningKey.generate()
            let text = try InTotoStatement(
                root: SHA256.digest(of: forger.files["tagmanifest-sha256.txt"] ?? []),
                statement: Samples.statement(),
                payloadFiles: forger.payload.count,
                payloadBytes: forger.payload.reduce(0) { $0 + UInt64($1.content.count) },
                signer: key.verifyingKey.fingerprint
            ).bytes()
            forger.files["seal.dsse.json"] = try DSSE.sign(text, as: .seal, with: stranger).bytes
            forger.replace(
                stranger.verifyingKey.fingerprint.hex,
                with: key.verifyingKey.fingerprint.hex,
                in: "seal.dsse.json"
            )
        },
        .init("RT19 a self-keyed forgery fails against the fingerprint", .signature, "seal.dsse.json") { forger, _ in
            forger.files["data/session.json"] = Array("{}".utf8)
            forger.makeBagAgree()
            try forger.seal(with: try SigningKey.generate())
        },
        .init("RT19 the signature was taken off", .signature, "seal.unsigned.json") { forger, _ in
            let envelope = try DSSE.Envelope(parsing: forger.files["seal.dsse.json"] ?? [])
            forger.files["seal.unsigned.json"] = envelope.unverifiedPayload
            forger.files["seal.dsse.json"] = nil
        },
        .init("RT32 an approval of the same bytes is no seal", .seal, "seal.dsse.json") { forger, key in
            let envelope = try DSSE.Envelope(parsing: forger.files["seal.dsse.json"] ?? [])
            forger.files["seal.dsse.json"] = try DSSE.sign(envelope.unverifiedPayload, as: .approval, with: key).bytes
        },
    ]
}
