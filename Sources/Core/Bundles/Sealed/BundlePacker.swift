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
        let flags = O_WRONLY | O_CREAT | O_EXCL
        let file = try OwnedDescriptor.open(destination, flags: flags, mode: 0o600, attempt: "make the packed bundle")
        do throws(Failure) {
            return try write(headers, of: bundle, to: file, destination)
        } catch {
            _ = destination.withCString { unlink($0) }
            throw error
        }
    }

    private static func write(
        _ headers: [(Member, UstarHeader)],
        of bundle: VerifiedBundle,
        to file: borrowing OwnedDescriptor,
        _ destination: BytePath
    ) throws(Failure) -> UInt64 {
        let buffer = PageBuffer()
        let digests = Dictionary(bundle.payload.map { ($0.name.text, $0) }, uniquingKeysWith: { first, _ in first })
        var written: UInt64 = 0
        for (member, header) in headers {
            try put(header.block, to: file, destination)
            if let record = digests[member.name] {
                try failing { () throws(Problem) in
                    try PayloadCheck.read(record, in: bundle.store) { bytes throws(Failure) in
                        try file.write(bytes, to: destination)
                    }
                }
            } else if let reader = try bundle.store.open(member.name) {
                try reader.forEach(buffer) { bytes throws(Failure) in try file.write(bytes, to: destination) }
            }
            let padding = UstarHeader.padding(after: member.size)
            try put([UInt8](repeating: 0, count: padding), to: file, destination)
            written += UInt64(UstarHeader.blockSize) + member.size + UInt64(padding)
        }
        try put([UInt8](repeating: 0, count: 2 * UstarHeader.blockSize), to: file, destination)
        try file.sync(destination)
        return written + UInt64(2 * UstarHeader.blockSize)
    }

    private static func put(
        _ bytes: [UInt8],
        to file: borrowing OwnedDescriptor,
        _ destination: BytePath
    ) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try file.write(buffer, to: destination) }
    }
}
