public import Base
import Bundles

/// What a collector wrote down of the content of one member.
struct ExpectedContent: Hashable {
    var md5: String?
    var sha1: String?
    var sha256: String?
    var size: UInt64?

    /// Sets the sum that has so many hexadecimal digits.
    mutating func set(_ hex: String) {
        switch hex.count {
        case 32: md5 = hex
        case 40: sha1 = hex
        case 64: sha256 = hex
        default: break
        }
    }

    var needsWeak: Bool { md5 != nil || sha1 != nil }
}

/// The sums or sizes that a collector put beside what it collected, by path in the archive.
struct CollectorSums {
    private(set) var expected: [BytePath: ExpectedContent] = [:]
    /// The files that they stand in.
    private(set) var sources: [String] = []

    init(of tool: ForeignTool, in files: TellingFiles) {
        switch tool {
        case .uac, .agentdfir: for name in tool.listsOfSums { takeList(name, files) }
        case .velociraptor: takeUploads(files)
        case .podmanCheckpoint: break
        }
    }

    /// Lines of md5sum(1) and its like.
    private mutating func takeList(_ name: String, _ files: TellingFiles) {
        guard let bytes = files.bytes(name) else { return }
        sources.append(name)
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let (hex, path) = CollectorSums.line(line) else { continue }
            expected[path, default: ExpectedContent()].set(hex)
        }
    }

    /// The digits and the path of a line; `nil` when it has another form.
    static func line(_ line: ArraySlice<UInt8>) -> (hex: String, path: BytePath)? {
        let digits = line.prefix { Hex.decode(String(decoding: [$0, $0], as: UTF8.self)) != nil }
        guard [32, 40, 64].contains(digits.count) else { return nil }
        let rest = line.dropFirst(digits.count)
        guard rest.starts(with: Array("  ".utf8)) || rest.starts(with: Array(" *".utf8)), rest.count > 2 else {
            return nil
        }
        return (String(decoding: digits, as: UTF8.self), CollectorSums.key(BytePath(rest.dropFirst(2))))
    }

    /// uploads.json: a line for each file with the components of its name in the zip file and the bytes that were stored.
    private mutating func takeUploads(_ files: TellingFiles) {
        let rows = files.jsonLines("uploads.json")
        guard !rows.isEmpty else { return }
        sources.append("uploads.json")
        for row in rows {
            guard let components = row["_Components"]?.array?.compactMap(\.string), components.first == "uploads",
                let size = row["uploaded_size"]?.integer, size >= 0
            else { continue }
            var wanted = ExpectedContent()
            wanted.size = UInt64(size)
            wanted.sha256 = row["sha256"]?.string?.lowercased()
            expected[BytePath(joining: components.map { BytePath($0) })] = wanted
        }
    }

    /// A path as it is looked up: without `.` and slashes at its ends.
    static func key(_ path: BytePath) -> BytePath {
        BytePath(joining: path.components.filter { $0 != BytePath(".") })
    }
}

/// Whether the content of members is what their collector wrote down of it.
public struct SumComparison: Hashable, Sendable, Codable {
    /// The files of the archive that say what should be there.
    public var sources: [String]
    /// How many members they name.
    public var listed = 0
    /// How many of these have the content that was written down.
    public var agreed = 0
    /// How many have another.
    public var differing = 0
    /// How many are not in the archive, or could not be read.
    public var missing = 0
    /// The first of those that differ; hostile.
    public var examples: [BytePath] = []

    /// Whether all is as it was written down.
    public var isWhole: Bool { differing == 0 && missing == 0 }
}

/// The second look through a foreign archive: compares members with the sums of their collector.
final class SumVisitor: ForeignVisitor {
    private(set) var comparison: SumComparison
    private let sums: CollectorSums
    private var pending: Set<BytePath>
    private var weak: WeakDigests?

    init(_ sums: CollectorSums) {
        self.sums = sums
        comparison = SumComparison(sources: sums.sources)
        comparison.listed = sums.expected.count
        comparison.missing = sums.expected.count
        pending = Set(sums.expected.keys)
    }

    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) {
        if weak == nil {
            guard let path = path(of: member), sums.expected[path]?.needsWeak == true else { return }
            weak = WeakDigests()
        }
        weak?.update(bytes)
    }

    func end(_ member: ForeignMember) throws(Failure) {
        let found = weak?.finish()
        weak = nil
        guard let path = path(of: member), let wanted = sums.expected[path], let digest = member.digest,
            pending.remove(path) != nil
        else { return }
        comparison.missing -= 1
        // An empty file has no content that is handed over.
        let (md5, sha1) = found ?? WeakDigests.ofNothing
        let agrees =
            (wanted.sha256.map { $0 == digest.hex } ?? true) && (wanted.size.map { $0 == member.size } ?? true)
            && (wanted.md5.map { $0 == md5 } ?? true) && (wanted.sha1.map { $0 == sha1 } ?? true)
        if agrees {
            comparison.agreed += 1
        } else {
            comparison.differing += 1
            if comparison.examples.count < 20 { comparison.examples.append(member.path) }
        }
    }

    /// The path that sums have for it: its own, without the folder that somebody packed, or with `%` of names undone.
    private func path(of member: ForeignMember) -> BytePath? {
        let own = CollectorSums.key(member.path)
        let components = own.components
        let inner = BytePath(joining: components.dropFirst())
        let plain = BytePath(joining: components.map { BytePath(SumVisitor.withoutPercents($0.bytes)) })
        return [own, inner, plain].first { sums.expected[$0] != nil }
    }

    private static func withoutPercents(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var place = 0
        while place < bytes.count {
            let digits =
                place + 2 < bytes.count ? String(decoding: bytes[(place + 1)...(place + 2)], as: UTF8.self) : ""
            if bytes[place] == UInt8(ascii: "%"), let byte = UInt8(digits, radix: 16) {
                result.append(byte)
                place += 3
            } else {
                result.append(bytes[place])
                place += 1
            }
        }
        return result
    }
}

extension WeakDigests {
    static var ofNothing: (md5: String, sha1: String) {
        var nothing = WeakDigests()
        return nothing.finish()
    }
}
