public import Base

/// Where the files of a bundle go while they are written: a directory here, one tar, another host. Names are those within the
/// bundle; each is begun once, several are open at the same time, and the seal is the last. May be used from several threads.
public protocol BundleOutlet: AnyObject, Sendable {
    /// The place, for messages.
    var path: BytePath { get }

    /// Bytes that the place can still take; `nil` when it does not say.
    var room: UInt64? { get }

    /// Begins a file.
    ///
    /// - Throws: `system` when it cannot be made.
    func begin(_ name: String) throws(Failure) -> any OutletFile

    /// Brings these files to disk, as far as the place has one: all but the seal.
    ///
    /// - Throws: `system` when that fails.
    func settle(_ names: [String]) throws(Failure)

    /// Ends the bundle, whose seal, the file `seal`, is whole: only now may it look like a bundle.
    ///
    /// - Throws: `system` when that fails.
    func finish(seal: String) throws(Failure)

    /// Gives up: what is there never looks sealed, or the words say that nobody knows.
    func abandon() -> OutletRemains
}

extension BundleOutlet {
    /// Whether a file of this name is the seal: a bundle that was given up must not have it.
    public func isSeal(_ name: String) -> Bool { name == BundleFiles.seal || name == BundleFiles.unsignedStatement }
}

/// One file of a bundle on its way.
public protocol OutletFile: AnyObject {
    /// Appends bytes.
    ///
    /// - Throws: `system` when the place does not take them.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure)

    /// Ends the file: it is whole there, though perhaps not yet on disk.
    ///
    /// - Throws: `system` when the place does not take it.
    func close() throws(Failure)
}

/// What a bundle that was given up left.
public struct OutletRemains: Hashable, Sendable {
    /// Where it lies.
    public let place: BytePath
    /// What it is, in words that follow a semicolon.
    public let words: String

    /// Takes both.
    public init(place: BytePath, words: String) {
        self.place = place
        self.words = words
    }

    /// What arrived, in words.
    public static func words(_ files: Int, _ bytes: UInt64) -> String {
        "\(files) whole \(files == 1 ? "file" : "files"), \(bytes) bytes"
    }

    /// What is said where the seal was sent and nobody answered.
    public static let perhapsSealed = "whether it was sealed there is not known"
}
