public import Base

/// The first thing that is wrong with a bundle: exit status 4.
public struct VerificationFinding: Error, Hashable, Sendable {
    /// What was looked at.
    public enum Check: String, Hashable, Sendable, Codable, CaseIterable {
        /// The outer tar: framing, order, names, types, padding, trailing bytes.
        case packing
        /// Which files there are: extra, missing, duplicated, not regular, fetch.txt, second manifests.
        case members
        /// bagit.txt, bag-info.txt, Payload-Oxum, the form of the manifests.
        case bag
        /// A digest or size of a file.
        case digest
        /// seal.dsse.json: form, subject, predicate.
        case seal
        /// The signature or the fingerprint of its key.
        case signature
        /// seal.tsr: its form, and that it stamps this seal.
        case timestamp
        /// countersignatures/: their form, and that they are about this bundle.
        case countersignature
        /// An archive: zstd frames, volumes, pax, and its agreement with the mtree.
        case archive
        /// data/collection.jsonl: the sum against the seal.
        case collection
        /// data/journal.jsonl against the checkpoint in the seal.
        case journal
    }

    /// What was looked at.
    public let check: Check
    /// The file within the bundle, or the entry within an archive as `data/files/<root>: ./path`; may hold hostile text.
    public let file: String
    /// What should be there.
    public let expected: String
    /// What is there; may hold hostile text.
    public let found: String

    /// Takes all parts.
    public init(_ check: Check, in file: String, expected: String, found: String) {
        self.check = check
        self.file = file
        self.expected = expected
        self.found = found
    }

    /// The finding as a failure: `notVerified`, which leads to exit status 4.
    public var failure: Failure {
        Failure(.notVerified, "verify the bundle", on: file, because: "expected \(expected), found \(found)")
    }
}
