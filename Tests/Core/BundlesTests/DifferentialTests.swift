import Base
import Glibc
import Programs
import Sealing
import Testing

@testable import Bundles

/// Generated changes of a real bundle in front of four readers: Quell, GNU tar, bsdtar and Python's tarfile. Either all of
/// them see the same, or Quell says that it does not verify.
@Suite(
    "RT18 What verifies looks the same to every reader",
    .enabled(if: geteuid() == 0 && ["tar", "bsdtar", "python3"].allSatisfy { Program.find($0) != nil })
)
struct DifferentialTests {
    let bench: Workbench
    let key: SigningKey
    let policy: VerificationPolicy
    let forger: Forger

    init() throws {
        bench = try Workbench()
        key = try SigningKey.generate()
        policy = VerificationPolicy(trusting: [key.verifyingKey], fingerprint: key.verifyingKey.fingerprint)
        try Samples.write(to: bench("b"), key: key)
        forger = try Forger(bench("b"))
        _ = bench("seen").withCString { mkdir($0, 0o700) }
    }

    @Test("RT18 200 generated changes of the outer tar: who verifies is read alike by all")
    func outer() throws {
        let honest = Forger.tar(forger.sortedMembers)
        var generator = Noise(seed: 18)
        var verified = 0
        for number in 0...200 {
            let bytes = number == 0 ? honest : change(honest, &generator)
            let target = bench("seen/\(number).tar")
            try Disk.write(bytes, to: target)
            guard case .consistent(let bundle) = try UnverifiedBundle(at: target).verify(policy) else {
                _ = target.withCString { unlink($0) }
                continue
            }
            verified += 1
            let names = bundle.store.members.keys.map { "amber-7f3a-1/\($0)" }
            let seen = names.map { name in
                let inner = String(name.dropFirst("amber-7f3a-1/".count))
                return Seen(path: Array(name.utf8), kind: "file", content: forger.files[inner] ?? [])
            }
            try Disk.write(Seen.listing(seen), to: bench("seen/\(number).quell"))
        }
        #expect((1...40).contains(verified))
        try requireAgreement(on: verified)
    }

    @Test("RT18 120 generated changes of an archive, signed by who may: who verifies is unpacked alike by all")
    func inner() throws {
        let honest = try forger.unpacked()
        var generator = Noise(seed: 81)
        var verified = 0
        for number in 0...120 {
            let bytes = number == 0 ? honest : change(honest, &generator)
            var forged = forger
            try forged.repack { _ in bytes }
            forged.makeBagAgree()
            try forged.seal(with: key)
            try Disk.write(Forger.tar(forged.sortedMembers), to: bench("forged.tar"))
            guard case .consistent(let bundle) = try UnverifiedBundle(at: bench("forged.tar")).verify(policy) else {
                continue
            }
            verified += 1
            try Disk.write(bytes, to: bench("seen/\(number).tar"))
            try Disk.write(Seen.listing(try entries(of: bundle)), to: bench("seen/\(number).quell"))
        }
        #expect((2...100).contains(verified))
        try requireAgreement(on: verified)
    }

    /// One change: a byte of a header with its sum made right again, a byte anywhere, a block twice, gone, or moved.
    private func change(_ honest: [UInt8], _ generator: inout Noise) -> [UInt8] {
        var bytes = honest
        let headers = stride(from: 0, to: bytes.count, by: 512).filter {
            bytes[$0 + 257..<$0 + 262].elementsEqual("ustar".utf8)
        }
        let header = headers[generator.below(headers.count)]
        switch generator.below(6) {
        case 0, 1, 2:
            bytes[header + generator.below(512)] = UInt8(generator.below(256))
            fixSum(&bytes, header)
        case 3: bytes[generator.below(bytes.count)] ^= 1 << UInt8(generator.below(8))
        case 4: bytes.insert(contentsOf: honest[header..<header + 512], at: headers[generator.below(headers.count)])
        default: bytes.removeSubrange(header..<header + 512)
        }
        return bytes
    }

    private func fixSum(_ bytes: inout [UInt8], _ header: Int) {
        for index in header + 148..<header + 156 { bytes[index] = 0x20 }
        let digits = Array(String(bytes[header..<header + 512].reduce(0) { $0 + Int($1) }, radix: 8).utf8)
        let sum = [UInt8](repeating: 0x30, count: 6 - digits.count) + digits + [0, 0x20]
        bytes.replaceSubrange(header + 148..<header + 156, with: sum)
    }

    private func entries(of bundle: VerifiedBundle) throws -> [Seen] {
        var seen: [Seen] = []
        var contents: [BytePath: [UInt8]] = [:]
        try bundle.walk(root: "workspace") { entry, content throws(Failure) in
            let path = entry.path.bytes
            switch entry.kind {
            case .file(let size, _):
                var bytes = try content.bytes()
                bytes += [UInt8](repeating: 0, count: Int(size) - bytes.count)
                contents[entry.path] = bytes
                seen.append(Seen(path: path, kind: "file", content: bytes))
            case .hardLink(let original, _, _):
                seen.append(Seen(path: path, kind: "file", content: contents[original] ?? []))
            case .symlink(let target): seen.append(Seen(path: path, kind: "link", content: target.bytes))
            case .directory: if !entry.isRoot { seen.append(Seen(path: path, kind: "folder", content: [])) }
            case .fifo: seen.append(Seen(path: path, kind: "pipe", content: []))
            case .block(let major, let minor):
                seen.append(Seen(path: path, kind: "block", content: Array("\(major),\(minor)".utf8)))
            case .character(let major, let minor):
                seen.append(Seen(path: path, kind: "character", content: Array("\(major),\(minor)".utf8)))
            case .socket: break
            }
        }
        return seen
    }

    private func requireAgreement(on count: Int) throws {
        try Disk.write(Array(Self.script.utf8), to: bench("compare.py"))
        let result = try Program(Program.find("python3") ?? "", ["\(bench("compare.py"))", "\(bench("seen"))"])
            .run(within: .seconds(120))
        #expect(result.status == 0, "\(result.text) \(result.errorText)")
        #expect(result.text.contains("\(count) archives are the same to 4 readers"))
    }

    /// Unpacks each archive by three programs and compares all of it with what Quell saw.
    private static let script = """
        import hashlib, os, stat, subprocess, sys, tarfile, tempfile
        def tree(top):
            seen = set()
            for folder, folders, files in os.walk(top.encode()):
                for name in folders + files:
                    path = os.path.join(folder, name)
                    facts = os.lstat(path)
                    mode, content = facts.st_mode, b""
                    if stat.S_ISREG(mode): kind, content = "file", open(path, "rb").read()
                    elif stat.S_ISLNK(mode): kind, content = "link", os.readlink(path)
                    elif stat.S_ISDIR(mode): kind = "folder"
                    elif stat.S_ISFIFO(mode): kind = "pipe"
                    else:
                        kind = "block" if stat.S_ISBLK(mode) else "character"
                        content = b"%d,%d" % (os.major(facts.st_rdev), os.minor(facts.st_rdev))
                    relative = os.path.relpath(path, top.encode())
                    seen.add("%s %s %s" % (relative.hex(), kind, hashlib.sha256(content).hexdigest()))
            return seen
        def by_python(archive, top):
            with tarfile.open(archive) as whole: whole.extractall(top)
        readers = {
            "tar": lambda archive, top: subprocess.run(["tar", "-xpf", archive, "-C", top, "--numeric-owner"], check=True),
            "bsdtar": lambda archive, top: subprocess.run(["bsdtar", "-xpf", archive, "-C", top], check=True),
            "python": by_python,
        }
        count = bad = 0
        for name in sorted(os.listdir(sys.argv[1])):
            if not name.endswith(".tar"): continue
            count += 1
            archive = os.path.join(sys.argv[1], name)
            quell = set(open(archive[:-4] + ".quell").read().split("\\n")) - {""}
            outer = any(line.split(" ")[0].startswith(b"amber-7f3a-1/".hex()) for line in quell)
            for reader, unpack in readers.items():
                with tempfile.TemporaryDirectory(dir=sys.argv[1]) as top:
                    try: unpack(archive, top)
                    except Exception as problem:
                        bad += 1
                        print(name, reader, problem)
                        continue
                    seen = {line for line in tree(top) if not (outer and " folder " in line)}
                    if seen != quell:
                        bad += 1
                        print(name, reader, sorted(seen ^ quell)[:4])
        print(count, "archives are the same to 4 readers" if not bad else "archives, differences: %d" % bad)
        sys.exit(bad != 0)

        """
}

/// One object as a reader sees it.
private struct Seen {
    let path: [UInt8]
    let kind: String
    let content: [UInt8]

    static func listing(_ all: [Seen]) -> [UInt8] {
        let lines = all.map { "\(Hex.encode($0.path)) \($0.kind) \(SHA256.digest(of: $0.content).hex)" }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }
}

/// Numbers that look random and are the same in every run.
struct Noise {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func below(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(limit))
    }
}
