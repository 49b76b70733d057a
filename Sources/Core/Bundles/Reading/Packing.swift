import Base
import Glibc

/// Reads the frame of a packed bundle: plain ustar, every header exactly as ``UstarHeader`` writes it, padding of zeros, two
/// blocks of zeros and the end of the file. Each name once, in one of two orders: sorted, as a bundle is packed; or as one is
/// streamed while it is made, payload first in any order, then the tag files, then the seal.
struct Packing {
    /// The orders that are taken.
    enum Order { case sorted, sortedOrStreamed }

    static let mostMembers = 1_000_000

    let bundle: String
    let members: [Member]

    init(_ file: PackedFile, size: UInt64, order: Order = .sorted) throws(Problem) {
        let buffer = PageBuffer(size: UstarHeader.blockSize)
        var members: [Member] = []
        var bundle: String?
        var position: UInt64 = 0
        var disorder: Problem?
        while true {
            let block = try Self.block(of: file, at: position, buffer)
            if block.allSatisfy({ $0 == 0 }) { break }
            guard let header = UstarHeader(block) else {
                throw Self.wrong(position, "a plain ustar header as Quell packs it", Self.describe(block))
            }
            if let bundle, bundle != header.bundle {
                throw Self.wrong(position, "members of \(bundle)/", "\(header.bundle)/\(header.name)")
            }
            if disorder == nil, let last = members.last,
                !last.name.utf8.lexicographicallyPrecedes(header.name.utf8)
            {
                let found = last.name == header.name ? "\(header.name) twice" : "\(header.name) after \(last.name)"
                disorder = Self.wrong(position, "members sorted by name, each once", found)
                if order == .sorted { break }
            }
            bundle = header.bundle
            let start = position + UInt64(UstarHeader.blockSize)
            members.append(Member(name: header.name, size: header.size, offset: start))
            let padding = UstarHeader.padding(after: header.size)
            let end = start + header.size + UInt64(padding)
            guard end <= size, members.count <= Self.mostMembers else {
                throw Self.wrong(position, "\(header.size) bytes of \(header.name)", "the end of the file")
            }
            try Self.requireZeros(file, end - UInt64(padding), padding, buffer, "zeros behind \(header.name)")
            position = end
        }
        if let disorder, order == .sorted || !Self.isStreamed(members.map(\.name)) { throw disorder }
        try Self.requireZeros(file, position, 2 * UstarHeader.blockSize, PageBuffer(size: 1024), "two blocks of zeros")
        let end = position + UInt64(2 * UstarHeader.blockSize)
        guard end == size else { throw Self.wrong(end, "the end of the file", "\(size - end) bytes more") }
        guard let bundle else { throw Self.wrong(0, "members", "none") }
        self.bundle = bundle
        self.members = members
    }

    /// Whether members stand as ``TarOutlet`` writes them. The order of the payload says nothing, so each may be anywhere in
    /// it; but what comes after the seal in time has no place in it, and whoever stops before the seal has no bundle.
    private static func isStreamed(_ names: [String]) -> Bool {
        guard Set(names).count == names.count, let seal = names.last,
            seal == BundleFiles.seal || seal == BundleFiles.unsignedStatement
        else { return false }
        let tags = BundleFiles.written
        let payload = names.dropLast(tags.count + 1)
        return names.dropLast().suffix(tags.count).elementsEqual(tags)
            && payload.allSatisfy { $0.hasPrefix("data/") || $0.hasPrefix(PayloadName.secrets) }
    }

    private static func block(
        of file: PackedFile,
        at position: UInt64,
        _ buffer: PageBuffer
    ) throws(Problem) -> UnsafeRawBufferPointer {
        let count = try read(file, position, buffer.bytes)
        guard count == buffer.bytes.count else { throw wrong(position, "a header of 512 bytes", "\(count) bytes") }
        return UnsafeRawBufferPointer(buffer.bytes)
    }

    private static func requireZeros(
        _ file: PackedFile,
        _ position: UInt64,
        _ count: Int,
        _ buffer: PageBuffer,
        _ expected: String
    ) throws(Problem) {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        let found = try read(file, position, part)
        guard found == count, part.allSatisfy({ $0 == 0 }) else {
            throw wrong(position, expected, found == count ? "other bytes" : "the end of the file")
        }
    }

    private static func read(
        _ file: PackedFile,
        _ position: UInt64,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(Problem) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try posing { () throws(Failure) in
                try file.descriptor.read(into: rest, at: position + UInt64(filled), of: file.path)
            }
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    private static func describe(_ block: UnsafeRawBufferPointer) -> String {
        let type = String(decoding: block[156..<157], as: UTF8.self)
        let name = String(decoding: block[0..<100].prefix { $0 != 0 }, as: UTF8.self)
        return "another header (type \(type), name \(name))"
    }

    private static func wrong(_ position: UInt64, _ expected: String, _ found: String) -> Problem {
        .finding(VerificationFinding(.packing, in: "byte \(position)", expected: expected, found: found))
    }
}
