package import Base
import Bundles

/// What a timeline is built from: a verified bundle, or a few bytes in a test.
package protocol EvidenceFiles {
    /// The digest that names the evidence, in hexadecimal.
    var name: String { get }
    /// When the capture began and when it was sealed.
    var captured: Interval { get }
    /// The names of the payload files.
    var members: [String] { get }
    /// The names of the archived roots.
    var roots: [String] { get }

    /// Hands over the bytes of a payload file, piece by piece.
    func read(_ member: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure)

    /// Hands over the entries of an archived root.
    func walk(root: String, _ body: (EvidenceFile) throws(Failure) -> Void) throws(Failure)
}

/// One entry of an archived root.
package struct EvidenceFile {
    /// Its path within the root.
    package let path: BytePath
    /// Its size in bytes when it is a regular file with content of its own.
    package let size: UInt64?
    /// Hands over its stretches of data with their offsets.
    package let content: (_ body: (UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void

    /// Takes all parts.
    package init(
        path: BytePath,
        size: UInt64?,
        content: @escaping (_ body: (UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) -> Void
    ) {
        self.path = path
        self.size = size
        self.content = content
    }
}

/// A verified bundle as a timeline reads it.
struct BundleEvidence: EvidenceFiles {
    let bundle: VerifiedBundle

    var name: String { bundle.root.hex }
    var captured: Interval { Interval(bundle.statement.began, bundle.statement.sealed) }
    var members: [String] { bundle.payload.map(\.name.text) }
    var roots: [String] { bundle.roots }

    func read(_ member: String, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        try bundle.read(try PayloadName(member), body)
    }

    func walk(root: String, _ body: (EvidenceFile) throws(Failure) -> Void) throws(Failure) {
        try bundle.walk(root: root) { (entry, content) throws(Failure) in
            let size: UInt64?
            if case .file(let bytes, _) = entry.kind { size = bytes } else { size = nil }
            try body(EvidenceFile(path: entry.path, size: size) { (part) throws(Failure) in try content.read(part) })
        }
    }
}
