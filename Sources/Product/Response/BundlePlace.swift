public import Base
public import Casework
import Glibc
import Kernel

/// Where a bundle of a case lies: in its folder, or where it was sent while it was made. Of the latter the case keeps a file
/// NAME.elsewhere. It is no evidence: what lies there counts only when it is the very bundle that the journal recorded.
public struct BundlePlace: Hashable, Sendable, Codable {
    /// In words.
    public let words: String
    /// Where this host can read it; `nil`: nowhere.
    public let path: BytePath?

    /// The bundle `name` of a case.
    ///
    /// - Throws: `malformed` or `system` when the file that says it cannot be read.
    public init(of name: String, in home: Case) throws(Failure) {
        let own = home.bundles.appending(name)
        let file = BundlePlace.file(of: name, in: home)
        guard !BundlePlace.isThere(own), BundlePlace.isThere(file) else {
            words = "\(own)"
            path = own
            return
        }
        self = try BundlePlace.read(file)
    }

    /// What was noted of the bundle `name` before it left; `nil` when nothing was, or when the note was cut by a crash or a
    /// full disk: its number stays taken, and nothing left, because a note is on disk before that.
    static func noted(_ name: String, in home: Case) throws(Failure) -> BundlePlace? {
        let file = file(of: name, in: home)
        guard isThere(file) else { return nil }
        do throws(Failure) {
            return try read(file)
        } catch {
            guard error.code == .malformed else { throw error }
            return nil
        }
    }

    private static func read(_ file: BytePath) throws(Failure) -> BundlePlace {
        let descriptor = try Descriptor(opening: file, O_RDONLY | O_NOFOLLOW, to: "open the note of a bundle")
        return try JSONDecoding.decode(BundlePlace.self, from: try descriptor.readToEnd(limit: 64 << 10, from: file))
    }

    /// Where `destination` puts the bundle `name`.
    init(_ destination: CaptureDestination, _ name: String) {
        words = destination.words(name)
        path = destination.readable(name)
    }

    /// Writes it down for the bundle `name`, before that goes there: its number is taken, whatever comes of it.
    func note(_ name: String, in home: Case) throws(Failure) {
        let file = BundlePlace.file(of: name, in: home)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        let descriptor = try Descriptor(opening: file, flags, mode: 0o600, to: "make the note of a bundle")
        let bytes = CanonicalJSON.bytes(of: try JSONEncoding.value(of: self)) + [UInt8(ascii: "\n")]
        try bytes.withUnsafeBufferPointer { buffer throws(Failure) in
            try descriptor.write(UnsafeRawBufferPointer(buffer), to: file)
        }
        guard fsync(descriptor.number) == 0 else {
            throw Failure(errno: errno, "bring the note of a bundle to disk", on: file)
        }
        // Its name, too: a number that was given to what lies elsewhere is not given again.
        let folder = try Descriptor(opening: home.bundles, O_RDONLY | O_DIRECTORY, to: "open the folder of bundles")
        guard fsync(folder.number) == 0 else {
            throw Failure(errno: errno, "bring the note of a bundle to disk", on: home.bundles)
        }
    }

    private static func file(of name: String, in home: Case) -> BytePath { home.bundles.appending("\(name).elsewhere") }

    private static func isThere(_ path: BytePath) -> Bool {
        var status = stat()
        return path.withCString { lstat($0, &status) } == 0
    }
}
