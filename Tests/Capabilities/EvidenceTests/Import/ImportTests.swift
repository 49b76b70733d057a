import Base
import Bundles
import Programs
import Sealing
import Testing

@testable import Evidence

/// RT33: the output of other collectors in bundles of their own kind.
@Suite("Imports")
struct ImportTests {
    let scene: ImportScene
    static let uac = ImportScene.fixtures.appending("uac/uac-agent-7-linux.tar.gz")
    static let uacLog = ImportScene.fixtures.appending("uac/uac-agent-7-linux.log")

    init() throws { scene = try ImportScene() }

    @Test("RT33 what UAC wrote is kept bit for bit, listed, and compared with its sums and its log")
    func uac() throws {
        let (record, bundle) = try scene.bring(Self.uac, log: Self.uacLog)
        #expect(record.isWhole)
        #expect(record.from == .uac && !record.isStated)
        #expect(record.form == .tarGzip)
        #expect(record.claimed?.version == "3.3.0")
        #expect(record.claimed?.host == "agent-7")
        #expect(record.claimed?.began?.hasPrefix("2026-11-23T07:15:34") == true)
        #expect(record.sums?.listed == 4 && record.sums?.agreed == 4)
        #expect(record.log == LogComparison(agreeing: ["md5", "sha1"], differing: []))
        let original = try bundle.bytes(of: try PayloadName("data/imported/original"))
        #expect(original == Files.read(try #require(Self.uac.text)))
        #expect(record.original.sha256 == SHA256.digest(of: original))
        #expect(bundle.statement.purpose == .imported)
        #expect(bundle.statement.pins.isEmpty && bundle.statement.freeze == nil)
        #expect(
            try ImportScene.account(bundle) == [
                "original: collected", "members: collected", "claims: collected", "sums: collected", "log: collected",
            ]
        )
    }

    @Test("RT33 the record and the list of an import are these, word for word")
    func golden() throws {
        let (_, bundle) = try scene.bring(Self.uac, log: Self.uacLog)
        for name in ["import.json", "imported.jsonl"] {
            let found = try bundle.bytes(of: try PayloadName("data/\(name)"))
            let path = try #require(ImportScene.fixtures.appending("import/\(name)").text)
            if Program.ownEnvironment()["QUELL_RECORD"] == "1" { Files.write(found, to: path, mode: 0o644) }
            #expect(found == Files.read(path), "\(String(decoding: found, as: UTF8.self))")
        }
    }

    @Test("a member that is not what UAC wrote down of it, one that is missing, and another log are told")
    func altered() throws {
        let source = try #require(Self.uac.text)
        try scene.shell(
            "tar -xzf '\(source)'; echo other > '[root]/etc/passwd'; rm live_response/system/date.txt; tar -czf y.tar.gz uac.log hash_list.* '[root]' bodyfile"
        )
        let (record, bundle) = try scene.bring(scene.path("y.tar.gz"), log: Self.uacLog)
        #expect(!record.isWhole)
        #expect(record.sums?.agreed == 2 && record.sums?.differing == 1 && record.sums?.missing == 1)
        #expect(record.sums?.examples == [BytePath("[root]/etc/passwd")])
        #expect(record.log == LogComparison(agreeing: [], differing: ["md5", "sha1"]))
        #expect(try ImportScene.account(bundle).contains("sums: partial: 1 differ, 1 are missing of 4"))
    }

    @Test("what a collector tells of itself and cannot be read is told as not read, and never counts as nothing")
    func unreadable() throws {
        try scene.python(
            """
            line = b"2026-11-23 06:54:19 +0000 ERR x\\n"
            sums = b"d41d8cd98f00b204e9800998ecf8427e  [root]/a\\n"
            tar("long.tar", {"uac.log": line * ((16 << 20) // len(line) + 1), "hash_list.md5": sums, "[root]/a": b""})
            tar("sums.tar", {"uac.log": line, "hash_list.md5": sums * ((16 << 20) // len(sums) + 1), "[root]/a": b""})
            tar("two.tar", {"[root]/uac.log": line * 3, "uac.log": line, "hash_list.md5": sums, "[root]/a": b""})
            config = json.dumps({"name": "c1"}).encode()
            tar("check.tar", {"config.dump": config, "spec.dump": b"{no json", "deleted.files": b"[]"})
            """
        )
        let (long, bundle) = try scene.bring(scene.path("long.tar"))
        #expect(!long.isWhole && long.recognised == .uac && long.sums?.agreed == 1)
        #expect(long.claimed?.details["errorsInItsLog"] == nil)
        #expect(long.unread == ["uac.log: longer than 16777216 bytes: not read"])
        #expect(
            try ImportScene.account(bundle).contains("claims: partial: uac.log: longer than 16777216 bytes: not read")
        )
        let (sums, other) = try scene.bring(scene.path("sums.tar"))
        #expect(!sums.isWhole && sums.claimed?.details["errorsInItsLog"] == "1")
        let unread = "sums: partial: hash_list.md5: longer than 16777216 bytes: not read"
        #expect(try ImportScene.account(other).contains(unread))
        let two = try scene.bring(scene.path("two.tar")).record
        #expect(two.unread == ["uac.log: there is more than one of them: the first at the top was read"])
        #expect(two.claimed?.details["errorsInItsLog"] == "1")
        let check = try scene.bring(scene.path("check.tar")).record
        #expect(check.unread?.count == 1 && check.unread?.first?.hasPrefix("spec.dump: not JSON: ") == true)
    }

    @Test("an offline collection of Velociraptor is told by its files, and its uploads are compared by size")
    func velociraptor() throws {
        try scene.python(
            """
            files = {
                "client_info.json": json.dumps({"Hostname": "agent-7", "client_version": "0.74.1", "system": "linux", "HostID": "ab12"}).encode(),
                "collection_context.json": json.dumps({"session_id": "F.123", "create_time": 1795416859000000, "active_time": "1795416900000000",
                    "state": "FINISHED", "request": {"artifacts": ["Linux.Sys.Pslist"]}}).encode(),
                "results/Linux.Sys.Pslist.json": b'{"Pid":1}\\n',
                "uploads/auto/etc/passwd": b"root:x:0:0\\n", "uploads/auto/a%2Fb": b"12345",
                "uploads.json": b"".join(json.dumps({"vfs_path": "/x", "_Components": c, "file_size": n, "uploaded_size": n}).encode() + b"\\n"
                    for c, n in [(["uploads", "auto", "etc", "passwd"], 11), (["uploads", "auto", "a/b"], 5)]),
            }
            zipped("good.zip", files)
            files["uploads/auto/etc/passwd"] = b"short"
            zipped("bad.zip", files)
            zipped("closed.zip", {"metadata.json": b'{"EncryptedPass":"x"}', "data.zip": b"no zip to anybody"})
            """
        )
        let good = try scene.bring(scene.path("good.zip")).record
        #expect(good.isWhole)
        #expect(good.recognised == .velociraptor && good.form == .zip)
        #expect(good.claimed?.host == "agent-7" && good.claimed?.version == "0.74.1")
        #expect(good.claimed?.began == "2026-11-23T06:54:19.000000000Z")
        #expect(good.claimed?.details["artifacts"] == "Linux.Sys.Pslist")
        #expect(good.sums?.listed == 2 && good.sums?.agreed == 2)
        let bad = try scene.bring(scene.path("bad.zip")).record
        #expect(!bad.isWhole && bad.sums?.differing == 1)
        let closed = try scene.bring(scene.path("closed.zip")).record
        #expect(closed.recognised == .velociraptor)
        #expect(closed.claimed?.details["encrypted"] != nil)
    }

    @Test(
        "an .adfir package of AgentDFIR that was packed into one file is compared with its SHA256SUMS",
        arguments: ["tar", "zip"]
    )
    func agentdfir(form: String) throws {
        try scene.python(
            """
            blob = b'{"type":"user"}\\n'; name = hashlib.sha256(blob).hexdigest()
            files = {
                "case.json": json.dumps({"case_id": "C1", "created_utc": "2026-11-23T06:54:19Z", "host": "agent-7", "operator_os_user": "kim"}).encode(),
                "manifest.json": json.dumps({"adfir_version": "0.1", "collector_version": "3.1.0", "host": "agent-7", "os": "linux",
                    "artifacts": [{"status": "OK"}, {"status": "ACCESS_DENIED"}]}).encode(),
                "collection.jsonl": b"{}\\n", "chain-of-custody.jsonl": b"{}\\n", "raw/" + name: blob,
            }
            files["SHA256SUMS"] = "".join(hashlib.sha256(c).hexdigest() + "  " + n + "\\n" for n, c in files.items()).encode()
            files = {"case.adfir/" + n: c for n, c in files.items()}
            (tar if "\(form)" == "tar" else zipped)("x", files)
            files["case.adfir/raw/" + name] = b"planted"
            (tar if "\(form)" == "tar" else zipped)("y", files)
            """
        )
        let record = try scene.bring(scene.path("x")).record
        #expect(record.isWhole)
        #expect(record.recognised == .agentdfir)
        #expect(record.claimed?.version == "3.1.0" && record.claimed?.host == "agent-7")
        #expect(record.claimed?.details["artifactsNotAcquired"] == "1")
        #expect(record.sums?.listed == 5 && record.sums?.agreed == 5)
        let planted = try scene.bring(scene.path("y")).record
        #expect(!planted.isWhole && planted.sums?.differing == 1)
    }

    @Test(
        "a checkpoint of a container is told by its files, bare, in gzip and in zstd",
        arguments: [("cat x.tar", ForeignReading.Form.tar), ("gzip -c x.tar", .tarGzip), ("zstd -qc x.tar", .tarZstd)]
    )
    func checkpoint(command: String, form: ForeignReading.Form) throws {
        try scene.python(
            """
            tar("x.tar", {
                "config.dump": json.dumps({"id": "ab" * 32, "name": "agent", "rootfsImageName": "docker.io/library/python:3.12", "runtime": "crun",
                    "createdTime": "2026-11-23T06:00:00.5Z", "checkpointedTime": "2026-11-23T06:54:19Z"}).encode(),
                "spec.dump": json.dumps({"hostname": "c0ffee", "process": {"args": ["python3", "agent.py"]},
                    "annotations": {"io.container.manager": "libpod"}}).encode(),
                "checkpoint/pages-1.img": bytes(4096), "checkpoint/inventory.img": b"x", "rootfs-diff.tar": bytes(1024),
                "deleted.files": b'["/tmp/a"]', "network.status": b"{}", "stats-dump": b"x",
            })
            """
        )
        try scene.shell("\(command) > y")
        let record = try scene.bring(scene.path("y")).record
        #expect(record.isWhole)
        #expect(record.recognised == .podmanCheckpoint && record.form == form)
        #expect(record.claimed?.tool == "libpod" && record.claimed?.host == "c0ffee")
        #expect(record.claimed?.ended == "2026-11-23T06:54:19.000000000Z")
        #expect(record.claimed?.details["image"] == "docker.io/library/python:3.12")
        #expect(record.claimed?.details["deletedFiles"] == "1")
        #expect(record.claimed?.details["memory"] != nil)
        #expect(record.sums == nil)
    }

    @Test("what cannot be read is sealed as bytes, and the record says why")
    func notUnderstood() throws {
        try scene.shell("head -c 5000 /dev/urandom > noise; : > empty; tar -czf - noise | head -c 3000 > cut.tar.gz")
        for (name, why) in [("noise", "no tar"), ("empty", "no tar"), ("cut.tar.gz", "in the middle")] {
            let (record, bundle) = try scene.bring(scene.path(name))
            #expect(record.notUnderstood?.contains(why) == true, "\(name): \(record)")
            #expect(!record.isWhole && record.from == nil)
            #expect(
                try bundle.bytes(of: try PayloadName("data/imported/original")) == Files.read("\(scene.folder)/\(name)")
            )
            #expect(try ImportScene.account(bundle)[1].hasPrefix("members: partial: not understood: "))
        }
    }

    @Test("a collector that a person states and that the files do not show is told; what is of nobody is told, too")
    func stated() throws {
        try scene.python("tar('x.tar', {'notes.txt': b'hello'})")
        let stated = try scene.bring(scene.path("x.tar"), from: .uac).record
        #expect(stated.from == .uac && stated.isStated && stated.recognised == nil && stated.claimed == nil)
        #expect(!stated.isWhole)
        let (nobody, bundle) = try scene.bring(scene.path("x.tar"))
        #expect(nobody.isWhole && nobody.from == nil)
        #expect(try ImportScene.account(bundle).contains("claims: skipped: it is of no collector that Quell knows"))
    }

    @Test("a large original lies in parts that make it again, one after the other, and is read across them")
    func parts() throws {
        let (record, bundle) = try scene.bring(Self.uac, partSize: 1000)
        #expect(record.isWhole && record.sums?.agreed == 4)
        #expect(record.original.parts == (0...2).map { "data/imported/original.00\($0)" })
        var bytes: [UInt8] = []
        for part in record.original.parts { bytes += try bundle.bytes(of: try PayloadName(part)) }
        #expect(bytes == Files.read(try #require(Self.uac.text)))
    }

    @Test("a directory, a link and a pipe are refused before anything is made")
    func refused() throws {
        try scene.shell("mkdir d; ln -s '\(Self.uac)' link; mkfifo pipe")
        for name in ["d", "link", "pipe", "nothing"] {
            #expect(throws: Failure.self, "\(name)") { try scene.bring(scene.path(name)) }
            #expect(!Files.exists("\(scene.folder)/bundle"))
        }
    }

    @Test("RT33 a record that is not about what the bundle holds does not verify as an import")
    func forgedRecord() throws {
        let (record, _) = try scene.bring(Self.uac)
        var forged = record
        forged.original.sha256 = SHA256.digest(of: Array("other".utf8))
        let writer = try BundleWriter(creating: scene.path("forged"))
        try writer.write(try PayloadName("data/imported/original"), Files.read(try #require(Self.uac.text)) ?? [])
        try writer.write(try PayloadName(ImportRecord.file), try JSONEncoding.canonicalBytes(of: forged))
        let statement = SealStatement(
            name: "import-1",
            caseID: "none",
            number: 1,
            purpose: .imported,
            locator: "file:x",
            pins: [],
            freeze: nil,
            counts: .init(),
            checkpoint: nil,
            authority: nil,
            tool: .init(version: "0", digest: nil),
            responder: "tests",
            host: "here",
            began: .now(),
            sealed: .now()
        )
        _ = try writer.seal(statement, with: scene.key)
        let policy = VerificationPolicy(trusting: [scene.key.verifyingKey])
        guard case .consistent(let bundle) = try UnverifiedBundle(at: scene.path("forged")).verify(policy) else {
            Issue.record("the bundle itself is consistent")
            return
        }
        #expect(throws: Failure.self) { _ = try ImportRecord(of: bundle) }
    }
}
