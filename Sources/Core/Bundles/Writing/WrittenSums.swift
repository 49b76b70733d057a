import Base
import Sealing

/// What the writer of a bundle knows of its payload files while its process lives: of each the SHA-256 of the bytes that
/// it wrote, and a keyed sum over the same bytes. Who reads a file back and gets the same sum has the bytes with that
/// SHA-256 without taking it again (docs/decisions/0042).
public struct WrittenSums: Sendable {
    struct File: Sendable {
        let number: UInt64
        let tag: KeyedSum.Tag
        let digest: Digest
    }

    let key: SumKey
    /// By the name in the bundle.
    let files: [String: File]
}
