import Base
import Sealing
import Testing

@testable import Bundles

/// Zip files of stock writers, and those that show one reader this and another one that.
@Suite("Foreign zip files")
struct ForeignZipTests {
    let bench: Workbench

    init() throws { bench = try Workbench() }

    private static let small = """
        import zipfile, sys, struct
        def make(name="x.zip"):
            z = zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED)
            z.writestr("uploads/auto/etc/passwd", b"root:x:0:0\\n" * 100)
            z.writestr("results/All.json", b"{}\\n")
            z.writestr("dir/", b"")
            z.close()
            return bytearray(open(name, "rb").read())
        def put(b, name="y.zip"): open(name, "wb").write(b)
        b = make()
        local = b.find(b"PK\\3\\4"); central = b.find(b"PK\\1\\2"); end = b.rfind(b"PK\\5\\6")

        """

    @Test(
        "zip files of stock writers are listed with the digests of what was packed",
        arguments: [
            "zip -qr x.zip in", "zip -q0r x.zip in", "cd in && zip -qr - . > ../x.zip && cd .. && zip -q x.zip in/a",
            "zip -qry x.zip in", "python3 -m zipfile -c x.zip in", "bsdtar --format=zip -cf x.zip in",
        ]
    )
    func stock(command: String) throws {
        try bench.shell(
            "mkdir -p in/sub; echo hello > in/a; head -c 200000 /dev/urandom > in/sub/noise; ln -s a in/link; \(command)"
        )
        let looked = try Looked(at: bench("x.zip"))
        #expect(looked.reading.form == .zip)
        #expect(looked.reading.notUnderstood == nil)
        #expect(looked.allRemarks.isEmpty, "\(looked.allRemarks)")
        let member = try #require(looked.listing["in/a"])
        #expect(member.digest == SHA256.digest(of: Array("hello\n".utf8)))
        let noise = looked.listing.members.first { "\($0.path)".hasSuffix("sub/noise") }
        #expect(noise?.digest == SHA256.digest(of: try Disk.read(bench("in/sub/noise"))))
        if command.hasPrefix("zip -qry") {
            #expect(looked.listing["in/link"]?.kind == .symlink)
            #expect(looked.listing["in/link"]?.target == BytePath("a"))
        }
    }

    @Test(
        "zip64 is read, whether the file needs it or its writer did not know: through a pipe, forced, with 70,000 members"
    )
    func wide() throws {
        try bench.python(
            """
            import zipfile, io, sys
            class Pipe(io.RawIOBase):
                def __init__(self, f): self.f = f
                def writable(self): return True
                def write(self, b): return self.f.write(b)
            with open("pipe.zip", "wb") as f:
                z = zipfile.ZipFile(Pipe(f), "w", zipfile.ZIP_DEFLATED)
                with z.open("big", "w", force_zip64=True) as m: m.write(b"hello\\n")
                z.close()
            z = zipfile.ZipFile("forced.zip", "w")
            with z.open("big", "w", force_zip64=True) as m: m.write(b"hello\\n")
            z.close()
            z = zipfile.ZipFile("many.zip", "w")
            for n in range(70000): z.writestr("f%d" % n, b"")
            z.close()
            """
        )
        for name in ["pipe.zip", "forced.zip"] {
            let looked = try Looked(at: bench(name))
            #expect(looked.reading.notUnderstood == nil && looked.allRemarks.isEmpty, "\(looked.allRemarks)")
            #expect(looked.listing["big"]?.digest == SHA256.digest(of: Array("hello\n".utf8)))
        }
        let many = try Looked(at: bench("many.zip"))
        #expect(many.reading.notUnderstood == nil)
        #expect(many.reading.members == 70_000)
    }

    @Test(
        "where the directory and a local header say different things, it is told that readers may disagree",
        arguments: [
            ("b[local + 30] = ord('X'); put(b)", "another name"),
            ("b[local + 8] = 0; put(b)", "another method"),
            ("b[local + 22] ^= 1; put(b)", "another size or checksum"),
            ("b[local + 14] ^= 1; put(b)", "another size or checksum"),
            ("b[b.find(b'PK\\3\\4', local + 4)] = 0; put(b)", "no local header"),
            ("b[local] = 0; put(b)", "begins as no tar and no zip"),
            ("b[central + 42:central + 46] = struct.pack('<I', 0x7fffffff); put(b)", "outside the zip file"),
            (
                "b[central + 20:central + 24] = struct.pack('<I', 0x7fffffff); put(b)",
                "reaches into the central directory"
            ),
            ("b[central + 24] ^= 1; b[local + 22] ^= 1; put(b)", "not to what it says"),
            ("b[local + 30 + 23 + 5] ^= 0x55; put(b)", ""),
            ("b[end + 8] = 9; b[end + 10] = 9; put(b)", "says 9 members, its directory has 3"),
            ("put(b[:-1] + b'x' + b[-1:])", ""),
            ("put(bytes(50) + b)", ""), ("put(b[:end])", "no end of a central directory"),
            ("b[end + 16:end + 20] = struct.pack('<I', 0x7fffffff); put(b)", "beyond the end"),
            ("b[end + 4] = 1; put(b)", "one of several parts"),
        ]
    )
    func disagreements(change: String, word: String) throws {
        try bench.python(Self.small + change)
        let looked = try Looked(at: bench("y.zip"))
        let told = looked.allRemarks + [looked.reading.notUnderstood].compactMap { $0 }
        #expect(!told.isEmpty)
        #expect(told.contains { word.isEmpty || $0.contains(word) }, "\(told)")
    }

    @Test("a member that only local headers know, and bytes before the archive, are told")
    func hidden() throws {
        try bench.python(
            Self.small + """
                hidden = make("h.zip")
                inner = hidden[hidden.find(b"PK\\3\\4"):hidden.find(b"PK\\1\\2")]
                put(b[:central] + inner + b[central:end] + b[end:end + 16] + struct.pack("<I", central + len(inner)) + b[end + 20:])
                """
        )
        let looked = try Looked(at: bench("y.zip"))
        #expect(looked.reading.members == 3)
        #expect(looked.reading.remarks.contains { $0.contains("belong to none") }, "\(looked.reading)")
        try bench.python(Self.small + "put(b'PK\\3\\4' + bytes(96) + b)")
        let shifted = try Looked(at: bench("y.zip"))
        #expect(shifted.reading.remarks.contains { $0.hasPrefix("100 bytes stand before") }, "\(shifted.reading)")
        #expect(shifted.listing["results/All.json"]?.digest != nil)
    }

    @Test("members that share their bytes are listed and not read: that is how a small file becomes petabytes")
    func shared() throws {
        try bench.python(
            """
            import zipfile, struct
            z = zipfile.ZipFile("x.zip", "w", zipfile.ZIP_DEFLATED)
            z.writestr("a", b"0" * 100000); z.close()
            b = open("x.zip", "rb").read(); c = b.find(b"PK\\1\\2"); e = b.rfind(b"PK\\5\\6")
            d = b[c:e] * 1000
            open("y.zip", "wb").write(b[:c] + d + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1000, 1000, len(d), c, 0))
            """
        )
        let looked = try Looked(at: bench("y.zip"))
        #expect(looked.reading.members == 1000)
        #expect(looked.reading.expanded == 0)
        #expect(looked.listing.members.allSatisfy { $0.digest == nil })
        #expect(looked.listing.remarks.contains("its bytes are another member's, too: not read"))
    }

    @Test("what expands beyond the limit ends the listing there; a directory beyond it is not read")
    func bomb() throws {
        try bench.python(
            """
            import zipfile
            z = zipfile.ZipFile("x.zip", "w", zipfile.ZIP_DEFLATED)
            z.writestr("small", b"x"); z.writestr("bomb", b"0" * 30000000); z.writestr("behind", b"x"); z.close()
            """
        )
        var limits = ForeignLimits()
        limits.expandedBase = 1 << 20
        limits.expandedFactor = 10
        let looked = try Looked(try Disk.read(bench("x.zip")), limits)
        #expect(looked.reading.notUnderstood?.contains("expands to more than") == true)
        #expect(looked.listing.names == ["small"])
        limits.zipDirectory = 20
        #expect(
            try Looked(try Disk.read(bench("x.zip")), limits).reading.notUnderstood?.contains("central directory has")
                == true
        )
    }

    @Test(
        "names that lead out, stand twice or have a backslash are told; encrypted members and other methods are not read"
    )
    func odd() throws {
        try bench.python(
            """
            import zipfile, warnings
            warnings.simplefilter("ignore")
            z = zipfile.ZipFile("x.zip", "w")
            for n in ["../out", "/abs", "a", "a", "c\\\\d"]: z.writestr(n, b"z")
            z.writestr("packed", b"z" * 1000, zipfile.ZIP_BZIP2); z.close()
            """
        )
        let looked = try Looked(at: bench("x.zip"))
        #expect(looked.listing["../out"]?.remarks == ["its path leads out of the archive"])
        #expect(looked.listing["/abs"]?.remarks == ["its path begins at the root"])
        #expect(looked.listing.remarks.contains("an earlier member has this name"))
        #expect(looked.listing.remarks.contains { $0.contains("backslash") })
        #expect(looked.listing["packed"]?.remarks == ["it is packed by method 12, which is not read"])
        #expect(looked.listing["packed"]?.digest == nil)
        try bench.shell("echo secret > s; zip -q -P word y.zip s")
        let closed = try Looked(at: bench("y.zip"))
        #expect(closed.listing["s"]?.remarks == ["it is encrypted: not read"])
    }

    @Test("900 changed zip files: reading always ends, and no changed byte of content goes unseen")
    func mutations() throws {
        try bench.python(Self.small)
        try bench.shell("mkdir in; echo hello > in/a; head -c 3000 /dev/urandom > in/b; zip -qr - in > p.zip")
        var generator = Noise(seed: 73)
        var limits = ForeignLimits()
        limits.expandedBase = 4 << 20
        for name in ["x.zip", "p.zip"] {
            let honest = try Disk.read(bench(name))
            let before = try Looked(honest, limits)
            for _ in 0..<450 {
                let looked = try Looked(Noise.change(honest, &generator), limits)
                for member in looked.listing.members where member.digest != nil && member.remarks.isEmpty {
                    let same = before.listing.members.contains { $0.digest == member.digest }
                    #expect(same || !looked.allRemarks.isEmpty, "\(member)")
                }
            }
        }
    }
}
