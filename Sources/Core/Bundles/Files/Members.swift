import Base
import Glibc

/// One file of a bundle: where its bytes lie, in a directory or within a packed bundle.
struct Member: Sendable {
    /// The name within the bundle, such as `data/session.json`.
    let name: String
    /// Bytes.
    let size: UInt64
    /// Where its first byte stands in the packed file; 0 in a directory.
    let offset: UInt64
}

/// The files of a bundle, wherever they lie.
struct MemberStore: Sendable {
    enum Place: Sendable {
        case directory(BundleDirectory)
        case packed(PackedFile)
    }

    let place: Place
    /// By name.
    let members: [String: Member]

    /// Opens a member for reading; `nil` when there is none of that name.
    func open(_ name: String) throws(Failure) -> MemberReader? {
        guard let member = members[name] else { return nil }
        switch place {
        case .directory(let directory):
            let descriptor = try directory.open(name)
            let status = try descriptor.status(of: directory.subject(name))
            let found = UInt64(clamping: status.st_size)
            guard found == member.size else {
                let finding = VerificationFinding(
                    .digest,
                    in: name,
                    expected: "\(member.size) bytes as before",
                    found: "\(found) bytes"
                )
                throw finding.failure
            }
            return MemberReader(member, file: PackedFile(directory.subject(name), descriptor))
        case .packed(let file): return MemberReader(member, file: file)
        }
    }
}

/// A file that several readers share.
final class PackedFile: Sendable {
    let path: BytePath
    let descriptor: OwnedDescriptor

    init(_ path: BytePath, _ descriptor: consuming OwnedDescriptor) {
        self.path = path
        self.descriptor = descriptor
    }
}

/// Reads one member from its start to its end.
final class MemberReader {
    let member: Member
    private let file: PackedFile
    private var position: UInt64 = 0

    init(_ member: Member, file: PackedFile) {
        self.member = member
        self.file = file
    }

    /// Reads the next bytes; 0 at the end. A file that ends early is `changed`.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        let rest = member.size - position
        if rest == 0 { return 0 }
        let wanted = min(buffer.count, Int(clamping: rest))
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        let count = try file.descriptor.read(into: part, at: member.offset + position, of: file.path)
        guard count > 0 else {
            throw Failure(.changed, "read the file", on: member.name, because: "it became shorter while it was read")
        }
        position += UInt64(count)
        return count
    }

    /// Hands all bytes to `body`, through one buffer.
    func forEach(_ buffer: PageBuffer, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        while true {
            let count = try read(into: buffer.bytes)
            if count == 0 { return }
            try body(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
        }
    }
}

/// A page-aligned buffer of fixed size, allocated once and reused.
final class PageBuffer {
    let bytes: UnsafeMutableRawBufferPointer

    init(size: Int = 1 << 20) { bytes = .allocate(byteCount: size, alignment: 4096) }

    deinit { bytes.deallocate() }
}
