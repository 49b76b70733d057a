import Base
import Bundles
import Glibc
import Programs
import Sealing
import Testing

extension SystemTests {
    /// Bundles in the hands of people who have no Quell: only the programs of a stock Debian.
    @Suite(
        "bundles",
        .kernel(
            .root,
            .program("mtree"),
            .program("zstd"),
            .program("bsdtar"),
            .program("openssl"),
            .program("python3")
        )
    )
    struct BundlesSystemTests {
        @Test(
            "the commands of VERIFY.txt succeed on a sealed directory and on a packed bundle unpacked by tar",
            .sandbox
        )
        func stockCommands() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            let direct = try made.runVerifyText(in: made.directory, work: "work-1")
            #expect(direct.status == 0, "\(direct.text) \(direct.errorText)")
            #expect(direct.text.contains("Signature Verified Successfully"))

            let packed = try made.pack()
            let unpacked = "\(made.folder)/unpacked"
            #expect(mkdir(unpacked, 0o700) == 0)
            #expect(try made.sh("tar -xf \(packed) -C \(unpacked)").status == 0)
            let again = try made.runVerifyText(in: "\(unpacked)/stock-1", work: "work-2")
            #expect(again.status == 0, "\(again.text) \(again.errorText)")
        }

        @Test(
            "the commands of VERIFY.txt fail on a changed, a missing and an added file",
            .sandbox,
            arguments: [
                "printf x >> data/session.json", "rm data/session.json", "touch data/extra", "rm SUMMARY.txt",
                "sed -i s/stock-1/stock-2/ SUMMARY.txt", "ln -s /etc/passwd data/link",
                "sed -i s/sig/gis/ seal.dsse.json",
                "sed -i 's/^{/{\"payload\":\"\",/' seal.dsse.json",
            ]
        )
        func tampered(command: String) throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            #expect(try made.sh("cd \(made.directory) && \(command)").status == 0)
            #expect(try made.runVerifyText(in: made.directory, work: "work").status != 0)
        }

        @Test(
            "RT19 a forgery sealed with a key of its own fails its own VERIFY.txt against the outside fingerprint",
            .sandbox
        )
        func selfKeyed() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            let stranger = try SigningKey.generate()
            let forged = try MadeBundle(
                in: made.folder,
                called: "forged",
                key: stranger,
                session: "{\"innocent\":true}"
            )
            let own = try forged.runVerifyText(in: forged.directory, work: "work-own")
            #expect(own.status == 0, "with the forger's own fingerprint everything agrees: \(own.errorText)")
            let outside = try forged.runVerifyText(
                in: forged.directory,
                work: "work-outside",
                fingerprint: made.key.verifyingKey.fingerprint
            )
            #expect(outside.status != 0)
            let teamKey = try forged.runVerifyText(in: forged.directory, work: "work-team", publicKey: made.publicKey)
            #expect(teamKey.status != 0)
        }

        @Test("bagit.py finds the bag valid, and invalid after a change", .kernel(.bagit), .sandbox)
        func bagit() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            let validate = Program(Program.ownEnvironment()["QUELL_BAGIT"] ?? "", ["--validate", made.directory])
            let valid = try validate.run()
            #expect(valid.status == 0, "\(valid.errorText)")
            #expect(try made.sh("printf x >> \(made.directory)/data/session.json").status == 0)
            #expect(try validate.run().status != 0)
        }

        @Test("RT18 Quell, GNU tar, bsdtar and Python list the same members of a packed bundle", .sandbox)
        func sameMembers() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            let packed = try made.pack()
            let bundle = try made.verified(packed)
            let tags = [
                "SUMMARY.txt", "VERIFY.txt", "bag-info.txt", "bagit.txt", "manifest-sha256.txt", "seal.dsse.json",
            ]
            let expected = (bundle.payload.map(\.name.text) + tags + ["tagmanifest-sha256.txt"]).map { "stock-1/\($0)" }
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let script = "import sys, tarfile\nfor m in tarfile.open(sys.argv[1]): print(m.name, flush=True)"
            let listings = [
                try made.sh("tar -tf \(packed)"), try made.sh("bsdtar -tf \(packed)"),
                try Program(Program.find("python3") ?? "", ["-c", script, packed]).run(),
            ]
            for listing in listings {
                #expect(listing.status == 0, "\(listing.errorText)")
                #expect(listing.errorText.isEmpty)
                #expect(listing.text.split(separator: "\n").map(String.init) == expected)
            }
        }

        @Test("an archive of more than 64 MiB is cut into volumes that cat, zstd and tar read", .sandbox)
        func volumes() throws {
            let folder = try Sandbox.of().folder
            let size = 70 << 20
            let made = try MadeBundle(in: folder, noise: size)
            let names = try made.verified(made.directory).payload.map(\.name.text).filter { $0.contains(".pax.zst.") }
            #expect(names == ["data/files/workspace.pax.zst.000", "data/files/workspace.pax.zst.001"])
            let whole = try made.sh(
                "cd \(made.directory) && cat data/files/workspace.pax.zst.* | zstd -q -d | tar -xO ./noise | wc -c"
            )
            #expect(whole.text == "\(size)\n")
        }

        @Test("mtree names the file of an unpacked archive that was changed", .sandbox)
        func mtreeFindsChange() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder)
            defer { made.clean() }
            #expect(try made.runVerifyText(in: made.directory, work: "work").status == 0)
            let root = "\(made.folder)/work/workspace"
            let check = "mtree -f \(made.directory)/data/files/workspace.mtree -p \(root)"
            #expect(try made.sh(check).text.isEmpty)
            #expect(try made.sh("printf x >> \(root)/plain.txt").status == 0)
            let changed = try made.sh(check)
            #expect(changed.status == 2)
            #expect(changed.text.contains("plain.txt"))
        }
    }
}
