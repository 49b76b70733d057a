import Base
import Testing

@testable import Bundles

@Suite("a frame of zstd")
struct ZstdCompressorTests {
    /// Text that comes again after all distances up to several windows, noise between, in a ring as a stage has it.
    @Test(
        "holds what was compressed, at any level, however often the ring of its content was filled anew",
        arguments: [1, -1, -50, 3]
    )
    func ring(_ level: Int32) throws {
        var content: [UInt8] = []
        var state: UInt64 = 88_172_645_463_325_252
        while content.count < 9 << 20 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            if state % 3 == 0 || content.count < 4096 {
                withUnsafeBytes(of: state) { content += $0 }
            } else {
                let back = Int(state >> 8) % min(content.count, 3 << 20) + 1
                let start = content.count - back
                content += Array(content[start..<min(start + Int(state >> 40) % 4096, content.count)])
            }
        }
        let slot = PipelineStage.slotSize
        let ring = PageBuffer(size: 4 * slot)
        var frame: [UInt8] = []
        let compressor = try ZstdCompressor(level: level) { frame += $0 }
        for (index, start) in stride(from: 0, to: content.count, by: slot).enumerated() {
            let part = content[start..<min(start + slot, content.count)]
            let place = UnsafeMutableRawBufferPointer(rebasing: ring.bytes[(index % 4 * slot)...].prefix(part.count))
            place.copyBytes(from: part)
            try compressor.append(UnsafeRawBufferPointer(place))
        }
        try compressor.finish()
        #expect(frame.count < content.count)
        var rest = frame[...]
        let decompressor = try ZstdDecompressor(name: "frame") { buffer throws(Problem) in
            let count = min(buffer.count, rest.count)
            buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        }
        var found: [UInt8] = []
        while true {
            let more = try decompressor.next()
            if more.isEmpty { break }
            found += more
        }
        #expect(found == content)
    }
}
