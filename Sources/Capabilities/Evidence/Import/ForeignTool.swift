/// A collector whose output Quell knows.
public enum ForeignTool: String, Hashable, Sendable, Codable, CaseIterable {
    /// Unix-like Artifacts Collector, https://github.com/tclahr/uac: a tar.gz, tar or zip file with uac.log.
    case uac
    /// An offline collection of Velociraptor, https://github.com/Velocidex/velociraptor, reporting/container.go: a zip file
    /// with collection_context.json.
    case velociraptor
    /// An .adfir package of AgentDFIR, https://github.com/efij/AgentDFIR, docs/adfir-spec.md, packed into one file.
    case agentdfir
    /// `podman container checkpoint --export`, or a kubelet's checkpoint, which has the same form:
    /// https://github.com/checkpoint-restore/checkpointctl, lib/metadata.go.
    case podmanCheckpoint = "podman-checkpoint"

    /// The files that make an archive be of this collector; each list is enough.
    var marks: [[String]] {
        switch self {
        case .uac: [["uac.log"]]
        case .velociraptor:
            [["collection_context.json"], ["client_info.json", "uploads.json"], ["metadata.json", "data.zip"]]
        case .agentdfir:
            [
                ["SHA256SUMS", "chain-of-custody.jsonl", "manifest.json"],
                ["SHA256SUMS", "chain-of-custody.jsonl", "manifest.jsonl"],
            ]
        case .podmanCheckpoint: [["config.dump", "spec.dump"]]
        }
    }

    /// Files whose content says something of the collection.
    static let telling: Set<String> = [
        "uac.log", "hash_list.md5", "hash_list.sha1", "hash_list.sha256",
        "client_info.json", "collection_context.json", "uploads.json",
        "case.json", "manifest.json", "manifest.jsonl", "SHA256SUMS",
        "config.dump", "spec.dump", "network.status", "deleted.files",
    ]

    /// The files in which it tells of its collection.
    var accounts: [String] {
        switch self {
        case .uac: ["uac.log"]
        case .velociraptor: ["client_info.json", "collection_context.json"]
        case .agentdfir: ["case.json", "manifest.json", "manifest.jsonl"]
        case .podmanCheckpoint: ["config.dump", "spec.dump", "deleted.files"]
        }
    }

    /// The files with sums or sizes that it wrote down of what it collected.
    var listsOfSums: [String] {
        switch self {
        case .uac: ["hash_list.md5", "hash_list.sha1", "hash_list.sha256"]
        case .agentdfir: ["SHA256SUMS"]
        case .velociraptor: ["uploads.json"]
        case .podmanCheckpoint: []
        }
    }

    /// Files of which it is enough that they are there.
    static let present: Set<String> = [
        "metadata.json", "data.zip", "chain-of-custody.jsonl", "SEAL.sig", "rootfs-diff.tar", "bodyfile/bodyfile.txt",
        "checkpoint/pages-1.img",
    ]
}
