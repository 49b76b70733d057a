import Base
import Bundles
import Programs
import Sealing
import Testing

@testable import Evidence

/// A temporary folder with the output of collectors in it, and what importing it came to.
final class ImportScene {
    let folder: String
    let key: SigningKey

    static let fixtures = BytePath(#filePath).parent.parent.appending("Fixtures")

    init() throws {
        folder = try #require(Files.makeTemporaryFolder())
        key = try SigningKey.generate()
    }

    deinit { Files.removeTree(folder) }

    func path(_ name: String) -> BytePath { BytePath(folder).appending(name) }

    /// Runs a shell command in the folder.
    @discardableResult
    func shell(_ command: String) throws -> String {
        let result = try Program("/bin/bash", ["-ec", command], directory: folder).run()
        try #require(result.status == 0, "\(result.errorText)")
        return result.text
    }

    /// Runs Python in the folder, with helpers that put archives together.
    func python(_ script: String) throws {
        let help = """
            import tarfile, zipfile, json, io, hashlib, os
            def tar(name, files, mode="w"):
                t = tarfile.open(name, mode)
                for path, content in files.items():
                    i = tarfile.TarInfo(path); i.size = len(content); i.mtime = 1795416859; t.addfile(i, io.BytesIO(content))
                t.close()
            def zipped(name, files):
                z = zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED)
                for path, content in files.items(): z.writestr(path, content)
                z.close()

            """
        let result = try Program("/usr/bin/python3", ["-c", help + script], directory: folder).run()
        try #require(result.status == 0, "\(result.errorText)")
    }

    private var parts: SealParts {
        SealParts(
            name: "import-1",
            caseID: "none",
            number: 1,
            purpose: .imported,
            freeze: nil,
            authority: "INC-7",
            tool: SealStatement.Tool(version: "test", digest: nil),
            responder: "tests",
            host: "here"
        )
    }

    /// Imports a file, and verifies what came of it.
    func bring(
        _ path: BytePath,
        from: ForeignTool? = nil,
        log: BytePath? = nil,
        partSize: UInt64 = 1 << 40
    ) throws -> (record: ImportRecord, bundle: VerifiedBundle) {
        let target = self.path("bundle")
        Files.removeTree("\(target)")
        let order = ImportOrder(path: path, from: from, log: log)
        let sealed = try ForeignImport(order, parts, limits: ForeignLimits(), partSize: partSize)
            .seal(to: target, sealedWith: key)
        let verification = try UnverifiedBundle(at: target).verify(VerificationPolicy(trusting: [key.verifyingKey]))
        guard case .consistent(let bundle) = verification else {
            Issue.record("\(verification)")
            throw Failure(.notVerified, "verify", on: "the import", because: "\(verification)")
        }
        #expect(try ImportRecord(of: bundle) == sealed.record)
        return (sealed.record, bundle)
    }

    /// The lines of the account but its sum: what, how, why.
    static func account(_ bundle: VerifiedBundle) throws -> [String] {
        var lines: [String] = []
        try bundle.lines(of: try PayloadName("data/collection.jsonl")) { bytes throws(Failure) in
            let line = try JSONReader.read(bytes)
            guard let item = line["item"]?.string, item != "sum" else { return }
            lines.append(
                [item.replacing("imported ", with: ""), line["outcome"]?.string, line["reason"]?.string]
                    .compactMap { $0 }.joined(separator: ": ")
            )
        }
        return lines
    }
}
