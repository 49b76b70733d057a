import Base
import Sealing

@testable import Bundles

extension Mutation {
    /// A change within the archive that everything around it agrees with, signed by the trusted key.
    private static func inside(
        _ description: String,
        at file: String = "data/files/workspace",
        _ change: @escaping @Sendable (inout Forger) throws -> Void
    ) -> Mutation {
        Mutation(description, .archive, file) { forger, key in
            try change(&forger)
            forger.makeBagAgree()
            try forger.seal(with: key)
        }
    }

    private static let volume = "data/files/workspace.pax.zst.000"
    private static let mtree = "data/files/workspace.mtree"

    static let archive: [Mutation] = [
        inside("bytes stand behind the zstd frame") { forger in
            let stream = forger.volumes
            forger.files[forger.lastVolume]? += [0]
            precondition(forger.volumes.count == stream.count + 1)
        },
        inside("a skippable frame stands behind the zstd frame") { forger in
            forger.files[forger.lastVolume]? += [0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]
        },
        inside("a skippable frame stands before the zstd frame") { forger in
            forger.files[volume] = [0x50, 0x2A, 0x4D, 0x18, 4, 0, 0, 0, 1, 2, 3, 4] + (forger.files[volume] ?? [])
        },
        inside("there is a second zstd frame") { forger in
            forger.files[forger.lastVolume]? += try Forger.compress(Array("hidden".utf8))
        },
        inside("the zstd frame is cut") { forger in forger.files[forger.lastVolume]?.removeLast(8) },
        inside("the last volume is missing") { forger in forger.files[forger.lastVolume] = nil },
        inside("a volume in the middle is missing", at: "data/files/workspace.pax.zst.") { forger in
            forger.files["data/files/workspace.pax.zst.001"] = nil
        },
        inside("there is no mtree", at: volume) { forger in forger.files[mtree] = nil },
        inside("a file of no root lies among the archives", at: "data/files/other.bin") { forger in
            forger.files["data/files/other.bin"] = []
        },
        inside("something stands behind the end of the archive") { forger in
            try forger.repack { $0 + Array("hidden".utf8) }
        },
        inside("a second archive stands behind the end of the archive") { forger in try forger.repack { $0 + $0 } },
        inside("the archive is cut within a file") { forger in try forger.repack { Array($0.dropLast(3000)) } },
        inside("the content of a file differs from the mtree", at: "data/files/workspace: ./notes.txt") { forger in
            try forger.repack { $0.replacing("only listed files", with: "also deleted them") }
        },
        inside("the digest in the mtree differs", at: "data/files/workspace: ./notes.txt") { forger in
            let honest = SHA256.digest(of: Array("only listed files\n".utf8)).hex
            forger.replace(honest, with: SHA256.digest(of: []).hex, in: mtree)
        },
        inside("a size in the mtree differs", at: "data/files/workspace: ./notes.txt") { forger in
            forger.replace("size=18 ", with: "size=19 ", in: mtree)
        },
        inside("a name in the mtree differs", at: "data/files/workspace: ./notes.txt") { forger in
            forger.replace("./notes.txt", with: "./notes.txu", in: mtree)
        },
        inside("a mode in the mtree differs", at: "data/files/workspace: ./null") { forger in
            forger.replace("type=char mode=0666", with: "type=char mode=0600", in: mtree)
        },
        inside("a link target in the mtree differs", at: "data/files/workspace: ./link") { forger in
            forger.replace("link=/etc/sha\\012dow", with: "link=/etc/passwd", in: mtree)
        },
        inside("the mtree lacks an entry", at: "data/files/workspace: ./") { forger in
            forger.dropLine("./notes.txt ", in: mtree)
        },
        inside("the mtree has an entry too many", at: "data/files/workspace: ./extra") { forger in
            forger.files[mtree]? += Array("./extra type=fifo mode=0600 uid=0 gid=0 nlink=1 time=0.000000000\n".utf8)
        },
        inside("an entry was made optional", at: "data/files/workspace: ./pipe") { forger in
            let line = forger.line("./pipe ", in: mtree)
            forger.replace(line, with: line + " optional", in: mtree)
        },
        inside("the mtree has a remark of somebody's", at: "data/files/workspace: #") { forger in
            forger.files[mtree]? += Array("# approved by the judge\n".utf8)
        },
        inside("the words before the mtree were changed", at: mtree) { forger in
            forger.replace("# Written by Quell", with: "# Written by Kuell", in: mtree)
        },
        inside("a line that is only listed has a keyword of somebody's", at: "data/files/workspace: ./sock") { forger in
            let line = forger.line("./sock ", in: mtree)
            forger.replace(line, with: line.replacing(" optional", with: " flags=none optional"), in: mtree)
        },
        inside("a line that is only listed has a digest", at: "data/files/workspace: ./elsewhere") { forger in
            let line = forger.line("./elsewhere ", in: mtree)
            let sum = " sha256=\(SHA256.digest(of: []).hex) optional"
            forger.replace(line, with: line.replacing(" optional", with: sum), in: mtree)
        },
        inside("a line that is only listed leads out of the root", at: "data/files/workspace: ./../sock") { forger in
            forger.replace("./sock ", with: "./../sock ", in: mtree)
        },
        inside("a line that is only listed has no directory", at: "data/files/workspace: ./nowhere/sock") { forger in
            forger.replace("./sock ", with: "./nowhere/sock ", in: mtree)
        },
        inside("a line that is only listed stands twice", at: "data/files/workspace: ./sock") { forger in
            let line = forger.line("./sock ", in: mtree)
            forger.replace(line, with: line + "\n" + line, in: mtree)
        },
        inside("an archived path is listed again", at: "data/files/workspace: ./notes.txt") { forger in
            let line = forger.line("./notes.txt ", in: mtree).split(separator: " sha256")[0]
            forger.files[mtree]? += Array("\(line) optional\n".utf8)
        },
        inside("a line that is only listed has no kind", at: "data/files/workspace: ./sock") { forger in
            let line = forger.line("./sock ", in: mtree)
            forger.replace(line, with: "./sock anything optional", in: mtree)
        },
        inside("the archive is no pax archive") { forger in
            try forger.repack { _ in Forger.tar([("notes.txt", Array("x".utf8))], bundle: ".") }
        },
        inside("an entry stands twice", at: "data/files/workspace: ./notes.txt") { forger in
            try forger.repackEntries { $0 + [$0[1]] }
        },
        inside("a directory comes after what lies in it", at: "data/files/workspace: ./sub/f") { forger in
            let entry = Samples.entry(BytePath("sub/f"), .fifo)
            let root = Samples.entry(BytePath("."), .directory)
            try forger.repackEntries { _ in [root, entry, Samples.entry(BytePath("sub"), .directory)] }
        },
    ]

    static let records: [Mutation] = [
        collected("the sum in the collection is wrong", "\"planned\":5", "\"planned\":6", "data/collection.jsonl"),
        collected(
            "an outcome was improved",
            "\"outcome\":\"partial\"",
            "\"outcome\":\"collected\"",
            "data/collection.jsonl"
        ),
        collected(
            "an outcome is unknown",
            "\"outcome\":\"failed\"",
            "\"outcome\":\"fine\"",
            "data/collection.jsonl line 5"
        ),
        collected(
            "an item has a duplicate key",
            "{\"errno\":13,",
            "{\"errno\":13,\"errno\":0,",
            "data/collection.jsonl line 5"
        ),
        collected(
            "an item stands behind the sum",
            "\"skipped\":1}\n",
            "\"skipped\":1}\n{\"outcome\":\"collected\"}\n",
            "data/collection.jsonl line 7"
        ),
        collected(
            "the collection has no sum",
            "{\"collected\":2,\"failed\":1,\"item\":\"sum\",\"partial\":1,\"planned\":5,\"skipped\":1}\n",
            "",
            "data/collection.jsonl"
        ),
        Mutation("there is no collection", .collection, "data/collection.jsonl") { forger, key in
            forger.files["data/collection.jsonl"] = nil
            forger.makeBagAgree()
            try forger.seal(with: key)
        },
        Mutation("there is no journal", .journal, "data/journal.jsonl") { forger, key in
            forger.files["data/journal.jsonl"] = nil
            forger.makeBagAgree()
            try forger.seal(with: key)
        },
    ]

    private static func collected(_ description: String, _ old: String, _ new: String, _ file: String) -> Mutation {
        Mutation(description, .collection, file) { forger, key in
            forger.replace(old, with: new, in: "data/collection.jsonl")
            forger.makeBagAgree()
            try forger.seal(with: key)
        }
    }
}

extension Forger {
    fileprivate var lastVolume: String {
        files.keys.filter { $0.contains(".pax.zst.") }.max() ?? ""
    }

    fileprivate func line(_ start: String, in file: String) -> String {
        let lines = String(decoding: files[file] ?? [], as: UTF8.self).split(separator: "\n").map(String.init)
        return lines.first { $0.hasPrefix(start) } ?? ""
    }

    fileprivate mutating func dropLine(_ start: String, in file: String) {
        let line = line(start, in: file)
        precondition(!line.isEmpty)
        replace(line + "\n", with: "", in: file)
    }

    /// Writes the archive anew from entries without content; files become their header's size of zeros.
    mutating func repackEntries(_ edit: ([ArchiveEntry]) -> [ArchiveEntry]) throws {
        var bytes: [UInt8] = []
        let notes = Samples.plain[0]
        let honest = [
            Samples.entry(BytePath("."), .directory, mode: 0o755),
            Samples.entry(notes.path, .file(size: UInt64(notes.content.count), segments: nil)),
        ]
        let writer = try PaxWriter { bytes += $0 }
        var list = Array(MtreeLine.header.utf8)
        for entry in edit(honest) {
            _ = try writer.begin(entry, segments: nil)
            var digest: Digest?
            if case .file = entry.kind {
                try notes.content.withUnsafeBytes { try writer.append($0) }
                digest = SHA256.digest(of: notes.content)
            }
            try writer.end()
            list += MtreeLine.bytes(of: entry, digest: digest)
        }
        try writer.close()
        for name in files.keys where name.contains(".pax.zst.") { files[name] = nil }
        files["data/files/workspace.pax.zst.000"] = try Forger.compress(bytes)
        files["data/files/workspace.mtree"] = list
    }
}
