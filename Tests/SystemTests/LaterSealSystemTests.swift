import Base
import Bundles
import Glibc
import Programs
import Sealing
import Testing

extension SystemTests {
    /// Timestamps and countersignatures in the hands of people who have no Quell, and readers that must agree.
    @Suite(
        "what comes after the seal",
        .kernel(
            .root,
            .program("mtree"),
            .program("zstd"),
            .program("bsdtar"),
            .program("openssl"),
            .program("ssh-keygen"),
            .program("python3")
        )
    )
    struct LaterSealSystemTests {
        /// A bundle with a timestamp of a local authority and a countersignature of Ada's, and what a stranger is given.
        private struct Stamped {
            let made: MadeBundle
            let authority: LocalAuthority
            let outside: [String: String]

            init(in folder: String) throws {
                made = try MadeBundle(in: folder)
                #expect(mkdir("\(folder)/tsa", 0o700) == 0)
                authority = try LocalAuthority(in: "\(folder)/tsa")
                let query = try LaterSeal(made.verified(made.directory)).requestTimestamp()
                _ = try LaterSeal(made.verified(made.directory)).addTimestamp(try authority.answer(query.bytes))
                let ada = try SigningKey.generate()
                let said = try CountersignatureStatement(
                    about: made.verified(made.directory),
                    by: "ada@example.org",
                    as: "lead",
                    because: "I was there, \"by\":\"eve\"",
                    at: Instant.now()
                )
                let signature = try SSHSignature.sign(try said.bytes(), as: .countersignature, with: .key(ada))
                try LaterSeal(made.verified(made.directory)).countersign(said, with: signature)
                let line = "ada@example.org \(SSHPublicKey(ada.verifyingKey).line)\n"
                #expect(Files.write(line, to: "\(folder)/allowed") == 0)
                outside = ["TSA_CA": "\(folder)/tsa/ca.pem", "ALLOWED": "\(folder)/allowed"]
            }
        }

        @Test("the commands of VERIFY.txt check a timestamp and a countersignature that came later", .sandbox)
        func stockCommands() throws {
            let stamped = try Stamped(in: try Sandbox.of().folder)
            let made = stamped.made
            defer { made.clean() }
            let whole = try made.runVerifyText(in: made.directory, work: "work-1", more: stamped.outside)
            #expect(whole.status == 0, "\(whole.text) \(whole.errorText)")
            #expect(whole.text.contains("Good \"quell-countersignature\" signature for ada@example.org"))
            let blind = try made.runVerifyText(in: made.directory, work: "work-2")
            #expect(blind.status != 0, "without a CA from outside nothing is green")
            let stranger = "ada@example.org \(SSHPublicKey(try SigningKey.generate().verifyingKey).line)\n"
            #expect(Files.write(stranger, to: "\(made.folder)/others") == 0)
            let others = stamped.outside.merging(["ALLOWED": "\(made.folder)/others"]) { $1 }
            #expect(try made.runVerifyText(in: made.directory, work: "work-3", more: others).status != 0)
            let own = stamped.outside.merging(["TSA_CA": "\(made.folder)/tsa/tsa.key"]) { $1 }
            #expect(try made.runVerifyText(in: made.directory, work: "work-4", more: own).status != 0)
        }

        @Test(
            "the commands of VERIFY.txt fail on a changed countersignature, a foreign one and a file beside it",
            .sandbox,
            arguments: [
                "sed -i s/lead/boss/ countersignatures/*.json", "touch countersignatures/more.txt",
                "rm countersignatures/*.sshsig", "rm countersignatures/*.json",
                "sed -i 's/\"root\":\"./\"root\":\"g/' countersignatures/*.json", "cp seal.dsse.json seal.tsr",
            ]
        )
        func tampered(command: String) throws {
            let stamped = try Stamped(in: try Sandbox.of().folder)
            let made = stamped.made
            defer { made.clean() }
            #expect(try made.sh("cd \(made.directory) && \(command)").status == 0)
            #expect(try made.runVerifyText(in: made.directory, work: "work", more: stamped.outside).status != 0)
        }

        @Test("bagit.py finds a bag valid with what came later", .kernel(.bagit), .sandbox)
        func bagit() throws {
            let made = try Stamped(in: try Sandbox.of().folder).made
            let valid = try Program(Program.ownEnvironment()["QUELL_BAGIT"] ?? "", ["--validate", made.directory]).run()
            #expect(valid.status == 0, "\(valid.errorText)")
        }

        @Test(
            "VERIFY.txt of a bundle that was sealed unsigned tells whether it was signed since, and by whom",
            .sandbox
        )
        func signedElsewhere() throws {
            let made = try MadeBundle(in: try Sandbox.of().folder, isSigned: false)
            defer { made.clean() }
            #expect(try made.runVerifyText(in: made.directory, work: "work-1").status == 0)
            _ = try LaterSeal(made.verified(made.directory)).sign(with: .key(made.key))
            let signed = try made.runVerifyText(in: made.directory, work: "work-2")
            #expect(signed.status == 0, "\(signed.text) \(signed.errorText)")
            #expect(signed.text.contains("Signature Verified Successfully"))
            let stranger = try SigningKey.generate().verifyingKey
            let other = try made.runVerifyText(in: made.directory, work: "work-3", fingerprint: stranger.fingerprint)
            #expect(other.status != 0)
            #expect(try made.sh("cd \(made.directory) && rm seal.dsse.json").status == 0)
            #expect(try made.runVerifyText(in: made.directory, work: "work-4").status != 0)
        }
    }
}
