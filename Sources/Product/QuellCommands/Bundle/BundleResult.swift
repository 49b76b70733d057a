import Base
import Bundles
import Sealing

/// What a verification came to, layer by layer, as people read it and as programs do. Its form has a version of its own.
struct BundleResult {
    static let version: Int64 = 1

    /// One layer of a bundle and what was found there.
    struct Layer {
        let name: String
        /// intact, trusted, unknown, pending, none, absent, wrong or unchecked.
        let verdict: String
        /// More in words; may hold text that was escaped.
        var detail: String?
    }

    private let verdict: String
    private let layers: [Layer]
    private var finding: VerificationFinding?

    /// The layers in the order in which they are told.
    private static let order: [VerificationFinding.Check] = [
        .packing, .members, .seal, .signature, .timestamp, .countersignature, .bag, .digest, .archive, .collection,
        .journal,
    ]

    /// Everything agrees.
    init(of bundle: VerifiedBundle) {
        verdict = bundle.outcome == .done ? "trusted" : "intact"
        let statement = bundle.statement
        let size = bundle.payload.reduce(UInt64(0)) { $0 + $1.size }
        layers = [
            Layer(name: "packing", verdict: "intact"),
            Layer(name: "members", verdict: "intact", detail: "no file too many, none missing"),
            Layer(name: "seal", verdict: "intact", detail: "\(statement.purpose.rawValue), seal \(statement.number)"),
            Layer(name: "signature", verdict: Self.word(bundle.signer), detail: bundle.signerWords),
            Self.timestamp(bundle.timestamp),
            Self.countersignatures(bundle.countersignatures),
            Layer(name: "bag", verdict: "intact", detail: "BagIt 1.0"),
            Layer(
                name: "digest",
                verdict: "intact",
                detail: "\(bundle.payload.count) payload files, \(Words.bytes(size))"
            ),
            Layer(
                name: "archive",
                verdict: bundle.roots.isEmpty ? "none" : "intact",
                detail: bundle.roots.isEmpty ? nil : Self.archives(bundle)
            ),
            Layer(name: "collection", verdict: "intact", detail: "\(statement.counts.planned) items"),
            Layer(
                name: "journal",
                verdict: statement.checkpoint == nil ? "absent" : "intact",
                detail: statement.checkpoint.map { "to entry \($0.sequence)" }
            ),
        ]
    }

    /// The first thing that is wrong. Of the layers within only what came before it is known.
    init(wrong finding: VerificationFinding) {
        verdict = "wrong"
        self.finding = finding
        let inner: Set<VerificationFinding.Check> = [.archive, .collection, .journal]
        let isInner = inner.contains(finding.check)
        layers = Self.order.map { check in
            if check == finding.check { return Layer(name: check.rawValue, verdict: "wrong", detail: nil) }
            let isKnown = check == .packing || isInner && !inner.contains(check)
            return Layer(name: check.rawValue, verdict: isKnown ? "intact" : "unchecked")
        }
    }

    /// A line for each layer.
    var lines: [String] {
        layers.map { layer in
            let name = layer.name + String(repeating: " ", count: max(1, 17 - layer.name.count))
            return name + layer.verdict + (layer.detail.map { ": \($0)" } ?? "")
        }
    }

    /// `{"version": 1, "verdict": ..., "layers": [...]}`, with `finding` when something is wrong.
    var document: JSONValue {
        var object = JSONObject()
        object["version"] = .integer(Self.version)
        object["verdict"] = .string(verdict)
        object["layers"] = .array(
            layers.map { layer in
                var entry = JSONObject()
                entry["layer"] = .string(layer.name)
                entry["verdict"] = .string(layer.verdict)
                if let detail = layer.detail { entry["detail"] = .string(detail) }
                return .object(entry)
            }
        )
        if let finding {
            object["finding"] = [
                "check": .string(finding.check.rawValue), "untrustedFile": .string(finding.file),
                "expected": .string(finding.expected), "untrustedFound": .string(finding.found),
            ]
        }
        return .object(object)
    }

    /// The roots, and how many objects have nothing but their line in an mtree.
    private static func archives(_ bundle: VerifiedBundle) -> String {
        let roots = bundle.roots.joined(separator: ", ")
        return bundle.onlyListed == 0
            ? roots : "\(roots); \(bundle.onlyListed) more objects only listed, without content"
    }

    private static func word(_ signer: VerifiedBundle.Signer) -> String {
        switch signer {
        case .trusted: "trusted"
        case .unknown: "unknown"
        case .unsigned: "none"
        }
    }

    private static func timestamp(_ timestamp: VerifiedBundle.Timestamp) -> Layer {
        switch timestamp {
        case .none: return Layer(name: "timestamp", verdict: "none")
        case .pending:
            return Layer(name: "timestamp", verdict: "pending", detail: "asked for, and no answer is here yet")
        case .unknown(let said):
            let authority = Escaped.terminal(said.authority)
            return Layer(
                name: "timestamp",
                verdict: "unknown",
                detail: "claimed to be before \(said.time), by \(authority), an authority that is not trusted here"
            )
        case .trusted(let said):
            return Layer(
                name: "timestamp",
                verdict: "trusted",
                detail: "sealed before \(said.time), says \(Escaped.terminal(said.authority))"
            )
        }
    }

    private static func countersignatures(_ all: [Countersignature]) -> Layer {
        guard !all.isEmpty else { return Layer(name: "countersignature", verdict: "none") }
        let words = all.map { one in
            let said = "\(one.statement.by) as \(one.statement.role)"
            return one.doubt.map { "\(said), NOT TRUSTED: \($0)" } ?? said
        }
        let verdict = all.allSatisfy(\.isTrusted) ? "trusted" : "unknown"
        return Layer(name: "countersignature", verdict: verdict, detail: words.joined(separator: "; "))
    }
}
