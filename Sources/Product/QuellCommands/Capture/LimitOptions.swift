internal import ArgumentParser
import Base

/// How much a capture may take: bytes, time, bytes in a second.
struct LimitOptions: ParsableArguments {
    @Option(
        name: [.customLong("max-bytes"), .customLong("budget")],
        help: ArgumentHelp(
            "At most so many bytes before compression (500M, 20G); each class has its reserve.",
            valueName: "bytes"
        )
    )
    var maxBytes: ByteCount?
    @Option(
        name: .long,
        help: ArgumentHelp("Seal what is there after 90s, 30m or 2h.", valueName: "time")
    )
    var maxTime: String?
    @Option(
        name: .long,
        help: ArgumentHelp("Read at most so many bytes of content in a second (20M).", valueName: "bytes")
    )
    var rate: ByteCount?

    /// The bytes of `--max-bytes`.
    var budget: UInt64? { maxBytes?.bytes }

    /// The seconds of `--max-time`.
    ///
    /// - Throws: `usage` when it is no span.
    func seconds() throws(Failure) -> Int64? {
        guard let maxTime else { return nil }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        if let unit = maxTime.last.flatMap({ units[$0] }), let count = Int64(maxTime.dropLast()),
            (1...100_000).contains(count)
        {
            return count * unit
        }
        let reason = "'\(maxTime)' is no span such as 90s, 30m or 2h"
        throw Failure(.usage, "capture", on: "--max-time", because: reason)
    }

    /// The rate.
    ///
    /// - Throws: `usage` when nothing could be read.
    func bytesPerSecond() throws(Failure) -> UInt64? {
        guard rate?.bytes != 0 else {
            throw Failure(.usage, "capture", on: "--rate", because: "at 0 bytes a second nothing is ever read")
        }
        return rate?.bytes
    }
}
