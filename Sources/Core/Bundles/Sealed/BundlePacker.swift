public import Base
import Glibc

/// Packs a sealed bundle into one plain ustar file, `NAME.quell.tar`: members sorted, each 0600, owner 0, time 0. The same
/// bundle always gives the same bytes.
public enum BundlePacker {
    /// Writes the new file `destination` with mode 0600. It unpacks to a directory named as the seal names the bundle. The
    /// bundle is read as it was verified: a file that changed since is refused.
    ///
    /// - Returns: how many bytes were written.
    /// - Throws: `system` with EEXIST when something stands at `destination`, or another errno (an unfinished file is
    ///   removed); `refused` when a file is of 8 GiB or more; `notVerified` when a file changed.
    @discardableResult
    public static func pack(_ bundle: VerifiedBundle, to destination: BytePath) throws(Failure) -> UInt64 {
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let file = try OwnedDescriptor.open(destination, flags: flags, mode: 0o600, attempt: "make the packed bundle")
        let number = file.number
        do throws(Failure) {
            let written = try pack(bundle) { bytes throws(Failure) in
                try BorrowedDescriptor(number: number).write(bytes, to: destination)
            }
            try file.sync(destination)
            try OwnedDescriptor.syncFolder(of: destination)
            return written
        } catch {
            _ = destination.withCString { unlink($0) }
            throw error
        }
    }

    /// Hands the bytes of the packed bundle to `sink`, in order and in pieces: for a pipe, another host, an encryption. A
    /// file that changed since the verification ends it: what the sink has is then no bundle.
    ///
    /// - Returns: how many bytes there were.
    /// - Throws: as ``pack(_:to:)``, and what `sink` throws.
    @discardableResult
    public static func pack(
        _ bundle: VerifiedBundle,
        into sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) -> UInt64 {
        let headers = try headers(of: bundle)
        let secrets = try bundle.secrets().map(\.record)
        let digests = Dictionary(
            (bundle.payload + secrets).map { ($0.name.text, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var written: UInt64 = 0
        for (member, header) in headers {
            try put(header.block, into: sink)
            if let record = digests[member.name] {
                try failing { () throws(Problem) in try PayloadCheck.read(record, in: bundle.store, sink) }
            } else {
                try put(try bundle.judged(member.name), into: sink)
            }
            let padding = UstarHeader.padding(after: member.size)
            try put([UInt8](repeating: 0, count: padding), into: sink)
            written += UInt64(UstarHeader.blockSize) + member.size + UInt64(padding)
        }
        try put([UInt8](repeating: 0, count: 2 * UstarHeader.blockSize), into: sink)
        return written + UInt64(2 * UstarHeader.blockSize)
    }

    private static func headers(of bundle: VerifiedBundle) throws(Failure) -> [(Member, UstarHeader)] {
        let members = bundle.store.members.values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var headers: [(Member, UstarHeader)] = []
        for member in members {
            guard let header = UstarHeader(bundle: bundle.statement.name, name: member.name, size: member.size) else {
                throw Failure(
                    .refused,
                    "pack the bundle",
                    on: member.name,
                    because: "8 GiB or more do not fit a member"
                )
            }
            headers.append((member, header))
        }
        return headers
    }

    private static func put(
        _ bytes: [UInt8],
        into sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try sink(buffer) }
    }
}
