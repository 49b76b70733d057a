import Base
import Bundles
import Glibc
import Kernel

/// Writes the core of one process: headers and notes from the look, then the pages as they are read.
struct CoreWriter {
    /// How long a block of pages is waited for.
    static let patience: Duration = .seconds(20)

    let writer: BundleWriter
    let meter: CaptureMeter
    let host: Host

    /// What was written.
    struct Written {
        let receipt: VolumeReceipt
        /// Bytes of pages.
        let bytes: UInt64
        let end: PageFetcher.End
        let holes: [PageHole]
        let holeBytes: UInt64
    }

    /// Writes to the stream `name`.
    ///
    /// - Throws: what the bundle throws. What happens to the process is told in the result.
    func write(
        _ look: MemoryLook,
        _ choice: MemoryChoice,
        remark: String,
        of pin: ProcessPin,
        to name: PayloadName
    ) throws(Failure) -> Written {
        let stream = try writer.volumes(name, level: look.level)
        let notes = CoreNotes(process: look.facts, threads: look.threads, maps: look.maps, remark: remark).bytes
        let headers = CoreHeaders(choice.layout, noteSize: notes.count)
        try headers.write { bytes throws(Failure) in try stream.append(bytes) }
        try stream.append(notes)
        try stream.append([UInt8](repeating: 0, count: headers.padding + Int(choice.layout.blankBlock)))
        var bytes: UInt64 = 0
        var end = PageFetcher.End.whole
        var holes: [PageHole] = []
        var holeBytes: UInt64 = 0
        do throws(PageProblem) {
            let fetcher = PageFetcher(choice.layout.pieces, from: try source(of: pin, look))
            (end, holes, holeBytes) = try pour(fetcher, to: stream, &bytes)
        } catch {
            switch error {
            case .process: end = .vanished
            case .bundle(let failure): throw failure
            }
        }
        return Written(receipt: try stream.close(), bytes: bytes, end: end, holes: holes, holeBytes: holeBytes)
    }

    /// Whose failure it is.
    private enum PageProblem: Error {
        case process
        case bundle(Failure)
    }

    private func pour(
        _ fetcher: PageFetcher,
        to stream: VolumeStream,
        _ bytes: inout UInt64
    ) throws(PageProblem) -> (end: PageFetcher.End, holes: [PageHole], holeBytes: UInt64) {
        do throws(Failure) {
            return try fetcher.read(patience: Self.patience) { block throws(Failure) in
                try stream.append(block)
                bytes += UInt64(block.count)
                meter.count(bytes: block.count)
                return !meter.mustStop()
            }
        } catch {
            throw .bundle(error)
        }
    }

    private func source(of pin: ProcessPin, _ look: MemoryLook) throws(PageProblem) -> PageSource {
        do throws(Failure) {
            let process = try ProcessDirectory(pin, on: host)
            let memory = SharedDescriptor(try process.open(look.prefix + "mem", O_RDONLY))
            let held = try HeldProcess(pin, on: host)
            return PageSource(
                memory: memory,
                process: look.standsStill ? look.reader : nil,
                hasEnded: { held.hasEnded },
                subject: BytePath("/proc/\(pin.pid)/mem")
            )
        } catch {
            throw .process
        }
    }
}

/// A process held by pidfd, to be asked whether it has ended.
private final class HeldProcess: Sendable {
    private let process: PidFD

    init(_ pin: ProcessPin, on host: Host) throws(Failure) { process = try PidFD(pin, on: host) }

    var hasEnded: Bool {
        do throws(Failure) { return try process.hasExited() } catch { return true }
    }
}
