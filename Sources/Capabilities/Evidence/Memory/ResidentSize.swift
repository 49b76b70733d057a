import Base
import Glibc
import Kernel

/// What /proc/PID/smaps_rollup says of a process, in bytes (proc_pid_smaps(5)).
struct ResidentSize: Hashable, Sendable {
    var resident: UInt64 = 0
    var anonymous: UInt64 = 0
    var swapped: UInt64 = 0

    /// `nil` without a line `Rss:`: a size of 0 that nobody told would be a lie.
    init?(parsing bytes: [UInt8]) {
        var isTold = false
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let words = line.split(separator: UInt8(ascii: " "))
            guard words.count >= 2, let value = UInt64(String(decoding: words[1], as: UTF8.self)) else { continue }
            switch String(decoding: words[0], as: UTF8.self) {
            case "Rss:":
                resident = value &* 1024
                isTold = true
            case "Anonymous:": anonymous = value &* 1024
            case "Swap:": swapped = value &* 1024
            default: break
            }
        }
        guard isTold else { return nil }
    }

    /// - Throws: why it is not known; `malformed` when the file is of another form.
    init(of process: borrowing ProcessDirectory, through prefix: String) throws(Failure) {
        guard let size = ResidentSize(parsing: try process.whole(prefix + "smaps_rollup", limit: 65_536)) else {
            throw Failure(.malformed, "read the resident size", on: "\(process.pid)", because: "there is no Rss")
        }
        self = size
    }

    var json: JSONValue {
        [
            "rss": .integer(Int64(clamping: resident)), "anonymous": .integer(Int64(clamping: anonymous)),
            "swap": .integer(Int64(clamping: swapped)),
        ]
    }
}
