import Base
import Bundles

/// The first look through a foreign archive: writes the line of each member, keeps the few files in which the collector
/// tells of itself, and never anything large.
final class TellingFiles: ForeignVisitor {
    /// What is kept of one file.
    static let longestFile = 16 << 20

    /// How many members have a remark.
    private(set) var oddMembers = 0
    /// Which of the files that a collector is known by are there, by their names in the archive.
    private(set) var present: Set<String> = []

    /// Why the content of a telling file, or a part of it, could not be read: by its name, in words of ours.
    private(set) var unread: [String: String] = [:]

    private let lines: PayloadStream
    private var kept: [String: [UInt8]] = [:]
    /// How many components the path of the one has that is kept.
    private var depths: [String: Int] = [:]
    private var current: (name: String, bytes: [UInt8])?

    init(writing lines: PayloadStream) { self.lines = lines }

    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) {
        if current == nil {
            guard let name = TellingFiles.name(member, in: ForeignTool.telling), isWanted(member, name) else { return }
            current = (name, [])
        }
        guard let count = current?.bytes.count, count + bytes.count <= TellingFiles.longestFile else { return }
        current?.bytes += bytes
    }

    /// What lies at the top is the collector's own; below a folder it may be a file that was collected.
    private func isWanted(_ member: ForeignMember, _ name: String) -> Bool {
        depths[name].map { member.plainPath.components.count < $0 } ?? true
    }

    func end(_ member: ForeignMember) throws(Failure) {
        defer { current = nil }
        if !member.remarks.isEmpty { oddMembers += 1 }
        try lines.appendLine(member.json)
        guard member.kind == .file else { return }
        if let name = TellingFiles.name(member, in: ForeignTool.present) { present.insert(name) }
        guard let name = TellingFiles.name(member, in: ForeignTool.telling) else { return }
        present.insert(name)
        // Cut or damaged, it would be read as if it said less.
        if depths[name] != nil { unread[name] = "there is more than one of them: the first at the top was read" }
        guard isWanted(member, name) else { return }
        depths[name] = member.plainPath.components.count
        kept[name] = nil
        if let whole = current?.bytes ?? (member.size == 0 ? [] : nil), member.digest != nil,
            UInt64(whole.count) == member.size
        {
            kept[name] = whole
        } else if member.size > UInt64(TellingFiles.longestFile) {
            unread[name] = "longer than \(TellingFiles.longestFile) bytes: not read"
        } else {
            unread[name] = "it is not whole in the archive"
        }
    }

    /// The content of a file at the top of the archive, or in its one folder.
    func bytes(_ name: String) -> [UInt8]? { kept[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The same as JSON of a foreign writer.
    func json(_ name: String) -> JSONValue? {
        guard let bytes = bytes(name) else { return nil }
        do throws(Failure) {
            return try TellingFiles.json(bytes)
        } catch {
            unread[name] = "not JSON: \(error.reason)"
            return nil
        }
    }

    /// The lines of a file of JSON lines that can be read, up to `most`.
    func jsonLines(_ name: String, most: Int = 200_000) -> [JSONValue] {
        var values: [JSONValue] = []
        var bad = 0
        for line in (bytes(name) ?? []).split(separator: UInt8(ascii: "\n")) {
            guard values.count < most else {
                // One line is asked for where it is enough.
                if most > 1 { unread[name] = "only its first \(most) lines were read" }
                break
            }
            do throws(Failure) { values.append(try TellingFiles.json(Array(line))) } catch { bad += 1 }
        }
        if bad > 0 { unread[name] = "\(bad) of its lines are not JSON" }
        return values
    }

    /// What could not be read of some of these files, in one sentence; `nil` when nothing is missing.
    func gaps(in names: [String]) -> String? {
        let told = names.sorted().compactMap { name in unread[name].map { "\(name): \($0)" } }
        return told.isEmpty ? nil : told.joined(separator: "; ")
    }

    /// The collector that the files speak of.
    var recognised: ForeignTool? {
        ForeignTool.allCases.first { tool in tool.marks.contains { $0.allSatisfy(present.contains) } }
    }

    private static func json(_ bytes: [UInt8]) throws(Failure) -> JSONValue {
        try JSONReader.read(bytes, manner: .lenient, limits: .init(bytes: longestFile, depth: 64))
    }

    /// The name of a member when it is one of `names`, at the top or in one folder, as when somebody packed a folder.
    private static func name(_ member: ForeignMember, in names: Set<String>) -> String? {
        let components = member.plainPath.components
        guard components.count <= 3 else { return nil }
        for skipped in 0..<min(2, components.count) {
            if let name = BytePath(joining: components.dropFirst(skipped)).text, names.contains(name) { return name }
        }
        return nil
    }
}

extension ForeignMember {
    /// The line in data/imported.jsonl, without absent members.
    var json: JSONValue {
        var line = JSONObject()
        line["gid"] = gid.map { .integer(Int64(clamping: $0)) }
        line["mode"] = mode.map { .string(String($0, radix: 8)) }
        line["modified"] = modified.map { .string($0.instant.description) }
        line["modifiedLocal"] = modifiedLocal.map(JSONValue.string)
        line["path"] = path.json
        if !remarks.isEmpty { line["remarks"] = .array(remarks.map(JSONValue.string)) }
        line["sha256"] = digest.map { .string($0.hex) }
        line["size"] = kind == .file ? .integer(Int64(clamping: size)) : nil
        line["target"] = target?.json
        line["type"] = .string(kind.rawValue)
        line["uid"] = uid.map { .integer(Int64(clamping: $0)) }
        return .object(line)
    }
}
