internal import Base
internal import Glibc

/// podman's container stores. The database is not opened but searched for the container's configuration, which podman
/// writes as one JSON text (bolt and SQLite alike); an old copy of a page can only name one supervisor too many.
struct PodmanStore {
    let root: BytePath
    private static let databases = [
        "var/lib/containers/storage/libpod/bolt_state.db", "var/lib/containers/storage/db.sql",
    ]

    /// What a container's configuration says about bringing it back.
    struct Settings: Hashable {
        /// `always`, `on-failure` or `unless-stopped`; `nil` without a policy that restarts.
        var restart: String?
        /// Whether a health check that fails kills, restarts or stops the container.
        var healthCheckActs = false
        /// The database that says so.
        var database = ""
    }

    /// The id of the container that a component of a cgroup path such as `libpod-ID` or `libpod-ID.scope` stands for.
    static func container(of component: BytePath) -> String? {
        guard let name = component.text, name.hasPrefix("libpod-") else { return nil }
        let id = name.dropFirst("libpod-".count).prefix { $0.isHexDigit }
        return id.utf8.count == 64 ? String(id) : nil
    }

    /// What is known of a container.
    enum Knowledge {
        case settings(Settings)
        /// Why it cannot be said.
        case unknown(String)
    }

    /// What root's databases say about containers; each is read once. A user's own containers stand in none of them, and a
    /// database that could not be read whole says nothing. Whoever makes groups can name many containers: what there is no
    /// time for is not known.
    func knowledge(of ids: [String], by deadline: Deadline = Deadline(after: .seconds(3))) -> [String: Knowledge] {
        var known: [String: Knowledge] = [:]
        for database in ids.isEmpty ? [] : PodmanStore.databases where !deadline.hasPassed {
            guard let bytes = RegularFile.read(root.appending(database), limit: 64 << 20) else { continue }
            for id in ids where known[id] == nil && !deadline.hasPassed {
                guard bytes.firstRange(of: Array("\"id\":\"\(id)\"".utf8), from: 0) != nil else { continue }
                var found = PodmanStore.settings(of: id, in: bytes) ?? Settings()
                found.database = "/" + database
                known[id] = .settings(found)
            }
        }
        let reason =
            deadline.hasPassed
            ? "there was no time left to look for it" : "none of root's databases that could be read names it"
        for id in ids where known[id] == nil { known[id] = .unknown(reason) }
        return known
    }

    /// Looks behind each `"id":"ID"` up to the next container's. podman 4.3 writes `restart_policy` as a word and
    /// `healthcheck_on_failure_action` as a number above 0 when the check acts.
    static func settings(of id: String, in bytes: [UInt8]) -> Settings? {
        let start = Array("\"id\":\"\(id)\"".utf8)
        let next = Array("\"id\":\"".utf8)
        let policies = ["always", "on-failure", "unless-stopped"].map {
            ($0, Array("\"restart_policy\":\"\($0)\"".utf8))
        }
        let health = Array("\"healthcheck_on_failure_action\":".utf8)
        var settings = Settings()
        var position = 0
        while let found = bytes.firstRange(of: start, from: position) {
            let end = min(bytes.firstRange(of: next, from: found + start.count) ?? bytes.count, found + 262_144)
            let window = Array(bytes[found..<max(end, found + start.count)])
            for (policy, text) in policies where window.firstRange(of: text, from: 0) != nil {
                settings.restart = policy
            }
            if let action = window.firstRange(of: health, from: 0), action + health.count < window.count,
                window[action + health.count] > UInt8(ascii: "0")
            {
                settings.healthCheckActs = true
            }
            position = found + start.count
        }
        return settings == Settings() ? nil : settings
    }
}

extension [UInt8] {
    /// Where `needle` begins at or after `from`, or `nil`.
    fileprivate func firstRange(of needle: [UInt8], from: Int) -> Int? {
        withUnsafeBytes { haystack in
            needle.withUnsafeBytes { pattern -> Int? in
                guard let start = haystack.baseAddress, let wanted = pattern.baseAddress, let first = pattern.first
                else {
                    return nil
                }
                var position = from
                while position + pattern.count <= haystack.count {
                    let rest = haystack.count - pattern.count + 1 - position
                    guard let hit = memchr(start + position, Int32(first), rest) else { return nil }
                    position = UnsafeRawPointer(hit) - start
                    if memcmp(hit, wanted, pattern.count) == 0 { return position }
                    position += 1
                }
                return nil
            }
        }
    }
}
