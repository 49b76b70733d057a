import Bundles
import CMemory

/// Pieces of a process's memory from everywhere in it, read to see what its compression would be worth. Nothing of it is
/// kept, and what cannot be read is left out.
struct PageSample {
    private static let pieces: UInt64 = 32
    private static let size: UInt64 = 64 << 10

    /// The level of zstd for a process whose pages are `runs`.
    static func level(for runs: [[PageRun]], of process: Int32) -> Int32 {
        let content = runs.joined().filter { $0.isPresent && !$0.isSwapped && !$0.isZero && !$0.isBlank }
        let step = max(content.reduce(0) { $0 + $1.size } / pieces, size)
        var addresses: [UInt64] = []
        // How much of the content lies before the next piece.
        var distance = step / 2
        for run in content {
            while distance < run.size, addresses.count < Int(pieces) {
                // Not beyond the run's end: before it, or as much as there is.
                if run.size >= size { addresses.append(run.start + min(distance / 4096 * 4096, run.size - size)) }
                distance += step
            }
            distance -= min(distance, run.size)
        }
        return CompressionLevel.level(for: read(addresses, of: process))
    }

    private static func read(_ addresses: [UInt64], of process: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: addresses.count * Int(size)) { buffer, count in
            for address in addresses {
                let into = buffer.baseAddress.map { UnsafeMutableRawPointer($0 + count) }
                count += max(cmemory_read(process, [cmemory_span(address: address, size: size, into: into)], 1), 0)
            }
        }
    }
}
