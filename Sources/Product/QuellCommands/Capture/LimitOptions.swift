internal import ArgumentParser
import Base
import Response

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
            (1...CaptureAction.longest / unit).contains(count)
        {
            return count * unit
        }
        let reason = "'\(maxTime)' is no span such as 90s, 30m or 2h, of 6h at most"
        throw Failure(.usage, "capture", on: "--max-time", because: reason)
    }

    /// The limits as a command has them, with a space before each.
    var words: String {
        var words = ""
        if let maxBytes { words += " --max-bytes \(maxBytes.bytes)" }
        if let maxTime { words += " --max-time \(ShellWord.quoted(maxTime))" }
        if let rate { words += " --rate \(rate.bytes)" }
        return words
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
