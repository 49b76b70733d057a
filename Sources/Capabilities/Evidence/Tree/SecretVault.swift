import Base
import Bundles
import Glibc
import Kernel

/// data/credentials.jsonl: which files of configuration hold values that look like secrets, each value by a handle. Where
/// somebody alone may open secrets, each file of such a name goes to them below data/secrets/, whatever was found in it, and
/// stands in the archive by name and size.
final class SecretVault {
    /// The name of the index.
    static let index = "data/credentials.jsonl"

    /// What was found in one file.
    struct Finding {
        let content: [UInt8]
        /// Facts of the opened file.
        let facts: FileFacts
        let values: [SecretFiles.Value]
        let more: Int
        /// Whether it was another file when it had been read.
        let isTorn: Bool
        /// What is said of it.
        var words: String {
            if count == 0 { return "files of its name hold secrets" }
            let values = count == 1 ? "1 value that looks" : "\(count) values that look"
            return "it holds \(values) like secrets (\(SecretVault.index))"
        }

        /// How many values there are.
        var count: Int { values.count + more }
    }

    /// Whether files with secrets go to recipients.
    let isForRecipients: Bool
    private let writer: BundleWriter
    private let digest: SecretDigest
    private var stream: PayloadStream?
    private var stored = 0
    /// Files that went to recipients and have other names, by where they are.
    private var kept: [FileIdentity: VolumeReceipt] = [:]
    /// How many files go to recipients: each is a stream of its own, and a session may make as many as it likes.
    static let mostFiles = 1000

    init(_ writer: BundleWriter, isForRecipients: Bool, _ digest: SecretDigest) {
        self.writer = writer
        self.isForRecipients = isForRecipients
        self.digest = digest
    }

    /// Whether a file that goes to recipients would be one too many.
    var isFull: Bool { stored >= SecretVault.mostFiles }

    /// Where the content of a file is that went to recipients under another name.
    func known(_ facts: FileFacts) -> VolumeReceipt? { kept[facts.identity] }

    /// Looks into a file that by one of its names may hold secrets; `nil` when it is not to be looked into, or holds none and
    /// nobody is there whom it would go to.
    ///
    /// - Throws: a lease, as `system` with EAGAIN, and, where there are recipients, what else stands against reading it.
    func look(into node: borrowing FileNode) throws(Failure) -> Finding? {
        guard node.facts.size > 0, node.facts.size <= SecretFiles.longest else { return nil }
        do throws(Failure) {
            let content = try node.content()
            let bytes = try SecretVault.bytes(of: content)
            let (values, more) = SecretFiles.values(in: bytes, digest)
            guard !values.isEmpty || isForRecipients else { return nil }
            let isTorn = !content.facts.isUnchanged(in: try content.factsNow()) || bytes.count != content.facts.size
            return Finding(content: bytes, facts: content.facts, values: values, more: more, isTorn: isTorn)
        } catch {
            if error.errno == EAGAIN || isForRecipients { throw error }
            // Who archives it meets the same.
            return nil
        }
    }

    /// Writes the whole file for the recipients.
    ///
    /// - Returns: where it is, with its size and digest.
    func store(_ finding: Finding) throws(Failure) -> VolumeReceipt {
        stored += 1
        let volumes = try writer.volumes(try PayloadName("data/secrets/file-\(stored).zst"))
        try volumes.append(finding.content)
        let receipt = try volumes.close()
        if finding.facts.links > 1 { kept[finding.facts.identity] = receipt }
        return receipt
    }

    /// Tells of the values, and of where the file is when it went to recipients.
    func tell(_ finding: Finding, _ path: BytePath, of root: String, _ receipt: VolumeReceipt?) throws(Failure) {
        if finding.count == 0, receipt == nil { return }
        let open = try opened()
        var line = JSONObject()
        line["root"] = .string(root)
        line["path"] = path.json
        line["values"] = .array(finding.values.map(\.json))
        if finding.more > 0 { line["valuesLeftOut"] = .integer(Int64(finding.more)) }
        line["plain"] = .bool(receipt == nil)
        if let receipt {
            line["stream"] = .string(receipt.name.text)
            line["size"] = .integer(Int64(clamping: receipt.size))
            line["sha256"] = .string(receipt.digest.hex)
        }
        try open.appendLine(.object(line))
    }

    private func opened() throws(Failure) -> PayloadStream {
        if let stream { return stream }
        let made = try writer.stream(try PayloadName(SecretVault.index))
        stream = made
        return made
    }

    /// Ends the index, when there is one.
    func close() throws(Failure) { _ = try stream?.close() }

    private static func bytes(of content: borrowing FileContent) throws(Failure) -> [UInt8] {
        let room = Int(SecretFiles.longest) + 1
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: room, alignment: 16)
        defer { buffer.deallocate() }
        var filled = 0
        while filled < room {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try content.read(into: rest, at: UInt64(filled))
            if count == 0 { break }
            filled += count
        }
        return [UInt8](buffer[..<filled])
    }
}
