import Base

extension BundleText {
    /// The whole of VERIFY.txt.
    var verify: String {
        let middle = archives + memory + confidential
        return [opening, counting, isSigned ? signature : noSignature, digests, middle, later, closing]
            .joined(separator: "\n")
    }

    private var opening: String {
        """
        How to verify this bundle without Quell
        =======================================

        This file is part of what it tells you to check: do not trust it. Read each command before you run it, and take
        two things from OUTSIDE this bundle, from the ticket or from the people who sealed it:

          KEY          a file with their public key (PEM)
          FINGERPRINT  the key's fingerprint as it stands in the ticket: 64 hexadecimal digits

        Anybody can make a bundle, seal it with a key of their own and hand you that key: every command then passes but
        the first of step 2. The fingerprint from outside is what stops it.

        The indented lines are commands for a POSIX shell (Debian: coreutils, findutils, tar, zstd, openssl,
        openssh-client, mtree-netbsd). Run them one after the other in this directory, with KEY, FINGERPRINT and WORK set;
        WORK is a new empty directory outside of this one. Each must succeed. A packed bundle is unpacked first by
        tar -xf NAME.quell.tar.

        1. There are exactly \(fileCount) files, all of them regular, beside what may have come later (step \(laterStep)).
        """
    }

    private var counting: String {
        """

            test "$(find . -type f ! -path './seal.ts[qr]' ! -path './countersignatures/*' | wc -l)" -eq \(fileCount)
            test -z "$(find . -path './countersignatures/*' ! -name '*.json' ! -name '*.sshsig')"
            test -z "$(find . ! -type f ! -type d)"
            test "$(find data -type f | wc -l)" -eq \(payload.count)
            test "$(wc -l < manifest-sha256.txt)" -eq \(payload.count)
            test "$(wc -l < tagmanifest-sha256.txt)" -eq \(BundleFiles.tagged.count + secrets.count)

        """
    }

    private var signature: String {
        """
        2. KEY is the key that the ticket names, it signed the seal, and the seal names the tag manifest.

        \(Self.sealCommands.map { "    \($0)" }.joined(separator: "\n"))

           $WORK/statement.json is what was signed: case, session, times, counts, the head of the journal.

        """
    }

    private var noSignature: String {
        """
        2. THIS BUNDLE IS NOT SIGNED by who made it. Whoever had it may have changed anything and written it anew. Somebody
           may have signed it since, elsewhere: then there is seal.dsse.json and no seal.unsigned.json. Ask outside whether
           there should be, and by which key. Without it nobody stands behind this, and KEY and FINGERPRINT are of no use.

            test ! -e seal.unsigned.json || test ! -e seal.dsse.json
            test ! -e seal.unsigned.json || cp seal.unsigned.json "$WORK/statement.json"
        \(Self.sealCommands.map { "    test -e seal.unsigned.json || \($0)" }.joined(separator: "\n"))
            \(Self.subjectCommand)

        """
    }

    private static let subjectCommand =
        #"grep -q '"subject":\[{"digest":{"sha256":"'"$(sha256sum < tagmanifest-sha256.txt | cut -d' ' -f1)"'"},"name":"tagmanifest-sha256.txt"}\]' "$WORK/statement.json""#

    private static let sealCommands = [
        #"test "$(openssl pkey -pubin -in "$KEY" -outform DER | sha256sum | cut -d' ' -f1)" = "$FINGERPRINT""#,
        #"test "$(grep -Ecx '\{"payload":"[A-Za-z0-9+/=]+","payloadType":"application/vnd\.in-toto\+json","signatures":\[\{"keyid":"[0-9a-f]{64}","sig":"[A-Za-z0-9+/=]{88}"\}\]\}' seal.dsse.json)" -eq 1"#,
        #"sed -E 's/^\{"payload":"([^"]*)".*$/\1/' seal.dsse.json | base64 -d > "$WORK/statement.json""#,
        #"sed -E 's/^.*"sig":"([^"]*)".*$/\1/' seal.dsse.json | base64 -d > "$WORK/signature""#,
        #"printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(wc -c < "$WORK/statement.json")" > "$WORK/signed""#,
        #"cat "$WORK/statement.json" >> "$WORK/signed""#,
        #"openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in "$WORK/signed" -sigfile "$WORK/signature""#,
        subjectCommand,
    ]

    private var digests: String {
        #"""
        3. Every file has the digest that the manifests list, and every payload file is listed once.

            sha256sum --check --strict --quiet tagmanifest-sha256.txt
            sha256sum --check --strict --quiet manifest-sha256.txt
            cut -c67- manifest-sha256.txt | LC_ALL=C sort -u > "$WORK/listed"
            find data -type f | LC_ALL=C sort | cmp - "$WORK/listed"

           The same by the Library of Congress (PyPI: bagit), when it is installed: bagit.py --validate .

        """#
    }

    private var archives: String {
        if roots.isEmpty { return "4. There are no archives in this bundle.\n" }
        let commands = roots.map { root in
            """
                mkdir "$WORK/\(root)"
                cat data/files/\(root).pax.zst.* | zstd -q -d | tar -x -p --numeric-owner --warning=no-unknown-keyword -C "$WORK/\(root)"
                mtree -f data/files/\(root).mtree -p "$WORK/\(root)"
            """
        }
        return """
            4. Each archive unpacks to what its mtree lists: names, types, owners, modes, sizes, times and SHA-256 of each
               file. Unpack as root on a machine and a file system where nothing runs from it (mount it with nosuid, nodev,
               noexec; then leave out devices). As another user add -R uid,gid to mtree. A file with more than 16 GiB of
               holes has no SHA-256 of its own here; the archive's digest covers it.

            \(commands.joined(separator: "\n"))

            """
    }

    private var memory: String {
        guard payload.contains(where: { $0.name.text.hasPrefix("data/memory/") }) else { return "" }
        return #"""

            5. The memory of each process is an ELF core in one zstd stream, whose SHA-256 stands in data/memory.jsonl. Each
               can be opened by gdb and eu-readelf: cat data/memory/PID-START.core.zst.* | zstd -d > core

                for one in data/memory/*.core.zst.000; do cat "${one%000}"* | zstd -q -d | sha256sum | cut -c-64; done | LC_ALL=C sort > "$WORK/cores"
                sed -E 's/^.*"sha256":"([0-9a-f]{64})".*$/\1/' data/memory.jsonl | LC_ALL=C sort | cmp - "$WORK/cores"

            """#
    }

    private var confidential: String {
        if secrets.isEmpty { return "" }
        return """

            5. What lies below secrets/ is encrypted: \(secrets.count) volumes, each for the certificates that
               data/secrets.jsonl names by their SHA-256. Step 3 has checked them as they are, without a key. Who has the
               key of one of these certificates opens a volume, and the volumes of a stream make one zstd frame:

               openssl cms -decrypt -inform DER -in VOLUME -recip CERTIFICATE -inkey KEY -out PLAIN
               sha256sum PLAIN        what data/secrets.jsonl says as plainSha256

            """
    }

    private var laterStep: Int { secrets.isEmpty ? 5 : 6 }

    private var later: String {
        #"""
        \#(laterStep). What may have come after the seal; where nothing did, these commands say nothing. Two more files from OUTSIDE:

          TSA_CA   the certificate (PEM) of the CA that the time stamping authority has its own from
          ALLOWED  allowed signers as ssh-keygen(1) describes them: lines of NAME and public key

           seal.tsr says that the seal was made before a time: openssl ts -reply -in seal.tsr -text prints it. seal.tsq
           without it: no answer came yet. countersignatures/NAME-ROLE.json is what somebody says about this bundle; that
           NAME signed it is shown here, whether NAME has that role is for you.

            test ! -e seal.tsr || openssl ts -verify -data "$WORK/signature" -in seal.tsr -CAfile "${TSA_CA:?}"
            (for s in countersignatures/*.json; do test ! -e "$s" || test -e "${s%.json}.sshsig" || exit 1; done)
            (for s in countersignatures/*.sshsig; do test ! -e "$s" || grep -q '"root":"'"$(sha256sum < tagmanifest-sha256.txt | cut -d' ' -f1)"'"' "${s%.sshsig}.json" || exit 1; done)
            (for s in countersignatures/*.sshsig; do test ! -e "$s" || ssh-keygen -Y verify -f "${ALLOWED:?}" -I "$(sed -E 's/^.*"by":"([^"]*)".*$/\1/' "${s%.sshsig}.json")" -n quell-countersignature -s "$s" < "${s%.sshsig}.json" || exit 1; done)

        """#
    }

    private var closing: String {
        """
        With Quell, all of this and more: quell bundle verify DIRECTORY

        """
    }
}
