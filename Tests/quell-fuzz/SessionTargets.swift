import Base
import Glibc

@testable import Bundles
@testable import Evidence
@testable import Kernel
@testable import Logs
@testable import Response
@testable import Sessions

// MARK: - What the kernel tells of a session, in words that the session chose

extension FuzzTarget {
    static let session = [
        FuzzTarget(name: "maps") { bytes in maps(bytes) },
        FuzzTarget(name: "process-texts") { bytes in
            _ = StatusFacts(parsing: bytes)
            _ = ResourceLimits(parsing: bytes)
            _ = DescriptorInformation(parsing: bytes)
            _ = ThreadDepths.Scheduling(parsing: bytes)
            _ = ResidentSize(parsing: bytes)
            _ = ProcessTexts.strings(bytes)
        },
        FuzzTarget(name: "parked-tables") { bytes in
            let table = SystemVTable(parsing: bytes)
            for row in table.rows { _ = row.line }
            precondition(table.leftOut >= 0, "no more rows than lines")
            _ = QueueStatus(parsing: bytes)
            _ = KeyCount.parse(bytes)
            for line in bytes.split(separator: UInt8(ascii: "\n")) { _ = KeyLine(parsing: line) }
        },
        FuzzTarget(name: "netlink") { bytes in
            for message in NetlinkMessage.all(in: bytes[...]) {
                for table in NetworkTable.allCases { _ = table.line(of: message) }
                for family in SocketFamily.allCases { _ = family.socket(message) }
            }
            for answer in SockDiagMessage.answers(in: bytes[...], sequence: 1).answers {
                guard case .socket(let payload) = answer else { continue }
                _ = SockDiagMessage.inetSocket(payload, .tcp)
                _ = SockDiagMessage.unixSocket(payload)
            }
            _ = parsed { () throws(Failure) in try RouteMessage.links(in: bytes[...]) }
        },
        FuzzTarget(name: "secret-texts") { bytes in
            var text = SecretText(SecretDigest())
            _ = text.redact([BytePath(bytes)])
            if let value = parsed({ () throws(Failure) in try JSONReader.read(bytes, manner: .lenient) }) {
                _ = text.redact(value)
            }
            _ = ToldVariable(BytePath(bytes), number: 0, SecretDigest())
        },
        FuzzTarget(name: "container-state") { bytes in
            let path = BytePath("/run/x")
            _ = parsed { () throws(Failure) in try ContainerState.runc(bytes, "x", of: path) }
            _ = parsed { () throws(Failure) in try ContainerState.crun(bytes, of: path) }
            _ = PodmanEndings.ending(of: "x", in: bytes)
        },
        FuzzTarget(name: "transcript") { bytes in records(bytes, as: .claudeCode) },
        FuzzTarget(name: "plain-log") { bytes in records(bytes, as: .plain(latest: nil)) },
    ]

    /// In one piece and in pieces of 7 bytes it must come to the same.
    private static func maps(_ bytes: [UInt8]) {
        var whole = SmapsReader()
        bytes.withUnsafeBytes { whole.feed($0) }
        var pieces = SmapsReader()
        for start in stride(from: 0, to: bytes.count, by: 7) {
            Array(bytes[start..<min(start + 7, bytes.count)]).withUnsafeBytes { pieces.feed($0) }
        }
        precondition(whole.maps == pieces.maps && whole.leftOut == pieces.leftOut, "pieces are read as the whole is")
        for map in whole.maps { precondition(map.start < map.end && map.start % 4096 == 0, "whole pages") }
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if let map = MapLine(parsing: line) { precondition(map.length > 0, "a mapping is not empty") }
        }
    }

    /// Records and the blank bytes between them tile the file.
    private static func records(_ bytes: [UInt8], as format: RecordFormat) {
        withFile(bytes) { descriptor in
            var limits = RecordReader.Limits()
            limits.lineBytes = 4096
            limits.records = 100
            let summary = parsed { () throws(Failure) in
                try RecordReader.read(descriptor, as: format, limits: limits) { _ in }
            }
            precondition(summary != nil, "what is wrong with the content never fails a reading")
            guard let summary else { return }
            precondition(summary.recordBytes + summary.blankBytes == bytes.count, "the file is tiled")
        }
    }

    /// A file of these bytes that has no name.
    static func withFile(_ bytes: [UInt8], _ body: (Int32) -> Void) {
        guard let file = tmpfile() else { fatalError("no temporary file") }
        defer { fclose(file) }
        let descriptor = fileno(file)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { fatalError("no room for it") }
        body(descriptor)
    }
}

// MARK: - What else stands in and around a bundle

extension FuzzTarget {
    static let frames = [
        FuzzTarget(name: "packing") { bytes in
            withFile(bytes) { descriptor in
                let file = PackedFile(BytePath("fuzz"), OwnedDescriptor(dup(descriptor)))
                do throws(Problem) {
                    let packing = try Packing(file, size: UInt64(bytes.count))
                    precondition(packing.members.allSatisfy { $0.offset + $0.size <= bytes.count }, "within the file")
                } catch {}
            }
        },
        FuzzTarget(name: "zstd-frame") { bytes in
            var given = false
            do throws(Problem) {
                let frame = try ZstdDecompressor(name: "fuzz", most: 1 << 20) { buffer in
                    defer { given = true }
                    if given { return 0 }
                    let count = min(buffer.count, bytes.count)
                    bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                    return count
                }
                var taken = 0
                while true {
                    let more = try frame.next()
                    if more.isEmpty { break }
                    taken += more.count
                    precondition(taken <= 1 << 20, "no more than the bound")
                }
            } catch {}
        },
        FuzzTarget(name: "encrypted-index") { bytes in
            guard let index = parsed({ () throws(Failure) in try EncryptedIndex(parsing: bytes) }) else { return }
            precondition(index.bytes == bytes, "only the canonical form is taken")
        },
        FuzzTarget(name: "collector-texts") { bytes in
            for line in bytes.split(separator: UInt8(ascii: "\n")) {
                guard let (hex, _) = CollectorSums.line(line) else { continue }
                precondition([32, 40, 64].contains(hex.utf8.count), "a sum that is known")
            }
            let digest = Digest(hex: String(repeating: "0", count: 64))
            if let digest { _ = LogComparison(bytes, sha256: digest, md5: "x", sha1: "y") }
            _ = ForeignClaims.time(String(decoding: bytes, as: UTF8.self))
        },
        FuzzTarget(name: "bundle-lines") { bytes in
            if let words = MtreeWords(bytes) { _ = (words.path, words.word("type"), words.isOptional) }
            guard let value = parsed({ () throws(Failure) in try JSONReader.read(bytes) }) else { return }
            _ = SeenProcess(value)
        },
    ]
}
