import Base

@testable import Bundles
@testable import Casework
@testable import Credentials
@testable import Kernel
@testable import Playbooks
@testable import Response
@testable import Sealing
@testable import Sessions

/// One parser of foreign input. It takes any bytes; what it must never do is crash, hang, or take what it does not write.
struct FuzzTarget: Sendable {
    let name: String
    let run: @Sendable ([UInt8]) -> Void

    static let all: [FuzzTarget] = evidence + frames + signatures + session + host
}

// MARK: - What a bundle is made of

extension FuzzTarget {
    static let evidence = [
        FuzzTarget(name: "json") { bytes in
            guard let value = parsed({ () throws(Failure) in try JSONReader.read(bytes) }) else { return }
            let written = CanonicalJSON.bytes(of: value)
            let again = parsed { () throws(Failure) in try JSONReader.read(written) }
            // 2.5e3 is written as 2500 and read as an integer: it is the text that must be the same.
            precondition(again.map { CanonicalJSON.bytes(of: $0) } == written, "the canonical form is its own")
        },
        FuzzTarget(name: "manifest") { bytes in
            if case .success(let manifest) = Manifest.read(bytes) { precondition(manifest.bytes == bytes) }
        },
        FuzzTarget(name: "mtree") { bytes in
            _ = MtreeLine.path(of: bytes)
            _ = MtreeLine.isOptional(bytes)
            _ = MtreeLine.links(of: bytes)
            if let listing = MtreeListing(bytes) { precondition(listing.parent.count < listing.path.count) }
        },
        FuzzTarget(name: "secrets") { bytes in
            guard let value = parsed({ () throws(Failure) in try JSONReader.read(bytes) }),
                let volume = SecretVolume(value)
            else { return }
            precondition(SecretVolume(volume.json) == volume, "what is written is read again")
        },
        FuzzTarget(name: "cms") { bytes in _ = PassphraseCost.problem(of: bytes) },
        FuzzTarget(name: "pax") { bytes in pax(bytes) },
        FuzzTarget(name: "foreign-archive") { bytes in archive(bytes) },
        FuzzTarget(name: "tar-framing") { bytes in framing(bytes) },
        FuzzTarget(name: "statement") { bytes in
            guard let statement = parsed({ () throws(Failure) in try InTotoStatement(parsing: bytes) }) else { return }
            let written = parsed { () throws(Failure) in try statement.bytes() }
            precondition(written == bytes, "only the canonical form is taken")
        },
        FuzzTarget(name: "entry") { bytes in
            _ = parsed { () throws(Failure) in try Entry(parsing: bytes) }
        },
    ]

    /// zip, tar, and tar in gzip or zstd, told apart by the bytes themselves; the list stays within its bounds.
    private static func archive(_ bytes: [UInt8]) {
        var limits = ForeignLimits()
        limits.members = 1000
        limits.expandedBase = 8 << 20
        limits.expandedFactor = 1
        let counter = MemberCounter()
        let reading = parsed { () throws(Failure) in
            try ForeignArchive(ForeignFile(bytes: bytes), limits: limits).walk(counter)
        }
        precondition(counter.members <= limits.members, "no more members than the limit")
        precondition(reading != nil, "bytes in memory can always be read")
        if let reading { precondition(reading.expanded <= limits.expanded(of: UInt64(bytes.count)) + (1 << 20)) }
    }

    /// In one piece and in pieces of 7 bytes it must come to the same.
    private static func framing(_ bytes: [UInt8]) {
        var whole = TarFraming()
        let once = bytes.withUnsafeBytes { whole.take($0) }?.expected
        var pieces = TarFraming()
        var again: String?
        for start in stride(from: 0, to: bytes.count, by: 7) where again == nil {
            again = Array(bytes[start..<min(start + 7, bytes.count)]).withUnsafeBytes { pieces.take($0) }?.expected
        }
        precondition(once == again, "pieces are judged as the whole is")
        if once == nil { precondition((whole.finish() == nil) == (pieces.finish() == nil)) }
    }

    private static func pax(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { whole in
            var rest: UnsafeRawBufferPointer? = whole
            do throws(Problem) {
                let reader = try PaxReader(name: "fuzz") {
                    defer { rest = nil }
                    return rest ?? UnsafeRawBufferPointer(start: nil, count: 0)
                }
                while try reader.next() != nil {
                    var taken = 0
                    while let data = try reader.nextData() {
                        taken += data.bytes.count
                        precondition(taken <= whole.count, "more data than there is input")
                    }
                }
            } catch {}
        }
    }

    /// What `body` gives; a refusal is as good.
    static func parsed<Value>(_ body: () throws(Failure) -> Value) -> Value? {
        do throws(Failure) { return try body() } catch { return nil }
    }
}

private final class MemberCounter: ForeignVisitor {
    private(set) var members = 0

    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) {}
    func end(_ member: ForeignMember) throws(Failure) { members += 1 }
}

// MARK: - Who stands behind it

extension FuzzTarget {
    static let signatures = [
        FuzzTarget(name: "dsse") { bytes in
            guard let envelope = parsed({ () throws(Failure) in try DSSE.Envelope(parsing: bytes) }) else { return }
            precondition(envelope.bytes == bytes, "only the canonical form is taken")
        },
        FuzzTarget(name: "checkpoint") { bytes in
            _ = parsed { () throws(Failure) in try SignedNote(parsing: String(decoding: bytes, as: UTF8.self)) }
        },
        FuzzTarget(name: "sshsig") { bytes in
            guard let signature = parsed({ () throws(Failure) in try SSHSignature(parsing: bytes) }) else { return }
            _ = parsed { () throws(Failure) in try signature.verify(bytes, as: .seal) }
        },
        FuzzTarget(name: "ssh-key") { bytes in
            _ = parsed { () throws(Failure) in try SSHPublicKey(blob: bytes) }
            _ = parsed { () throws(Failure) in try SSHPublicKey(line: String(decoding: bytes, as: UTF8.self)) }
        },
        FuzzTarget(name: "ssh-agent") { bytes in
            _ = parsed { () throws(Failure) in try SSHAgentAnswer.identities(bytes) }
            _ = parsed { () throws(Failure) in try SSHAgentAnswer.signature(bytes) }
        },
        FuzzTarget(name: "timestamp") { bytes in
            _ = parsed { () throws(Failure) in try TimestampToken(parsing: bytes) }
            _ = parsed { () throws(Failure) in try TimestampQuery(parsing: bytes) }
        },
        FuzzTarget(name: "countersignature") { bytes in
            guard let said = parsed({ () throws(Failure) in try CountersignatureStatement(parsing: bytes) }) else {
                return
            }
            precondition(parsed { () throws(Failure) in try said.bytes() } == bytes, "only the canonical form is taken")
        },
        FuzzTarget(name: "custody") { bytes in
            guard let record = parsed({ () throws(Failure) in try CustodyRecord(parsing: bytes) }) else { return }
            precondition(record.bytes == bytes, "only the canonical form is taken")
        },
        FuzzTarget(name: "trust") { bytes in
            _ = parsed { () throws(Failure) in try TrustDocument.parse(bytes, named: BytePath("trust.yaml")) }
        },
    ]
}

// MARK: - What the host and its servers say

extension FuzzTarget {
    static let host = [
        FuzzTarget(name: "sftp") { bytes in _ = SFTPReply(bytes) },
        FuzzTarget(name: "mountinfo") { bytes in _ = MountTable(parsing: bytes) },
        FuzzTarget(name: "stat") { bytes in _ = ProcessStat(parsing: bytes) },
        FuzzTarget(name: "status") { bytes in _ = ProcessStatus(parsing: bytes) },
        FuzzTarget(name: "cgroup") { bytes in _ = CgroupLine.parse(bytes) },
        FuzzTarget(name: "locks") { bytes in _ = FileLock.parse(bytes) },
        FuzzTarget(name: "locator") { bytes in
            _ = parsed { () throws(Failure) in try Locator(parsing: BytePath(bytes)) }
        },
        FuzzTarget(name: "gvisor") { bytes in
            _ = parsed { () throws(Failure) in
                try GVisorState.parse(bytes, at: BytePath("/run/x.json"), in: BytePath("/run"))
            }
        },
        FuzzTarget(name: "resp") { bytes in
            _ = parsed { () throws(Failure) in try RESPParser.parse(bytes) }
        },
        FuzzTarget(name: "inventory") { bytes in
            _ = parsed { () throws(Failure) in try Inventory.parse(bytes, named: BytePath("agents.yaml")) }
        },
        FuzzTarget(name: "playbook") { bytes in
            _ = parsed { () throws(Failure) in try PlaybookDocument.parse(bytes, named: BytePath("playbook.yaml")) }
        },
    ]
}
