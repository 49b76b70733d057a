import Base
import Synchronization
import Testing

@testable import Bundles

@Suite("compressing on a thread")
struct CompressionThreadTests {
    /// Longer than all slots together, no multiple of one, and nothing that can be compressed.
    private static let content: [UInt8] = {
        let bytes = [UInt8](unsafeUninitializedCapacity: (11 << 20) + 4_321) { buffer, count in
            var state: UInt64 = 88_172_645_463_325_252
            for index in buffer.indices {
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                buffer[index] = UInt8(truncatingIfNeeded: state)
            }
            count = buffer.count
        }
        return bytes
    }()

    @Test("gives byte for byte what compressing on the caller's thread gives, however the content is cut")
    func same() throws {
        var expected: [UInt8] = []
        let plain = try ZstdCompressor { expected += $0 }
        try Self.content.withRawBytes { bytes throws(Failure) in try plain.append(bytes) }
        try plain.finish()
        for step in [1 << 22, 1 << 20, 77_777] {
            let found = Mutex<[UInt8]>([])
            let threaded = try CompressionThread(level: 1) { bytes in found.withLock { $0 += bytes } }
            var rest = Self.content[...]
            while !rest.isEmpty {
                try Array(rest.prefix(step)).withRawBytes { bytes throws(Failure) in try threaded.append(bytes) }
                rest = rest.dropFirst(step)
            }
            try threaded.finish()
            #expect(found.withLock { $0 } == expected, "in steps of \(step)")
        }
    }

    @Test("tells the caller why what came out could not be written, and takes no more")
    func failing() throws {
        let full = Failure(.system, "write", on: "volume", because: "no space left")
        let threaded = try CompressionThread(level: 1) { _ throws(Failure) in throw full }
        let thrown = #expect(throws: Failure.self) {
            for _ in 0..<3 {
                try Self.content.withRawBytes { bytes throws(Failure) in try threaded.append(bytes) }
            }
        }
        #expect(thrown?.reason == "no space left")
        #expect(throws: Failure.self) { try threaded.finish() }
    }

    @Test("ends its thread, which holds the sink, when it is dropped before its end")
    func dropped() throws {
        final class Witness: Sendable {}
        weak var seen: Witness?
        do {
            let witness = Witness()
            seen = witness
            let threaded = try CompressionThread(level: 1) { _ in withExtendedLifetime(witness) {} }
            try Self.content.withRawBytes { bytes throws(Failure) in try threaded.append(bytes) }
        }
        #expect(seen == nil)
    }
}
