import Base

/// What the log that a collector wrote beside its output says of it. UAC writes `MD5 checksum: ...`, Velociraptor
/// `Container hash ...`.
public struct LogComparison: Hashable, Sendable, Codable {
    /// Sums in it that are those of the original: md5, sha1, sha256.
    public var agreeing: [String] = []
    /// Sums that it says the original has, and that are others.
    public var differing: [String] = []
}

extension LogComparison {
    init(_ log: [UInt8], sha256: Digest, md5: String, sha1: String) {
        for raw in log.split(separator: UInt8(ascii: "\n")) {
            let line = String(decoding: raw, as: UTF8.self).lowercased()
            let isLabelled = line.contains("checksum:") || line.contains("container hash")
            for word in line.split(whereSeparator: { !$0.isHexDigit || !$0.isASCII }) {
                let (name, own): (String, String)
                switch word.utf8.count {
                case 32: (name, own) = ("md5", md5)
                case 40: (name, own) = ("sha1", sha1)
                case 64: (name, own) = ("sha256", sha256.hex)
                default: continue
                }
                if word == own {
                    if !agreeing.contains(name) { agreeing.append(name) }
                } else if isLabelled, !differing.contains(name) {
                    differing.append(name)
                }
            }
        }
    }
}
