import Base

/// What a foreign collector says of its collection. Nobody has checked any of it, and all of it is hostile text.
public struct ForeignClaims: Hashable, Sendable, Codable {
    /// The collector.
    public var tool: String
    /// Its version.
    public var version: String?
    /// The host that it looked at.
    public var host: String?
    /// When it began: RFC 3339 in UTC where what it wrote can be read so, else as it wrote it.
    public var began: String?
    /// When it ended.
    public var ended: String?
    /// What else it says, by words of Quell's.
    public var details: [String: String]

    init(tool: String) {
        self.tool = tool
        details = [:]
    }

    /// Nothing of it is longer than this.
    private static let longest = 1000

    /// Keeps a text that is not too long for a person.
    static func text(_ text: String?) -> String? {
        guard let text, !text.isEmpty else { return nil }
        return text.utf8.count <= longest ? text : String(text.prefix(longest / 4)) + "..."
    }

    /// A time as collectors write it: `2026-11-23 06:54:19 +0000` as RFC 3339, others as they are.
    static func time(_ told: String?) -> String? {
        guard let told = text(told) else { return nil }
        var words = told.split(separator: " ").map(String.init)
        if words.count == 3, words[2].count == 5 {
            words[2].insert(":", at: words[2].index(words[2].startIndex, offsetBy: 3))
            if let instant = Instant(rfc3339: "\(words[0])T\(words[1])\(words[2])") { return instant.description }
        }
        return Instant(rfc3339: told)?.description ?? told
    }

    /// What the files of `tool` say.
    init(of tool: ForeignTool, in files: TellingFiles) {
        switch tool {
        case .uac: self = .uac(files)
        case .velociraptor: self = .velociraptor(files)
        case .agentdfir: self = .agentdfir(files)
        case .podmanCheckpoint: self = .checkpoint(files)
        }
    }

    private mutating func add(_ name: String, _ value: String?) { details[name] = ForeignClaims.text(value) }
}

// MARK: - UAC

extension ForeignClaims {
    /// uac.log: lines of `DATE TIME ZONE LEVEL TEXT`.
    private static func uac(_ files: TellingFiles) -> ForeignClaims {
        var claims = ForeignClaims(tool: "UAC")
        var errors = 0
        let told = [
            ("Operating system: ", "operatingSystem"), ("System architecture: ", "architecture"),
            ("Mount point: ", "mountPoint"), ("Running as: ", "runningAs"), ("Command line: ", "commandLine"),
            ("Time zone: ", "timeZone"), ("Hash algorithm: ", "hashAlgorithm"),
        ]
        let log = files.bytes("uac.log")
        for raw in (log ?? []).split(separator: UInt8(ascii: "\n")) {
            let words = String(decoding: raw, as: UTF8.self).split(separator: " ", maxSplits: 4).map(String.init)
            guard words.count == 5 else { continue }
            let time = words[0...2].joined(separator: " ")
            claims.began = claims.began ?? Self.time(time)
            claims.ended = Self.time(time)
            if words[3] == "ERR" { errors += 1 }
            guard words[3] == "INF" else { continue }
            claims.version = claims.version ?? text(behind("Unix-like Artifacts Collector ", words[4]))
            claims.host = claims.host ?? text(behind("Hostname: ", words[4]))
            for (start, name) in told where words[4].hasPrefix(start) && claims.details[name] == nil {
                claims.add(name, String(words[4].dropFirst(start.count)))
            }
        }
        // Of a log that could not be read nobody knows how many there are.
        if log != nil { claims.details["errorsInItsLog"] = String(errors) }
        if files.present.contains("bodyfile/bodyfile.txt") { claims.details["bodyfile"] = "bodyfile/bodyfile.txt" }
        return claims
    }
}

// MARK: - Velociraptor

extension ForeignClaims {
    /// What stands behind `start` at the beginning of a text.
    private static func behind(_ start: String, _ text: String) -> String? {
        text.hasPrefix(start) ? String(text.dropFirst(start.count)) : nil
    }

    private static func velociraptor(_ files: TellingFiles) -> ForeignClaims {
        var claims = ForeignClaims(tool: "Velociraptor")
        let client = files.json("client_info.json")
        let context = files.json("collection_context.json")
        func first(_ value: JSONValue?, _ names: String...) -> String? {
            for name in names { if let text = word(value?[name]) { return text } }
            return nil
        }
        let system = client?["os_info"]
        let agent = client?["agent_information"]
        claims.host = text(first(client, "Hostname", "hostname", "Fqdn", "fqdn") ?? first(system, "hostname", "fqdn"))
        claims.version = text(first(client, "client_version", "version") ?? first(agent, "version"))
        claims.began = microseconds(context?["start_time"]) ?? microseconds(context?["create_time"])
        claims.ended = microseconds(context?["active_time"])
        claims.add("clientId", first(client, "client_id", "HostID"))
        claims.add("sessionId", first(context, "session_id"))
        claims.add("state", first(context, "state"))
        claims.add("operatingSystem", first(client, "OS", "system") ?? first(system, "system"))
        let artifacts = context?["request"]?["artifacts"]?.array ?? context?["artifacts_with_results"]?.array
        claims.add("artifacts", artifacts?.compactMap(\.string).joined(separator: ", "))
        claims.add("uploadedFiles", first(context, "total_uploaded_files"))
        claims.add("rows", first(context, "total_collected_rows"))
        if files.present.contains("data.zip") {
            claims.details["encrypted"] = "its members stand in data.zip, which is encrypted"
        }
        return claims
    }

    /// Protobuf writes numbers of 64 bits as numbers or as text.
    private static func word(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text)?: text.isEmpty ? nil : text
        case .integer(let number)?: String(number)
        default: nil
        }
    }

    private static func microseconds(_ value: JSONValue?) -> String? {
        guard let text = word(value), let number = Int64(text), number > 0 else { return nil }
        let instant = Instant(seconds: number / 1_000_000, nanoseconds: number % 1_000_000 * 1000)
        return instant.description
    }
}

// MARK: - AgentDFIR

extension ForeignClaims {
    private static func agentdfir(_ files: TellingFiles) -> ForeignClaims {
        var claims = ForeignClaims(tool: "AgentDFIR")
        let manifest = files.json("manifest.json") ?? files.jsonLines("manifest.jsonl", most: 1).first
        let about = files.json("case.json")
        claims.version = text(manifest?["collector_version"]?.string)
        claims.host = text(manifest?["host"]?.string ?? about?["host"]?.string)
        claims.began = time(about?["created_utc"]?.string ?? manifest?["created_utc"]?.string)
        claims.add("caseId", about?["case_id"]?.string ?? manifest?["case_id"]?.string)
        claims.add("operator", about?["operator_asserted"]?.string ?? about?["operator_os_user"]?.string)
        claims.add("authority", about?["authorization_reference"]?.string)
        claims.add("operatingSystem", manifest?["os"]?.string)
        claims.add("formatVersion", manifest?["adfir_version"]?.string)
        claims.add("collectorSHA256", manifest?["collector_binary_sha256"]?.string)
        if let artifacts = manifest?["artifacts"]?.array {
            claims.details["artifacts"] = String(artifacts.count)
            claims.details["artifactsNotAcquired"] = String(artifacts.count { $0["status"]?.string != "OK" })
        }
        if files.present.contains("SEAL.sig") { claims.details["seal"] = "SEAL.sig is there; Quell does not check it" }
        return claims
    }
}

// MARK: - Checkpoints

extension ForeignClaims {
    private static func checkpoint(_ files: TellingFiles) -> ForeignClaims {
        let config = files.json("config.dump")
        let spec = files.json("spec.dump")
        let manager = spec?["annotations"]?["io.container.manager"]?.string
        var claims = ForeignClaims(tool: text(manager) ?? "podman")
        // The word of the container, which it may have chosen itself.
        claims.host = text(spec?["hostname"]?.string)
        claims.ended = time(config?["checkpointedTime"]?.string)
        claims.add("container", config?["name"]?.string)
        claims.add("containerId", config?["id"]?.string)
        claims.add("image", config?["rootfsImageName"]?.string)
        claims.add("imageRef", config?["rootfsImageRef"]?.string ?? config?["rootfsImage"]?.string)
        claims.add("runtime", config?["runtime"]?.string ?? config?["ociRuntime"]?.string)
        claims.add("created", time(config?["createdTime"]?.string))
        claims.add("arguments", spec?["process"]?["args"]?.array?.compactMap(\.string).joined(separator: " "))
        if let deleted = files.json("deleted.files")?.array { claims.details["deletedFiles"] = String(deleted.count) }
        if files.present.contains("rootfs-diff.tar") { claims.details["rootfsChanges"] = "rootfs-diff.tar" }
        if files.present.contains("checkpoint/pages-1.img") { claims.details["memory"] = "checkpoint/pages-*.img" }
        return claims
    }
}
