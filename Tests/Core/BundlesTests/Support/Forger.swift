import Base
import Sealing

@testable import Bundles

/// Somebody who changes a bundle and makes the outer layers agree again: manifests, counts, and the seal with whatever
/// key is at hand. What is left for the verifier to find is the change itself.
struct Forger {
    var files: [String: [UInt8]]
    let name = "amber-7f3a-1"

    init(_ directory: BytePath) throws { files = try Disk.tree(directory) }

    var payload: [(name: String, content: [UInt8])] {
        files.filter { $0.key.hasPrefix("data/") }.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    /// Writes the manifests and bag-info.txt anew.
    mutating func makeBagAgree() {
        let lines = payload.map { Manifest.Line(digest: SHA256.digest(of: $0.content), name: $0.name) }
        files["manifest-sha256.txt"] = Manifest(lines).bytes
        let octets = payload.reduce(0) { $0 + $1.content.count }
        let info = String(decoding: files["bag-info.txt"] ?? [], as: UTF8.self).split(separator: "\n")
        let kept = info.filter { !$0.hasPrefix("Payload-Oxum") }
        files["bag-info.txt"] = Array(
            "\(kept.joined(separator: "\n"))\nPayload-Oxum: \(octets).\(payload.count)\n".utf8
        )
        makeTagManifestAgree()
    }

    mutating func makeTagManifestAgree() {
        let tags = ["SUMMARY.txt", "VERIFY.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt"]
        let lines = tags.map { Manifest.Line(digest: SHA256.digest(of: files[$0] ?? []), name: $0) }
        files["tagmanifest-sha256.txt"] = Manifest(lines).bytes
    }

    /// Signs the tag manifest as it is now; `edit` may change the statement's text.
    mutating func seal(
        with key: SigningKey,
        as statement: SealStatement = Samples.statement(),
        edit: (String) -> String = { $0 }
    ) throws {
        let honest = try InTotoStatement(
            root: SHA256.digest(of: files["tagmanifest-sha256.txt"] ?? []),
            statement: statement,
            payloadFiles: payload.count,
            payloadBytes: payload.reduce(0) { $0 + UInt64($1.content.count) },
            signer: key.verifyingKey.fingerprint
        ).bytes()
        let text = edit(String(decoding: honest, as: UTF8.self))
        files["seal.dsse.json"] = try DSSE.sign(Array(text.utf8), as: .seal, with: key).bytes
    }

    mutating func replace(_ old: String, with new: String, in file: String) {
        let text = String(decoding: files[file] ?? [], as: UTF8.self)
        precondition(text.contains(old), "\(old) is not in \(file)")
        files[file] = Array(text.replacing(old, with: new).utf8)
    }

    /// The archived root, with `edit` applied to its pax bytes and framed anew.
    mutating func repack(_ edit: ([UInt8]) throws -> [UInt8]) throws {
        let bytes = try edit(try unpacked())
        for name in files.keys where name.contains(".pax.zst.") { files[name] = nil }
        files["data/files/workspace.pax.zst.000"] = try Forger.compress(bytes)
    }

    func unpacked() throws -> [UInt8] {
        var rest = volumes[...]
        let decompressor = try ZstdDecompressor(name: "workspace") { buffer throws(Problem) in
            let count = min(buffer.count, rest.count)
            buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        }
        var bytes: [UInt8] = []
        while true {
            let more = try decompressor.next()
            if more.isEmpty { return bytes }
            bytes += more
        }
    }

    var volumes: [UInt8] {
        Array(payload.filter { $0.name.contains(".pax.zst.") }.map(\.content).joined())
    }

    static func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = []
        let compressor = try ZstdCompressor() { output += $0 }
        try bytes.withUnsafeBytes { try compressor.append($0) }
        try compressor.finish()
        return output
    }

    func write(to path: BytePath) throws {
        for (name, content) in files { try Disk.write(content, to: path.appending(name)) }
    }

    /// The members as a tar; every part may be wrong on purpose.
    static func tar(_ members: [(name: String, content: [UInt8])], bundle: String = "amber-7f3a-1") -> [UInt8] {
        var bytes: [UInt8] = []
        for member in members { bytes += header(bundle, member.name, member.content.count) + padded(member.content) }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    static func header(_ bundle: String, _ name: String, _ size: Int, edit: (inout [UInt8]) -> Void = { _ in })
        -> [UInt8]
    {
        guard var block = UstarHeader(bundle: bundle, name: name, size: UInt64(size))?.block else { return [] }
        edit(&block)
        for index in 148..<156 { block[index] = 0x20 }
        let digits = Array(String(block.reduce(0) { $0 + Int($1) }, radix: 8).utf8)
        let sum = [UInt8](repeating: 0x30, count: 6 - digits.count) + digits + [0, 0x20]
        for (index, byte) in sum.enumerated() { block[148 + index] = byte }
        return block
    }

    static func padded(_ content: [UInt8]) -> [UInt8] {
        content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    var sortedMembers: [(name: String, content: [UInt8])] {
        files.map { ($0.key, $0.value) }.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}

extension [UInt8] {
    /// The same bytes with one bit of the byte at `offset` turned.
    func flipped(at offset: Int) -> [UInt8] {
        var bytes = self
        bytes[offset] ^= 1
        return bytes
    }

    func replacing(_ old: String, with new: String) -> [UInt8] {
        precondition(old.utf8.count == new.utf8.count)
        let wanted = Array(old.utf8)
        var bytes = self
        for start in 0...(bytes.count - wanted.count) where bytes[start] == wanted[0] {
            if bytes[start..<start + wanted.count].elementsEqual(wanted) {
                bytes.replaceSubrange(start..<start + wanted.count, with: new.utf8)
            }
        }
        return bytes
    }
}
