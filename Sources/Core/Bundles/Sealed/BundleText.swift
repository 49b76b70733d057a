import Base

/// The two files of a bundle that people read: SUMMARY.txt and VERIFY.txt.
///
/// VERIFY.txt is not trusted, it is part of what it tells to check (RT19): it says so, takes key and fingerprint from
/// outside and counts the files. Its indented lines are complete shell commands (POSIX sh) and the tests run them.
struct BundleText {
    let statement: SealStatement
    let payload: [PayloadRecord]
    let secrets: [PayloadRecord]
    let isSigned: Bool

    private var fileCount: Int { payload.count + secrets.count + BundleFiles.countBesidesPayload }

    var roots: [String] {
        payload.compactMap { record in
            guard record.name.text.hasPrefix("data/files/"), record.name.text.hasSuffix(".mtree") else { return nil }
            return String(record.name.text.dropFirst("data/files/".count).dropLast(".mtree".count))
        }
    }

    private func safe(_ text: String) -> String { Escaped.terminal(text) }

    private func time(_ instant: Instant?) -> String { instant?.description ?? "not known" }
}

extension BundleText {
    var summary: String {
        let kind =
            switch statement.purpose {
            case .incident: "Evidence of one session of an AI agent, captured in an incident."
            case .exercise: "EXERCISE. Captured in a drill: nothing in here is evidence of an incident."
            case .imported: "Foreign evidence, brought into a case as it was. Quell did not collect it."
            }
        return """
            \(kind)

            case       \(safe(statement.caseID)), bundle \(statement.number) of it, \(statement.name)
            session    \(safe(statement.locator))
            host       \(safe(statement.host))
            captured   \(statement.began) to \(statement.sealed)
            frozen     \(frozen)
            by         \(safe(statement.responder))
            authority  \(statement.authority.map(safe) ?? "none was recorded")
            tool       \(safe(statement.tool.name)) \(safe(statement.tool.version))
            seal       \(isSigned ? "signed, see VERIFY.txt" : "UNSIGNED: consistent at best, nobody stands behind it")

            items      \(statement.counts.planned) planned: \(statement.counts.collected) collected, \
            \(statement.counts.partial) in part, \(statement.counts.skipped) skipped, \(statement.counts.failed) failed
                       (data/collection.jsonl has each with its reason)
            payload    \(payload.count) files

            \(listing)

            Names, texts and file contents in data/ come from the session. They may be made to deceive people and
            programs: read them as testimony, do not run or render them. Command lines, transcripts, logs and files are
            kept as they were and may hold passwords and other secrets: pass this bundle on as one.

            """
    }

    private var frozen: String {
        guard let freeze = statement.freeze else { return "no: the session may have changed while it was captured" }
        guard let confirmed = freeze.confirmed else { return "asked for, never confirmed" }
        let span = "\(confirmed) to at least \(time(freeze.lastSeen)), \(freeze.processes) processes"
        guard freeze.unbroken == false else { return span }
        return "\(span); BROKEN while it was captured: \(freeze.breaks?.count ?? 0) signs"
    }

    private var listing: String {
        (payload + secrets).map { record in
            let size = String(record.size)
            return String(repeating: " ", count: max(0, 15 - size.count)) + size + "  " + record.name.text
        }.joined(separator: "\n")
    }
}

extension BundleText {
    var verify: String {
        [opening, counting, isSigned ? signature : noSignature, digests, archives + confidential, closing]
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
        mtree-netbsd). Run them one after the other in this directory, with KEY, FINGERPRINT and WORK set; WORK is a new
        empty directory outside of this one. Each must succeed. A packed bundle is unpacked first by
        tar -xf NAME.quell.tar.

        1. There are exactly \(fileCount) files, all of them regular.
        """
    }

    private var counting: String {
        """

            test "$(find . -type f | wc -l)" -eq \(fileCount)
            test -z "$(find . ! -type f ! -type d)"
            test "$(find data -type f | wc -l)" -eq \(payload.count)
            test "$(wc -l < manifest-sha256.txt)" -eq \(payload.count)
            test "$(wc -l < tagmanifest-sha256.txt)" -eq \(BundleFiles.tagged.count + secrets.count)

        """
    }

    private var signature: String {
        #"""
        2. KEY is the key that the ticket names, it signed the seal, and the seal names the tag manifest.

            test "$(openssl pkey -pubin -in "$KEY" -outform DER | sha256sum | cut -d' ' -f1)" = "$FINGERPRINT"
            test "$(grep -Ecx '\{"payload":"[A-Za-z0-9+/=]+","payloadType":"application/vnd\.in-toto\+json","signatures":\[\{"keyid":"[0-9a-f]{64}","sig":"[A-Za-z0-9+/=]{88}"\}\]\}' seal.dsse.json)" -eq 1
            sed -E 's/^\{"payload":"([^"]*)".*$/\1/' seal.dsse.json | base64 -d > "$WORK/statement.json"
            sed -E 's/^.*"sig":"([^"]*)".*$/\1/' seal.dsse.json | base64 -d > "$WORK/signature"
            printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(wc -c < "$WORK/statement.json")" > "$WORK/signed"
            cat "$WORK/statement.json" >> "$WORK/signed"
            openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in "$WORK/signed" -sigfile "$WORK/signature"
            grep -q '"subject":\[{"digest":{"sha256":"'"$(sha256sum < tagmanifest-sha256.txt | cut -d' ' -f1)"'"},"name":"tagmanifest-sha256.txt"}\]' "$WORK/statement.json"

           $WORK/statement.json is what was signed: case, session, times, counts, the head of the journal.

        """#
    }

    private var noSignature: String {
        #"""
        2. THIS BUNDLE IS NOT SIGNED. Nobody stands behind it: whoever had it may have changed anything and written it
           anew. KEY and FINGERPRINT are of no use here. The statement names the tag manifest:

            grep -q '"subject":\[{"digest":{"sha256":"'"$(sha256sum < tagmanifest-sha256.txt | cut -d' ' -f1)"'"},"name":"tagmanifest-sha256.txt"}\]' seal.unsigned.json

        """#
    }

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
        if roots.isEmpty { return "" }
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

    private var confidential: String {
        if secrets.isEmpty { return "" }
        return """
            \(roots.isEmpty ? 4 : 5). What lies below secrets/ is encrypted: \(secrets.count) volumes, each for the certificates that
               data/secrets.jsonl names by their SHA-256. Step 3 has checked them as they are, without a key. Who has the
               key of one of these certificates opens a volume, and the volumes of a stream make one zstd frame:

               openssl cms -decrypt -inform DER -in VOLUME -recip CERTIFICATE -inkey KEY -out PLAIN
               sha256sum PLAIN        what data/secrets.jsonl says as plainSha256

            """
    }

    private var closing: String {
        """
        With Quell, all of this and more: quell bundle verify DIRECTORY

        """
    }
}
