import Base
import Bundles
import Sealing

/// data/case.jsonld: the capture as a graph of CASE 1.4 and UCO 1.4, for laboratories whose tools read that. It tells nothing
/// that the rest of the bundle does not, and names no file of the session: those stand in the archives.
///
/// Sources: https://ontology.caseontology.org/case/investigation/, https://ontology.unifiedcyberontology.org/uco/. What is
/// written passes `case_validate` (PyPI: case-utils). Identifiers are made from what they name, so the same capture gives the
/// same graph.
struct CaseGraph {
    static let file = "data/case.jsonld"

    let parts: SealParts
    /// What was written before the graph.
    let payload: [PayloadRecord]
    let began: Instant
    /// When the graph is written, right before the seal.
    let ended: Instant

    /// The whole document in canonical JSON with a final line feed.
    var bytes: [UInt8] {
        let document: JSONValue = ["@context": Self.context, "@graph": .array(nodes)]
        return CanonicalJSON.bytes(of: document) + [UInt8(ascii: "\n")]
    }

    private var nodes: [JSONValue] {
        var nodes: [JSONValue] = [person, tool, device, provenance]
        if let authority = parts.authority { nodes.append(authorization(authority)) }
        nodes += actions
        nodes.append(investigation)
        return nodes + payload.map(file)
    }

    private static let context: JSONValue = [
        "kb": "urn:quell:",
        "case-investigation": "https://ontology.caseontology.org/case/investigation/",
        "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
        "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
        "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
        "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
        "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
        "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    ]
}

extension CaseGraph {
    private var person: JSONValue {
        ["@id": id("person"), "@type": "uco-identity:Person", "uco-core:name": .string(parts.responder)]
    }

    private var tool: JSONValue {
        let digest = parts.tool.digest.map { "SHA-256 of the executable: \($0)" }
        return [
            "@id": id("tool"), "@type": "uco-tool:Tool", "uco-core:name": .string(parts.tool.name),
            "uco-tool:version": .string(parts.tool.version),
            "uco-core:description": .string(digest ?? "the executable could not be read"),
        ]
    }

    private var device: JSONValue {
        ["@id": id("device"), "@type": "uco-observable:Device", "uco-core:name": .string(parts.host)]
    }

    private func authorization(_ authority: String) -> JSONValue {
        [
            "@id": id("authorization"), "@type": "case-investigation:Authorization",
            "case-investigation:authorizationType": "stated by the responder",
            "case-investigation:authorizationIdentifier": .string(authority),
        ]
    }

    private var provenance: JSONValue {
        [
            "@id": id("provenance"), "@type": "case-investigation:ProvenanceRecord",
            "case-investigation:exhibitNumber": .string(parts.name),
            "uco-core:description": .string("seal \(parts.number) of case \(parts.caseID): \(parts.purpose.rawValue)"),
            "uco-core:object": .array(payload.map { reference("file", $0.name.text) }),
        ]
    }

    /// Freeze, capture, seal; each is informed by the one before.
    private var actions: [JSONValue] {
        var actions: [JSONValue] = []
        if let freeze = parts.freeze {
            var times: [(String, JSONValue)] = []
            if let confirmed = freeze.confirmed { times = [("uco-action:endTime", time(confirmed))] }
            actions.append(action("freeze", times + [("uco-action:object", reference("device"))]))
        }
        var capture: [(String, JSONValue)] = [
            ("uco-action:startTime", time(began)), ("uco-action:endTime", time(ended)),
            ("uco-action:object", reference("device")),
            ("uco-action:result", .array([reference("provenance")] + payload.map { reference("file", $0.name.text) })),
        ]
        if parts.freeze != nil { capture.append(("case-investigation:wasInformedBy", reference("freeze"))) }
        actions.append(action("capture", capture))
        let seal: [(String, JSONValue)] = [
            ("uco-action:startTime", time(ended)), ("uco-action:object", reference("provenance")),
            ("case-investigation:wasInformedBy", reference("capture")),
        ]
        actions.append(action("seal", seal))
        return actions
    }

    private func action(_ name: String, _ more: [(String, JSONValue)]) -> JSONValue {
        var object = JSONObject()
        object["@id"] = id(name)
        object["@type"] = "case-investigation:InvestigativeAction"
        object["uco-core:name"] = .string(name)
        object["uco-action:performer"] = reference("person")
        object["uco-action:instrument"] = reference("tool")
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private var investigation: JSONValue {
        var object = JSONObject()
        object["@id"] = id("investigation")
        object["@type"] = "case-investigation:Investigation"
        object["uco-core:name"] = .string(parts.caseID)
        object["uco-core:tag"] = [.string(parts.purpose.rawValue)]
        if parts.authority != nil { object["case-investigation:relevantAuthorization"] = reference("authorization") }
        let freeze = parts.freeze == nil ? [] : [reference("freeze")]
        object["uco-core:object"] = .array(
            freeze + [reference("capture"), reference("seal"), reference("provenance")]
        )
        return .object(object)
    }

    private func file(_ record: PayloadRecord) -> JSONValue {
        let name = record.name.text
        let last = name.split(separator: "/").last.map(String.init) ?? name
        let hash: JSONValue = [
            "@id": id("hash", name), "@type": "uco-types:Hash", "uco-types:hashMethod": "SHA256",
            "uco-types:hashValue": ["@type": "xsd:hexBinary", "@value": .string(record.digest.hex)],
        ]
        return [
            "@id": id("file", name), "@type": "uco-observable:File",
            "uco-core:hasFacet": [
                [
                    "@id": id("facet", name), "@type": "uco-observable:FileFacet",
                    "uco-observable:fileName": .string(last), "uco-observable:filePath": .string(name),
                    "uco-observable:isDirectory": false,
                    "uco-observable:sizeInBytes": .integer(Int64(clamping: record.size)),
                ],
                [
                    "@id": id("content", name), "@type": "uco-observable:ContentDataFacet",
                    "uco-observable:hash": hash,
                ],
            ],
        ]
    }

    private func time(_ instant: Instant) -> JSONValue {
        ["@type": "xsd:dateTime", "@value": .string(instant.description)]
    }

    private func reference(_ kind: String, _ name: String = "") -> JSONValue { ["@id": id(kind, name)] }

    /// An identifier that ends in a UUID of the form of version 5, made by SHA-256 from the bundle and what it names: UCO asks
    /// for versions up to 5.
    private func id(_ kind: String, _ name: String = "") -> JSONValue {
        let text = "\(parts.caseID)\n\(parts.name)\n\(kind)\n\(name)"
        var bytes = Array(SHA256.digest(of: Array(text.utf8)).bytes[..<16])
        bytes[6] = bytes[6] & 0x0F | 0x50
        bytes[8] = bytes[8] & 0x3F | 0x80
        let hex = Hex.encode(bytes)
        var groups: [Substring] = []
        var rest = hex[...]
        for length in [8, 4, 4, 4, 12] {
            groups.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return .string("kb:\(kind)-\(groups.joined(separator: "-"))")
    }
}
