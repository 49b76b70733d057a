import Base
import Bundles
import Glibc
import Kernel

/// Writes what an upper layer says of its image, a line an object: `added`, `changed`, `deleted`, `replaced`, `metadata`.
///
/// Compared are kind, size, modification time, mode, owner, group, targets of links and numbers of devices. A regular file
/// of the same size and time, which is what a copy-up leaves and what a forger would, is compared by content as long as
/// that is cheap; `compared` says which it was.
final class LayerComparison: TreeVisitor {
    /// The largest file, and all of them together, of which contents are compared.
    static let largestFile: UInt64 = 4 << 20
    static let mostContent: UInt64 = 256 << 20

    private let lowers: LowerLayers
    private let stream: PayloadStream
    private let budget: CaptureBudget
    private let meter: CaptureMeter
    private var content: UInt64 = 0
    /// What could not be compared.
    private(set) var misses = 0
    private(set) var firstMiss: String?
    /// Why it ended early.
    private(set) var stopReason: String?

    init(_ lowers: LowerLayers, into stream: PayloadStream, budget: CaptureBudget, meter: CaptureMeter) {
        self.lowers = lowers
        self.stream = stream
        self.budget = budget
        self.meter = meter
    }

    func visit(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> Bool {
        if meter.mustStop() { return stop(meter.stopWord) }
        if object.path.isEmpty || object.isOnOtherMount { return true }
        let line: JSONValue?
        do throws(Failure) {
            line = try compare(object.path, node)
        } catch {
            return try miss(object.path, because: error)
        }
        guard let line else { return true }
        let bytes = CanonicalJSON.bytes(of: line) + [UInt8(ascii: "\n")]
        guard budget.take(UInt64(bytes.count)) else { return stop("over the budget") }
        try stream.append(bytes)
        return true
    }

    func miss(_ path: BytePath, because failure: Failure) throws(Failure) -> Bool {
        misses += 1
        if firstMiss == nil { firstMiss = "\(path): \(failure.reason)" }
        return true
    }

    func passOver(_ path: BytePath, because reason: String) throws(Failure) {
        misses += 1
        if firstMiss == nil { firstMiss = "\(path): \(reason)" }
    }

    private func stop(_ reason: String) -> Bool {
        stopReason = reason
        return false
    }

    /// The line of one object of the upper layer; `nil` for a directory that is only on the way to what lies in it.
    private func compare(_ path: BytePath, _ node: borrowing FileNode) throws(Failure) -> JSONValue? {
        let marks = try OverlayMarks(node)
        let before = try lowers.find(path)
        var line = JSONObject()
        line["path"] = path.json
        line["before"] = before.map { LayerComparison.facts($0.node.facts) }
        guard !marks.isWhiteout else {
            line["change"] = "deleted"
            return .object(line)
        }
        let facts = node.facts
        line["now"] = LayerComparison.facts(facts)
        line["movedFrom"] = marks.redirect?.json
        guard let before else {
            line["change"] = "added"
            return .object(line)
        }
        let old = before.node.facts
        if old.kind != facts.kind || marks.isOpaque || marks.redirect != nil {
            line["change"] = "replaced"
            return .object(line)
        }
        let isSame = try hasSameContent(node, before, marks, &line)
        let isDescribedTheSame = old.mode == facts.mode && old.uid == facts.uid && old.gid == facts.gid
        if facts.kind == .directory, isDescribedTheSame { return nil }
        line["change"] = isSame ? "metadata" : "changed"
        return .object(line)
    }

    private func hasSameContent(
        _ node: borrowing FileNode,
        _ before: HeldFolder,
        _ marks: OverlayMarks,
        _ line: inout JSONObject
    ) throws(Failure) -> Bool {
        let (new, old) = (node.facts, before.node.facts)
        switch new.kind {
        case .symlink: return try node.linkTarget() == before.node.linkTarget()
        case .block, .char: return new.special == old.special
        case .file where marks.hasOnlyMetadata: return true
        case .file:
            line["compared"] = "metadata"
            guard new.size == old.size, new.modified == old.modified else { return false }
            guard new.size <= LayerComparison.largestFile, content + new.size <= LayerComparison.mostContent,
                new.links == 1
            else { return true }
            content += new.size
            line["compared"] = "content"
            return try LayerComparison.isEqual(node.content(), before.node.content())
        default: return true
        }
    }

    private static func isEqual(_ one: consuming FileContent, _ other: consuming FileContent) throws(Failure) -> Bool {
        let left = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        let right = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer {
            left.deallocate()
            right.deallocate()
        }
        var position: UInt64 = 0
        while true {
            let count = try one.read(into: left, at: position)
            guard try other.read(into: right, at: position) == count else { return false }
            if count == 0 { return true }
            guard let first = left.baseAddress, let second = right.baseAddress, memcmp(first, second, count) == 0 else {
                return false
            }
            position += UInt64(count)
        }
    }

    private static func facts(_ facts: FileFacts) -> JSONValue {
        [
            "type": .string(facts.kind == .file ? "file" : facts.kind.rawValue),
            "size": .integer(Int64(clamping: facts.size)),
            "mode": .string(facts.octalMode), "uid": .integer(Int64(facts.uid)), "gid": .integer(Int64(facts.gid)),
            "modified": .string(facts.modified.description),
        ]
    }
}
