import Base
import Glibc
import Synchronization
import Testing

@testable import Bundles

@Suite("a stage of the pipeline")
struct PipelineStageTests {
    /// Longer than all slots together, and no multiple of one.
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

    @Test("takes byte for byte what is handed in, in order, however it is cut, and then ends")
    func same() throws {
        for step in [1 << 22, 1 << 20, 77_777] {
            let found = Mutex<[UInt8]>([])
            let ends = Mutex(0)
            let stage = PipelineStage(
                take: { bytes in found.withLock { $0 += bytes } },
                end: { ends.withLock { $0 += 1 } }
            )
            var rest = Self.content[...]
            while !rest.isEmpty {
                try Array(rest.prefix(step)).withRawBytes { bytes throws(Failure) in try stage.append(bytes) }
                rest = rest.dropFirst(step)
            }
            #expect(ends.withLock { $0 } == 0)
            try stage.finish()
            #expect(found.withLock { $0 } == Self.content, "in steps of \(step)")
            #expect(ends.withLock { $0 } == 1)
        }
    }

    private static func noThread(_: @escaping @Sendable () -> Void) throws(Failure) -> OwnedThread {
        throw Failure(.system, "start a thread", on: "quell", because: "no more are allowed")
    }

    @Test(
        "where no thread can be started the caller's takes the same bytes, ends, and is told of a failure",
        arguments: [true, false]
    )
    func oneThread(_ isLookedBackAt: Bool) throws {
        let found = Mutex<[UInt8]>([])
        let ends = Mutex(0)
        let stage = PipelineStage(
            isLookedBackAt: isLookedBackAt,
            take: { bytes in found.withLock { $0 += bytes } },
            end: { ends.withLock { $0 += 1 } },
            start: Self.noThread
        )
        try Self.content.withRawBytes { bytes throws(Failure) in try stage.append(bytes) }
        try stage.finish()
        #expect(found.withLock { $0 } == Self.content)
        #expect(ends.withLock { $0 } == 1)

        let full = Failure(.system, "write", on: "volume", because: "no space left")
        let failing = PipelineStage(take: { _ throws(Failure) in throw full }, end: {}, start: Self.noThread)
        let thrown = #expect(throws: Failure.self) {
            try Self.content.withRawBytes { bytes throws(Failure) in try failing.append(bytes) }
        }
        #expect(thrown?.reason == "no space left")
        #expect(throws: Failure.self) { try failing.finish() }
    }

    @Test("what is looked back at stays as it is until the next bytes were taken")
    func lookedBackAt() throws {
        // Of the stage's thread until it has ended.
        var last: (bytes: UnsafeRawBufferPointer, copy: [UInt8])?
        var altered = 0
        let stage = PipelineStage(
            isLookedBackAt: true,
            take: { bytes in
                // The caller fills every slot that it may meanwhile.
                usleep(2000)
                if let last, !last.bytes.elementsEqual(last.copy) { altered += 1 }
                last = (bytes, Array(bytes))
            },
            end: {}
        )
        try Self.content.withRawBytes { bytes throws(Failure) in try stage.append(bytes) }
        try stage.finish()
        #expect(altered == 0)
    }

    @Test("tells the caller why what came out could not be written, and takes no more")
    func failing() throws {
        let full = Failure(.system, "write", on: "volume", because: "no space left")
        let stage = PipelineStage(take: { _ throws(Failure) in throw full }, end: {})
        let thrown = #expect(throws: Failure.self) {
            for _ in 0..<3 {
                try Self.content.withRawBytes { bytes throws(Failure) in try stage.append(bytes) }
            }
        }
        #expect(thrown?.reason == "no space left")
        #expect(throws: Failure.self) { try stage.finish() }
    }

    @Test("ends its thread, which holds the sink, when it is dropped before its end")
    func dropped() throws {
        final class Witness: Sendable {}
        weak var seen: Witness?
        do {
            let witness = Witness()
            seen = witness
            let stage = PipelineStage(take: { _ in withExtendedLifetime(witness) {} }, end: {})
            try Self.content.withRawBytes { bytes throws(Failure) in try stage.append(bytes) }
        }
        #expect(seen == nil)
    }
}
