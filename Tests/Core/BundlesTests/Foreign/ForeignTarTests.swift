import Base
import Sealing
import Testing

@testable import Bundles

/// Tar files of stock writers, in every coding that collectors use, and what is wrong with them.
@Suite("Foreign tar files")
struct ForeignTarTests {
    let bench: Workbench

    init() throws {
        bench = try Workbench()
        try bench.shell(
            """
            mkdir -p in/deep; echo hello > in/a.txt; head -c 300000 /dev/zero > in/zeros; ln in/a.txt in/same
            ln -s /etc/shadow in/link; mkfifo in/pipe; printf x > "in/deep/$(printf 'n\\nl')"
            printf y > in/deep/$(printf 'n%.0s' $(seq 200)); mkdir -p in/$(printf 'd%.0s' $(seq 120))/$(printf 'e%.0s' $(seq 120))
            truncate -s 4M in/sparse; printf data | dd of=in/sparse bs=1 seek=2000000 conv=notrunc status=none
            touch -d @1700000000.25 in/a.txt; chmod 4750 in/zeros
            """
        )
    }

    @Test(
        "each form that stock tar writes is listed as stock tar lists it",
        arguments: ["gnu", "pax", "oldgnu"]
    )
    func forms(format: String) throws {
        try bench.shell("tar --sort=name --format=\(format) -cf x.tar in; tar -tf x.tar --quoting-style=escape > names")
        let looked = try Looked(at: bench("x.tar"))
        #expect(looked.reading.form == .tar)
        #expect(looked.reading.notUnderstood == nil)
        #expect(looked.reading.remarks.isEmpty)
        let told = String(decoding: try Disk.read(bench("names")), as: UTF8.self).split(separator: "\n").map(
            String.init
        )
        #expect(looked.listing.names == told)
        let file = try #require(looked.listing["in/a.txt"])
        #expect(file.digest == SHA256.digest(of: Array("hello\n".utf8)))
        #expect(file.modified?.seconds == 1_700_000_000)
        #expect(looked.listing["in/zeros"]?.mode == 0o4750)
        #expect(looked.listing["in/link"]?.target == BytePath("/etc/shadow"))
        #expect(looked.listing["in/link"]?.digest == nil)
        let kinds = Set(looked.listing.members.map(\.kind))
        #expect(kinds == [.file, .directory, .symlink, .hardLink, .fifo])
        if format == "pax" { #expect(file.modified?.nanoseconds == 250_000_000) }
    }

    @Test(
        "gzip and zstd of a tar file give the same members as the tar file, also in several frames",
        arguments: [
            ("gzip -c x.tar > y", ForeignReading.Form.tarGzip), ("zstd -q -c x.tar > y", .tarZstd),
            ("(head -c 70000 x.tar | gzip; tail -c +70001 x.tar | gzip) > y", .tarGzip),
            ("(head -c 70000 x.tar | zstd -q; tail -c +70001 x.tar | zstd -q) > y", .tarZstd),
            ("tar -czf y in", .tarGzip),
        ]
    )
    func codings(command: String, form: ForeignReading.Form) throws {
        try bench.shell("tar -cf x.tar in; \(command)")
        let plain = try Looked(at: bench("x.tar"))
        let coded = try Looked(at: bench("y"))
        #expect(coded.reading.form == form)
        #expect(coded.reading.notUnderstood == nil && coded.reading.remarks.isEmpty)
        #expect(coded.listing.members == plain.listing.members)
    }

    @Test(
        "a sparse member is listed with its size and without a digest, and what follows it is read",
        arguments: ["gnu", "pax"]
    )
    func sparse(format: String) throws {
        try bench.shell("tar --format=\(format) -S -cf x.tar in/sparse in/a.txt")
        let looked = try Looked(at: bench("x.tar"))
        #expect(looked.reading.notUnderstood == nil)
        let member = try #require(looked.listing["in/sparse"])
        #expect(member.size == 4 << 20)
        #expect(member.digest == nil)
        #expect(member.remarks.contains { $0.contains("sparse") })
        #expect(looked.listing["in/a.txt"]?.digest != nil)
    }

    @Test("names that lead out, stand twice or begin at the root are told, and nothing is made of them")
    func names() throws {
        try bench.python(
            """
            import tarfile, io
            t = tarfile.open("x.tar", "w")
            for name in ["../out", "/abs", "a", "a", "b/../../c"]:
                i = tarfile.TarInfo(name); i.size = 1; t.addfile(i, io.BytesIO(b"z"))
            t.close()
            """
        )
        let looked = try Looked(at: bench("x.tar"))
        #expect(looked.listing["../out"]?.remarks == ["its path leads out of the archive"])
        #expect(looked.listing["/abs"]?.remarks == ["its path begins at the root"])
        #expect(looked.listing["b/../../c"]?.remarks == ["its path leads out of the archive"])
        #expect(
            looked.listing.members.filter { $0.path == BytePath("a") }.map(\.remarks) == [
                [], ["an earlier member has this name"],
            ]
        )
        #expect(Workbench.names(in: bench.path) == [BytePath("in"), BytePath("x.tar")])
    }

    @Test(
        "what is no archive, is cut off or goes on behind its end is told in words",
        arguments: [
            (": > y", "no tar"), ("head -c 4000 /dev/urandom > y", "no tar"),
            ("gzip -c in/a.txt > y", "no tar file does"),
            ("tar -cf - in | head -c 3000 > y", "ends within"), ("tar -cf - in | head -c 1100 > y", "ends within"),
            ("tar -czf - in | head -c 500 > y", "ends in the middle"),
            ("tar -c in | zstd -q | head -c 400 > y", "ends in the middle"),
            ("(printf ADFIRENC; head -c 600 /dev/zero) > y", "encrypted package"),
            ("(tar -c in/a.txt; echo more) > y", "behind the end of the tar"),
            ("(tar -cz in/a.txt; echo more) > y", "behind the end of the gzip"),
        ]
    )
    func damaged(command: String, word: String) throws {
        try bench.shell(command)
        let looked = try Looked(at: bench("y"))
        let told = ([looked.reading.notUnderstood].compactMap { $0 }) + looked.reading.remarks
        #expect(told.contains { $0.contains(word) }, "\(told)")
    }

    @Test("an archive that expands without end is listed up to the limit, and no further")
    func bomb() throws {
        try bench.shell("head -c 8000000 /dev/zero > in/many; tar -czf y in/a.txt in/many")
        var limits = ForeignLimits()
        limits.expandedBase = 1 << 20
        limits.expandedFactor = 2
        let looked = try Looked(try Disk.read(bench("y")), limits)
        #expect(looked.reading.notUnderstood?.contains("expands to more than") == true)
        #expect(looked.listing.names == ["in/a.txt"])
        #expect(looked.reading.expanded < 2 << 20)
        limits = ForeignLimits()
        limits.members = 2
        try bench.shell("tar -cf z in/a.txt in/pipe in/link")
        #expect(try Looked(try Disk.read(bench("z")), limits).reading.notUnderstood == "it has more than 2 members")
    }

    @Test("MD5 and SHA-1 are those of the stock tools, for every length around a block")
    func weakDigests() throws {
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000] {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7) }
            try Disk.write(bytes, to: bench("w"))
            var weak = WeakDigests()
            bytes.withUnsafeBytes { weak.update($0) }
            let found = weak.finish()
            #expect(try bench.shell("md5sum < w; sha1sum < w") == "\(found.md5)  -\n\(found.sha1)  -\n", "\(length)")
        }
    }

    @Test("600 changed tar files, bare, in gzip and in zstd: reading always ends, within its bounds")
    func mutations() throws {
        try bench.shell("tar -cf a in; tar -czf b in; tar -c in | zstd -q > c")
        var generator = Noise(seed: 37)
        var limits = ForeignLimits()
        limits.expandedBase = 4 << 20
        limits.members = 1000
        var told = 0
        for name in ["a", "b", "c"] {
            let honest = try Disk.read(bench(name))
            let before = try Looked(honest, limits).listing.members
            for _ in 0..<200 {
                let looked = try Looked(Noise.change(honest, &generator), limits)
                #expect(looked.listing.members.count <= 1000)
                if looked.reading.notUnderstood != nil || looked.listing.members != before { told += 1 }
                // Of gzip and zstd no changed byte of content goes unseen.
                if name == "b", looked.reading.notUnderstood == nil { #expect(looked.listing.members == before) }
            }
        }
        #expect(told > 150)
    }
}
