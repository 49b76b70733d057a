import Base
import Sealing

@testable import Bundles

/// What a dishonest hand puts beside a seal, outside of the tag manifest.
extension Mutation {
    private static let lead = "countersignatures/ada-lead"

    static let later: [Mutation] = [
        .init("the exercise flag was flipped under the old signature", .signature, "seal.dsse.json") { forger, _ in
            let honest = try DSSE.Envelope(parsing: forger.files["seal.dsse.json"] ?? [])
            let words = String(decoding: honest.unverifiedPayload, as: UTF8.self)
            let flipped = words.replacing("\"purpose\":\"incident\"", with: "\"purpose\":\"exercise\"")
                .replacing("bundle:incident:v1", with: "bundle:exercise:v1")
            precondition(flipped != words)
            let old = Base64.encode(honest.unverifiedPayload)
            forger.replace(old, with: Base64.encode(Array(flipped.utf8)), in: "seal.dsse.json")
        },
        .init("the timestamp is none", .timestamp, "seal.tsr") { forger, _ in forger.files["seal.tsr"] = [0x30, 0] },
        .init("the timestamp is endless", .timestamp, "seal.tsr") { forger, _ in
            forger.files["seal.tsr"] = [UInt8](repeating: 0x30, count: TimestampToken.sizeLimit + 1)
        },
        .init("the pending query is about something else", .timestamp, "seal.tsq") { forger, _ in
            forger.files["seal.tsq"] = try TimestampQuery(over: [1]).bytes
        },
        .init("the pending query is none", .timestamp, "seal.tsq") { forger, _ in forger.files["seal.tsq"] = [] },
        .init("a countersignature has no statement", .countersignature, lead + ".sshsig") { forger, _ in
            forger.files[lead + ".sshsig"] = []
        },
        .init("a statement has no countersignature", .countersignature, lead + ".json") { forger, _ in
            forger.files[lead + ".json"] = []
        },
        .init("something else lies among the countersignatures", .members, "countersignatures/notes.txt") { forger, _ in
            forger.files["countersignatures/notes.txt"] = []
        },
        .init("a folder lies among the countersignatures", .members, "countersignatures/a/b.json") { forger, _ in
            forger.files["countersignatures/a/b.json"] = []
        },
        .init("a countersignature is about another bundle", .countersignature, lead + ".json") { forger, _ in
            let other = SHA256.digest(of: []).hex
            let root = SHA256.digest(of: forger.files["tagmanifest-sha256.txt"] ?? []).hex
            try forger.countersign(lead) { $0.replacing(root, with: other) }
        },
        .init("a countersignature is about another case", .countersignature, lead + ".json") { forger, _ in
            try forger.countersign(lead) {
                $0.replacing("\"caseID\":\"amber-7f3a\"", with: "\"caseID\":\"umber-7f3a\"")
            }
        },
        .init("a countersignature has a duplicate key", .countersignature, lead + ".json") { forger, _ in
            try forger.countersign(lead) { $0.replacing("{\"bundle\"", with: "{\"by\":\"eve\",\"bundle\"") }
        },
        .init("a countersignature was renamed", .countersignature, "countersignatures/eve-lead.json") { forger, _ in
            try forger.countersign("countersignatures/eve-lead") { $0 }
        },
        .init("a countersignature's words were changed", .countersignature, lead + ".sshsig") { forger, _ in
            try forger.countersign(lead) { $0 }
            forger.replace("\"reason\":\"seen\"", with: "\"reason\":\"sean\"", in: lead + ".json")
        },
        .init("RT32 a countersignature is an approval", .countersignature, lead + ".sshsig") { forger, _ in
            try forger.countersign(lead, as: .approval) { $0 }
        },
        .init("RT32 a countersignature is a seal", .countersignature, lead + ".sshsig") { forger, _ in
            try forger.countersign(lead, as: .seal) { $0 }
        },
    ]
}

extension Forger {
    /// A countersignature of Ada's as lead, by a new key; `edit` may change its text before it is signed.
    fileprivate mutating func countersign(
        _ base: String,
        as type: PayloadType = .countersignature,
        edit: (String) -> String
    ) throws {
        let root = SHA256.digest(of: files["tagmanifest-sha256.txt"] ?? []).hex
        let honest = """
            {"bundle":"amber-7f3a-1","by":"ada","caseID":"amber-7f3a","number":1,"reason":"seen","role":"lead",\
            "root":"\(root)","signed":"\(Instant(seconds: 1_795_358_900))","type":"urn:quell:countersignature:v1"}
            """
        let text = Array(edit(honest).utf8)
        files[base + ".json"] = text
        files[base + ".sshsig"] = Array(
            try SSHSignature.sign(text, as: type, with: try SigningKey.generate()).text.utf8
        )
    }
}
