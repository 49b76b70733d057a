import Base
import Bundles
import Glibc
import Sealing
import Testing

@Suite("A stream in volumes comes back as it was written")
struct VolumeStreamTests {
    static let stream = "data/memory/7-99.core.zst"

    let bench: Workbench
    let policy = VerificationPolicy(trusting: [])

    init() throws { bench = try Workbench() }

    @Test("a long stream is cut into volumes that make one zstd frame, and its digest is of the plain content")
    func longStream() throws {
        let receipt = try write(line: nil)
        #expect(receipt.volumes.count >= 3)
        #expect(receipt.size == UInt64(3 * Samples.noise.count))
        #expect(receipt.digest == SHA256.digest(of: Samples.noise + Samples.noise + Samples.noise))
        #expect(receipt.first.text == Self.stream + ".000")
        let bundle = try UnverifiedBundle(at: bench("b")).requireConsistent(policy)
        var plain: [UInt8] = []
        try bundle.readVolumes(of: PayloadName(Self.stream)) { plain += $0 }
        #expect(plain == Samples.noise + Samples.noise + Samples.noise)
    }

    @Test("a stream of nothing is one volume")
    func emptyStream() throws {
        let bundle = try BundleWriter(creating: bench("b"))
        let receipt = try bundle.volumes(try PayloadName(Self.stream)).close()
        #expect(receipt.volumes.count == 1)
        #expect(receipt.size == 0)
    }

    @Test("a stream that was begun and not ended keeps the bundle from being sealed, even before its first volume")
    func droppedStream() throws {
        let bundle = try BundleWriter(creating: bench("b"))
        _ = try bundle.volumes(try PayloadName(Self.stream))
        #expect { try bundle.seal(Samples.statement(), with: nil) } throws: { ($0 as? Failure)?.code == .refused }
    }

    @Test("a name is given to one stream only")
    func nameOnce() throws {
        let bundle = try BundleWriter(creating: bench("b"))
        _ = try bundle.volumes(try PayloadName(Self.stream)).close()
        #expect { _ = try bundle.volumes(try PayloadName(Self.stream)) } throws: { ($0 as? Failure)?.code == .refused }
    }

    @Test(
        "what does not agree with data/memory.jsonl is wrong",
        arguments: ["size", "digest", "no line", "two lines", "a stream that is not there", "no index"]
    )
    func disagreement(_ change: String) throws {
        try write(line: change)
        let finding = try #require(try UnverifiedBundle(at: bench("b")).finding(policy), "\(change)")
        #expect(finding.check == .archive, "\(finding)")
    }

    @Test("a gap in the volumes, a file without a number and a second frame are wrong")
    func oddVolumes() throws {
        for (number, odd) in ["gap", "name", "frame"].enumerated() {
            let place = bench("odd\(number)")
            let bundle = try BundleWriter(creating: place, volumeSize: 16 << 10)
            let receipt = try fill(bundle)
            switch odd {
            case "gap": try bundle.write(try PayloadName(Self.stream + ".020"), [1])
            case "name": try bundle.write(try PayloadName("data/memory/other"), [1])
            default:
                // The next volume of the stream is a frame of its own (RFC 8878, a raw block of no bytes).
                let next = "\(Self.stream).00\(receipt.volumes.count)"
                let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x00, 0x01, 0x00, 0x00]
                try bundle.write(try PayloadName(next), frame)
            }
            try finish(bundle, lines: [line(receipt)])
            let finding = try #require(try UnverifiedBundle(at: place).finding(policy), "\(odd)")
            #expect(finding.check == .archive && finding.file.hasPrefix("data/memory/"), "\(odd): \(finding)")
        }
    }

    /// Writes a bundle with one stream; `change` names what its index says wrongly.
    @discardableResult
    private func write(line change: String?) throws -> VolumeReceipt {
        let bundle = try BundleWriter(creating: bench("b"), volumeSize: 16 << 10)
        let receipt = try fill(bundle)
        let honest = line(receipt)
        let lines: [JSONValue]? =
            switch change {
            case "size": [line(receipt, size: receipt.size + 1)]
            case "digest": [line(receipt, digest: SHA256.digest(of: []))]
            case "no line": [["pid": 7]]
            case "two lines": [honest, honest]
            case "a stream that is not there": [honest, line(receipt, name: "data/memory/8-1.core.zst")]
            case "no index": nil
            default: [honest, ["pid": 8, "stream": "secrets/memory/8-1.core.zst"]]
            }
        try finish(bundle, lines: lines)
        return receipt
    }

    private func fill(_ bundle: BundleWriter) throws -> VolumeReceipt {
        let stream = try bundle.volumes(try PayloadName(Self.stream))
        for _ in 0..<3 { try stream.append(Samples.noise) }
        return try stream.close()
    }

    private func line(
        _ receipt: VolumeReceipt,
        name: String = stream,
        size: UInt64? = nil,
        digest: Digest? = nil
    ) -> JSONValue {
        [
            "stream": .string(name), "size": .integer(Int64(size ?? receipt.size)),
            "sha256": .string((digest ?? receipt.digest).hex),
        ]
    }

    private func finish(_ bundle: BundleWriter, lines: [JSONValue]?) throws {
        if let lines {
            let index = try bundle.stream(try PayloadName("data/memory.jsonl"))
            for line in lines { try index.appendLine(line) }
            try index.close()
        }
        try bundle.write(PayloadName("data/collection.jsonl"), Array(Samples.collection.utf8))
        try bundle.write(PayloadName("data/journal.jsonl"), Array(Samples.journal.utf8))
        _ = try bundle.seal(Samples.statement(), with: nil)
    }
}
