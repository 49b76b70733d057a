import Base
import Bundles
import Casework
import Glibc
import Sealing

/// The bundles of a case on disk: names are `<case>-<n>`, each number is given once.
struct BundleShelf {
    private let home: Case

    init(_ home: Case) { self.home = home }

    /// The name of the n-th bundle.
    func name(_ number: Int) -> String { "\(home.id)-\(number)" }

    /// Where a bundle lies.
    func path(_ name: String) -> BytePath { home.bundles.appending(name) }

    /// What stands in the folder, by name; nothing when there is no folder yet.
    func names() throws(Failure) -> [String] { try BundleShelf.names(in: home.bundles, of: home.id) }

    /// The same of a folder of bundles of the case `id`.
    static func names(in bundles: BytePath, of id: CaseID) throws(Failure) -> [String] {
        guard let folder = bundles.withCString({ opendir($0) }) else {
            if errno == ENOENT { return [] }
            throw Failure(errno: errno, "list the bundles", on: bundles)
        }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                // A folder that cannot be read to its end hides bundles.
                guard errno == 0 else { throw Failure(errno: errno, "list the bundles", on: bundles) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix("\(id)-") { names.append(name) }
        }
        return names.sorted()
    }

    /// Bundles that are sealed and that the journal does not know: what a crash between seal and record leaves.
    func unrecorded() throws(Failure) -> [String] {
        let recorded = Set(try home.captures().map(\.bundle))
        return try names().filter { number(of: $0) != nil && !recorded.contains($0) }
    }

    /// What a reservation keeps free on the disk: a capture that fills it must leave room for the journal to say so.
    private static let journalRoom: off_t = 1 << 20

    /// Bundles that were sent elsewhere while they were made, and that the journal does not know.
    func unrecordedElsewhere() throws(Failure) -> [String] {
        let recorded = Set(try home.captures().map(\.bundle))
        return try names().filter { $0.hasSuffix(".elsewhere") }.map { String($0.dropLast(".elsewhere".count)) }
            .filter { !recorded.contains($0) }
    }

    /// Takes the next number for this process, by a file that nobody else can make, and keeps room for the journal in it.
    /// A number that the journal knows stays taken when its bundle was moved away: two seals of one number would be told as
    /// a forgery (RT31).
    func reserve() throws(Failure) -> Int {
        try home.makeBundlesFolder()
        let seen = try names() + home.captures().map(\.bundle)
        var number = (seen.compactMap { self.number(of: $0.split(separator: ".").first ?? "") }.max() ?? 0) + 1
        while true {
            let mark = path(name(number) + ".reserved")
            let file = mark.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
            if file >= 0 {
                defer { close(file) }
                let problem = posix_fallocate(file, 0, BundleShelf.journalRoom)
                if problem == 0 { return number }
                release(number)
                throw Failure(
                    errno: problem,
                    "keep room for the journal beside the bundle",
                    on: mark,
                    hint: problem == ENOSPC ? "free space on the store's disk; the session was not touched" : nil
                )
            }
            guard errno == EEXIST else { throw Failure(errno: errno, "reserve a bundle's name", on: mark) }
            number += 1
        }
    }

    /// Gives up the mark and the room; the bundle's own folder keeps the number taken.
    func release(_ number: Int) {
        _ = path(name(number) + ".reserved").withCString { unlink($0) }
    }

    /// Verifies the bundle that an attempt of this store is said to have sealed under `name`, wherever it lies: with our key,
    /// when there is one, for this case, under this name and number, after the journal of this case. Whatever else verifies
    /// there is not it.
    ///
    /// - Throws: as ``BundleJudge/verify(_:trusting:fingerprint:)``; `notVerified` when it is another bundle.
    func verified(_ name: String, at other: BytePath? = nil, key: SigningKey?) throws(Failure) -> VerifiedBundle {
        let place = other ?? path(name)
        let bundle = try BundleJudge.verify(place, trusting: key.map { [$0.verifyingKey] } ?? [])
        func isNotOurs(_ reason: String) -> Failure {
            Failure(.notVerified, "take up the capture", on: "\(place)", because: reason)
        }
        let statement = bundle.statement
        guard statement.purpose != .imported, statement.name == name, statement.caseID == home.id.text,
            statement.number == number(of: name)
        else { throw isNotOurs("the bundle there is not \(name) of this case") }
        guard key == nil || bundle.signer.isTrusted else { throw isNotOurs("the key of this store did not sign it") }
        guard let checkpoint = statement.checkpoint, checkpoint.sequence > 0,
            let entry = try home.journal.entries(after: checkpoint.sequence - 1).first,
            entry.sequence == checkpoint.sequence, entry.digest == checkpoint.head
        else { throw isNotOurs("its seal does not follow the journal of this case") }
        return bundle
    }

    /// Compares a bundle with what was sealed a moment ago, without looking into its archives, wherever it lies.
    ///
    /// - Parameter sums: What its writer knows of it, when it is still there.
    static func readBack(
        _ path: BytePath,
        sealedAs root: Digest,
        key: SigningKey?,
        comparing sums: WrittenSums?
    ) throws(Failure) {
        let policy = BundleJudge.policy(trusting: key.map { [$0.verifyingKey] } ?? [])
        try UnverifiedBundle(at: path).readBack(sealedAs: root, policy, comparing: sums)
    }

    private func number(of name: some StringProtocol) -> Int? { BundleShelf.number(of: name, in: home.id) }

    /// The number in the name of a bundle of the case `id`; `nil` for any other name.
    static func number(of name: some StringProtocol, in id: CaseID) -> Int? {
        guard name.hasPrefix("\(id)-") else { return nil }
        return Int(name.dropFirst(id.text.utf8.count + 1))
    }
}
