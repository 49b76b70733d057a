import Base
import Documents
import Glibc

/// When podman's containers ended, and how, as podman's databases say it. A database is not opened but searched for the
/// state of the container, which podman writes as one JSON text (bolt and SQLite alike); of several copies, of which old
/// pages hold some, the latest ending counts. Source: podman, libpod/container.go, `ContainerState`.
struct PodmanEndings {
    let owner: ContainerOwner

    struct Ending: Hashable {
        let at: Instant
        let status: Int?
    }

    private static let databases = ["libpod/bolt_state.db", "db.sql"]
    /// How long the text of a state may be.
    private static let reach = 16_384

    /// The endings of those containers; none for one of which no database that can be read tells. What ended is told all
    /// the same, without the moment, and why a database that is there could not be read.
    func endings(of ids: Set<String>) -> (found: [String: Ending], failures: [Failure]) {
        guard !ids.isEmpty else { return ([:], []) }
        var found: [String: Ending] = [:]
        var failures: [Failure] = []
        for database in PodmanEndings.databases {
            let bytes: [UInt8]
            do throws(Failure) {
                bytes = try TrustedFile.read(
                    owner.storage.appending(database),
                    owners: owner.writers,
                    limit: 64 << 20,
                    to: "read when containers ended"
                )
            } catch {
                if error.code != .notFound { failures.append(owner.hinting(error)) }
                continue
            }
            for id in ids {
                guard let ending = PodmanEndings.ending(of: id, in: bytes) else { continue }
                if found[id].map({ $0.at < ending.at }) ?? true { found[id] = ending }
            }
        }
        return (found, failures)
    }

    /// Looks behind each `/ID/userdata","` up to the next state.
    static func ending(of id: String, in bytes: [UInt8]) -> Ending? {
        let mark = Array("/\(id)/userdata\",\"".utf8)
        let next = Array("{\"state\":".utf8)
        var latest: Ending?
        var position = 0
        while let found = bytes.position(of: mark, from: position, to: bytes.count) {
            position = found + mark.count
            let reach = min(position + PodmanEndings.reach, bytes.count)
            let window = position..<(bytes.position(of: next, from: position, to: reach) ?? reach)
            guard let text = value(of: "finishedTime", in: bytes, window), !text.hasPrefix("0001-"),
                let at = Instant(rfc3339: text), latest.map({ $0.at <= at }) ?? true
            else { continue }
            latest = Ending(at: at, status: value(of: "exitCode", in: bytes, window).flatMap { Int($0) } ?? 0)
        }
        return latest
    }

    /// The text behind `"KEY":` up to the next comma or brace, without quotes.
    private static func value(of key: String, in bytes: [UInt8], _ window: Range<Int>) -> String? {
        let mark = Array("\"\(key)\":".utf8)
        guard let found = bytes.position(of: mark, from: window.lowerBound, to: window.upperBound) else { return nil }
        let ends = [UInt8(ascii: ","), UInt8(ascii: "}")]
        let text = bytes[(found + mark.count)..<window.upperBound].prefix(64).prefix { !ends.contains($0) }
        return String(decoding: text.filter { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Where `needle` begins between two positions; a database has many megabytes.
    fileprivate func position(of needle: [UInt8], from start: Int, to end: Int) -> Int? {
        guard start < end else { return nil }
        return withUnsafeBytes { haystack in
            needle.withUnsafeBytes { pattern -> Int? in
                guard let base = haystack.baseAddress, let wanted = pattern.baseAddress, let first = pattern.first
                else { return nil }
                var position = start
                while position + pattern.count <= end {
                    let rest = end - pattern.count + 1 - position
                    guard let hit = memchr(base + position, Int32(first), rest) else { return nil }
                    if memcmp(hit, wanted, pattern.count) == 0 { return UnsafeRawPointer(hit) - base }
                    position = UnsafeRawPointer(hit) - base + 1
                }
                return nil
            }
        }
    }
}
