import Base
import Programs
import Testing

@testable import Bundles

/// Keeps what a foreign archive holds.
final class Listing: ForeignVisitor {
    private(set) var members: [ForeignMember] = []
    private(set) var contents: [BytePath: [UInt8]] = [:]
    private var current: [UInt8] = []

    func content(_ bytes: UnsafeRawBufferPointer, of member: ForeignMember) throws(Failure) { current += bytes }

    func end(_ member: ForeignMember) throws(Failure) {
        members.append(member)
        contents[member.path] = current
        current = []
    }

    subscript(path: String) -> ForeignMember? { members.first { $0.path == BytePath(path) } }
    var names: [String] { members.map { "\($0.path)" } }
    var remarks: [String] { members.flatMap(\.remarks) }
}

/// What reading some bytes came to.
struct Looked {
    let reading: ForeignReading
    let listing = Listing()

    init(_ bytes: [UInt8], _ limits: ForeignLimits = ForeignLimits()) throws {
        reading = try ForeignArchive(ForeignFile(bytes: bytes), limits: limits).walk(listing)
    }

    init(at path: BytePath) throws {
        reading = try ForeignArchive(try ForeignFile(opening: [path])).walk(listing)
    }

    var allRemarks: [String] { reading.remarks + listing.remarks }
}

extension Workbench {
    /// Runs Python in the bench; what it prints.
    @discardableResult
    func python(_ script: String) throws -> String {
        let folder = try #require(path.text)
        let result = try Program("/usr/bin/python3", ["-c", script], directory: folder).run()
        try #require(result.status == 0, "\(result.errorText)")
        return result.text
    }

    /// Runs a shell command in the bench; what it prints.
    @discardableResult
    func shell(_ command: String) throws -> String {
        let folder = try #require(path.text)
        let result = try Program("/bin/bash", ["-ec", command], directory: folder).run()
        try #require(result.status == 0, "\(result.errorText)")
        return result.text
    }
}

extension Noise {
    /// One change: a byte, a cut, bytes gone, bytes twice, or a number of four bytes at its limits.
    static func change(_ honest: [UInt8], _ generator: inout Noise) -> [UInt8] {
        var bytes = honest
        let place = generator.below(bytes.count)
        let length = min(1 + generator.below(64), bytes.count - place)
        switch generator.below(6) {
        case 0, 1: bytes[place] ^= UInt8(1 + generator.below(255))
        case 2: bytes.removeLast(bytes.count - place)
        case 3: bytes.removeSubrange(place..<(place + length))
        case 4: bytes.insert(contentsOf: honest[place..<(place + length)], at: place)
        default: for index in place..<min(place + 4, bytes.count) { bytes[index] = generator.below(2) == 0 ? 0xFF : 0 }
        }
        return bytes
    }
}
