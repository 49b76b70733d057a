import Base
import Kernel

/// /proc/PID/fdinfo/N: position, flags, mount and inode, and what the kind of object adds. Source: proc_pid_fdinfo(5).
struct DescriptorInformation: Hashable, Sendable {
    /// Lines beyond the common ones that are kept.
    static let mostLines = 1024
    /// Bytes of such lines that are kept of all descriptors of one process: a descriptor is cheap to duplicate.
    static let mostBytes = 16 << 20
    /// What a line costs in memory beyond its text.
    private static let overhead = 32

    private(set) var position: UInt64?
    private(set) var flags: UInt32?
    private(set) var mount: Int32?
    private(set) var inode: UInt64?
    /// What the kind of object adds, line by line as the kernel printed it: epoll targets, eventfd counts, rings.
    private(set) var details: [String] = []
    private(set) var detailsLeftOut = 0
    /// What `details` cost.
    private(set) var cost = 0

    /// Parses the file; a line that is not known stands in `details`.
    init(parsing bytes: [UInt8]) {
        var budget = DescriptorInformation.mostBytes
        self.init(parsing: bytes, within: &budget)
    }

    /// Parses the file; what its details cost is taken from `budget`, and what that does not have is left out. How many
    /// descriptors wait in a socket is kept always.
    init(parsing bytes: [UInt8], within budget: inout Int) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            let text = String(decoding: line, as: UTF8.self)
            let words = text.split { $0 == "\t" || $0 == " " }
            switch (words.first ?? "", words.count) {
            case ("pos:", 2): position = UInt64(words[1])
            case ("flags:", 2): flags = UInt32(words[1], radix: 8)
            case ("mnt_id:", 2): mount = Int32(words[1])
            case ("ino:", 2): inode = UInt64(words[1])
            default:
                let price = line.count + DescriptorInformation.overhead
                if details.count < DescriptorInformation.mostLines, price <= budget || words.first == "scm_fds:" {
                    budget -= price
                    cost += price
                    details.append(text)
                } else {
                    detailsLeftOut += 1
                }
            }
        }
    }

    /// The number behind `key` in a line such as `scm_fds: 2`; `nil` when there is none.
    func number(_ key: String) -> UInt64? {
        for line in details where line.hasPrefix(key + ":") {
            let digits = line.dropFirst(key.count + 1).drop { $0 == " " || $0 == "\t" }
            return UInt64(digits.prefix { $0 != " " && $0 != "\t" })
        }
        return nil
    }

    var detailLines: JSONValue { .array(details.map(JSONValue.string)) }
}
