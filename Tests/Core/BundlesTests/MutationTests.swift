import Base
import Glibc
import Sealing
import Testing

@testable import Bundles

/// One way to spoil a bundle, where it is found, and how it is named.
struct Mutation: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let check: VerificationFinding.Check
    let file: String
    /// Changes the files; gets the trusted key, for changes that an insider would sign.
    let apply: @Sendable (inout Forger, SigningKey) throws -> Void

    init(
        _ description: String,
        _ check: VerificationFinding.Check,
        _ file: String,
        _ apply: @escaping @Sendable (inout Forger, SigningKey) throws -> Void
    ) {
        testDescription = description
        self.check = check
        self.file = file
        self.apply = apply
    }
}

@Suite("RT18 A bundle has one face")
struct MutationTests {
    static let key: SigningKey? = try? SigningKey.generate()

    let bench: Workbench
    let key: SigningKey
    let policy: VerificationPolicy
    let forger: Forger

    init() throws {
        bench = try Workbench()
        key = try #require(Self.key)
        policy = VerificationPolicy(trusting: [key.verifyingKey], fingerprint: key.verifyingKey.fingerprint)
        try Samples.write(to: bench("b"), key: key)
        forger = try Forger(bench("b"))
    }

    @Test("the unchanged sample passes through the forger's hands and verifies")
    func unchanged() throws {
        try forger.write(to: bench("copy"))
        #expect(try UnverifiedBundle(at: bench("copy")).finding(policy) == nil)
        try Disk.write(Forger.tar(forger.sortedMembers), to: bench("copy.tar"))
        #expect(try UnverifiedBundle(at: bench("copy.tar")).finding(policy) == nil)
        var resealed = forger
        resealed.makeBagAgree()
        try resealed.repack { $0 }
        resealed.makeBagAgree()
        try resealed.seal(with: key)
        try resealed.write(to: bench("resealed"))
        #expect(try UnverifiedBundle(at: bench("resealed")).finding(policy) == nil)
    }

    @Test("RT18 a changed file is found and named, in a directory and packed", arguments: Mutation.all)
    func mutation(_ mutation: Mutation) throws {
        var forged = forger
        try mutation.apply(&forged, key)
        try forged.write(to: bench("forged"))
        let finding = try #require(try UnverifiedBundle(at: bench("forged")).finding(policy))
        #expect(finding.check == mutation.check)
        #expect(finding.file.hasPrefix(mutation.file), "\(finding)")
        #expect(finding.expected != finding.found)
        #expect(Outcome(finding.failure) == .notVerified)
        try Disk.write(Forger.tar(forged.sortedMembers), to: bench("forged.tar"))
        #expect(try UnverifiedBundle(at: bench("forged.tar")).finding(policy) == finding)
    }

    @Test("a name that a running session gave a file while it was captured is no damage")
    func moreNames() throws {
        var forged = forger
        try forged.repackEntries { honest in
            var file = honest[1]
            file.links = 2
            let names = ["second", "third"].map { name in
                let link = ArchiveEntry.Kind.hardLink(original: file.path, size: 18, digest: nil)
                return Samples.entry(BytePath(name), link, links: 3)
            }
            return [honest[0], file] + names
        }
        forged.makeBagAgree()
        try forged.seal(with: key)
        try forged.write(to: bench("forged"))
        #expect(try UnverifiedBundle(at: bench("forged")).finding(policy) == nil)
    }

    @Test("reading back right after the seal finds one flipped bit in every file, and another bundle of the same key")
    func readBack() throws {
        let sealed = try Samples.write(to: bench("sealed"), key: key)
        try UnverifiedBundle(at: bench("sealed")).readBack(sealedAs: sealed.root, policy)
        for (name, content) in forger.sortedMembers where !content.isEmpty {
            var bytes = content
            bytes[content.count / 2] ^= 1
            try Disk.write(bytes, to: bench("b").appending(name))
            let failure = try #require(throws: Failure.self) {
                try UnverifiedBundle(at: bench("b")).readBack(sealedAs: sealed.root, policy)
            }
            #expect(failure.code == .notVerified, "\(name)")
            try Disk.write(content, to: bench("b").appending(name))
        }
        try Samples.write(to: bench("other"), key: key, statement: Samples.statement(purpose: .exercise))
        #expect(throws: Failure.self) {
            try UnverifiedBundle(at: bench("other")).readBack(sealedAs: sealed.root, policy)
        }
    }

    @Test("RT18 one flipped bit is found in every member and named")
    func flippedBits() throws {
        for (name, content) in forger.sortedMembers where !content.isEmpty {
            for offset in Set([0, content.count / 3, content.count / 2, content.count - 1]) {
                var forged = forger
                forged.files[name] = content.flipped(at: offset)
                let target = bench("flip")
                try Disk.write(Forger.tar(forged.sortedMembers), to: target)
                let finding = try #require(try UnverifiedBundle(at: target).finding(policy), "\(name) \(offset)")
                #expect(finding.file.hasPrefix(name), "\(name) \(offset): \(finding)")
            }
        }
    }

    @Test("RT18 every single bit of the packed frame matters")
    func frame() throws {
        let honest = Forger.tar(forger.sortedMembers)
        let header = Forger.header("amber-7f3a-1", "SUMMARY.txt", forger.files["SUMMARY.txt"]?.count ?? 0)
        for offset in stride(from: 0, to: 512, by: 7) {
            try Disk.write(honest.flipped(at: offset), to: bench("frame"))
            let finding = try #require(try UnverifiedBundle(at: bench("frame")).finding(policy), "\(offset)")
            #expect([.packing, .members].contains(finding.check), "\(offset): \(finding)")
        }
        #expect(Array(honest.prefix(512)) == header)
    }

    @Test("RT18 a packed bundle is plain ustar, sorted, unique, with nothing behind", arguments: Frame.allCases)
    func packing(_ frame: Frame) throws {
        try Disk.write(try frame.bytes(forger), to: bench("frame.tar"))
        let finding = try #require(try UnverifiedBundle(at: bench("frame.tar")).finding(policy))
        #expect(finding.check == (frame == .upperCaseMember ? .members : .packing), "\(finding)")
    }

    @Test("RT18 what is no regular file has no place in a bundle", arguments: ["link", "pipe", "folder", "deep"])
    func irregular(kind: String) throws {
        try forger.write(to: bench("b2"))
        let place = bench("b2/data/extra")
        switch kind {
        case "link": _ = place.withCString { symlink("/etc/passwd", $0) }
        case "pipe": _ = place.withCString { mkfifo($0, 0o600) }
        case "folder": _ = place.withCString { mkdir($0, 0o700) }
        default: try Disk.write([], to: bench("b2/data/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/f"))
        }
        if kind == "deep" {
            #expect { try UnverifiedBundle(at: bench("b2")).verify(policy) } throws: {
                ($0 as? Failure)?.code == .notVerified
            }
            return
        }
        let finding = try #require(try UnverifiedBundle(at: bench("b2")).finding(policy))
        #expect(finding.check == .members)
        #expect(finding.file == "data/extra")
    }

    @Test("RT18 a payload file replaced by a link to itself elsewhere is refused")
    func linkedPayload() throws {
        try forger.write(to: bench("b3"))
        _ = bench("b3/data/session.json").withCString { unlink($0) }
        try Disk.write(forger.files["data/session.json"] ?? [], to: bench("aside"))
        let link = bench("b3/data/session.json")
        _ = bench("aside").withCString { target in link.withCString { symlink(target, $0) } }
        #expect(try UnverifiedBundle(at: bench("b3")).finding(policy)?.found == "a symbolic link")
    }
}

/// Ways to spoil the outer tar.
enum Frame: CaseIterable {
    case twice, unsorted, trailing, oneZeroBlock, noZeroBlocks, truncated, gnuLongName, paxHeader, directory, symlink
    case otherMode, otherOwner, otherTime, otherBundle, dirtyPadding, upperCaseMember, empty
    case hardLink, sparse, globalHeader, gnuMagic, oldTar, linkName, device, ownerName, baseTwoSize, longerSize,
        wrongSum

    func bytes(_ forger: Forger) throws -> [UInt8] {
        var members = forger.sortedMembers
        let honest = Forger.tar(members)
        func with(_ type: Character, _ name: String, _ content: [UInt8]) -> [UInt8] {
            Forger.header("amber-7f3a-1", name, content.count) { $0[156] = type.asciiValue ?? 0 }
                + Forger.padded(content) + honest
        }
        func first(_ edit: (inout [UInt8]) -> Void) -> [UInt8] {
            let member = members[0]
            return Forger.header("amber-7f3a-1", member.name, member.content.count, edit: edit) + honest.dropFirst(512)
        }
        switch self {
        case .twice:
            members.insert((members[3].name, Array("other".utf8)), at: 3)
            return Forger.tar(members)
        case .unsorted:
            members.swapAt(2, 3)
            return Forger.tar(members)
        case .trailing: return honest + [UInt8](repeating: 0, count: 512)
        case .oneZeroBlock: return Array(honest.dropLast(512))
        case .noZeroBlocks: return Array(honest.dropLast(1024))
        case .truncated: return Array(honest.prefix(honest.count / 2))
        case .gnuLongName: return with("L", "././@LongLink", Array("data/long\0".utf8))
        case .paxHeader: return with("x", "PaxHeaders/x", Array("19 path=data/other\n".utf8))
        case .directory: return with("5", "data", [])
        case .symlink: return with("2", "data/link", [])
        case .hardLink: return with("1", "data/link", [])
        case .sparse: return with("S", "data/sparse", [])
        case .globalHeader: return with("g", "PaxHeaders/g", Array("19 path=data/other\n".utf8))
        case .gnuMagic: return first { $0.replaceSubrange(257..<265, with: "ustar  \0".utf8) }
        case .oldTar: return first { $0.replaceSubrange(257..<265, with: [UInt8](repeating: 0, count: 8)) }
        case .linkName: return first { $0.replaceSubrange(157..<160, with: "a/b".utf8) }
        case .device: return first { $0[335] = UInt8(ascii: "1") }
        case .ownerName: return first { $0.replaceSubrange(265..<269, with: "root".utf8) }
        case .baseTwoSize: return first { $0[124] = 0x80 }
        case .longerSize: return first { $0[131] += 1 }
        case .wrongSum: return honest.flipped(at: 150)
        case .otherMode: return first { $0[105] = UInt8(ascii: "7") }
        case .otherOwner: return first { $0[114] = UInt8(ascii: "1") }
        case .otherTime: return first { $0[146] = UInt8(ascii: "1") }
        case .otherBundle: return first { $0[345] = UInt8(ascii: "b") }
        case .dirtyPadding:
            let end = 512 + members[0].content.count
            return honest.flipped(at: end)
        case .upperCaseMember:
            members.append(("data/zUP", []))
            return Forger.tar(members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        case .empty: return [UInt8](repeating: 0, count: 1024)
        }
    }
}
