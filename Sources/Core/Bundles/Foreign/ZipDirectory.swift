import Base

/// The central directory of a zip file, read as a whole. What it does not own is told: a member that only local headers
/// know is shown by some readers and not by others.
struct ZipDirectory {
    private(set) var entries: [ZipEntry] = []
    /// What is odd about the file as a whole.
    private(set) var remarks: [String]
    /// Bytes that stand before the archive; offsets count from behind them.
    let prefix: UInt64
    /// Where the directory begins in the file.
    let start: UInt64

    init(of file: ForeignFile, _ limits: ForeignLimits) throws(ForeignProblem) {
        let end = try ZipEnd(of: file)
        remarks = end.remarks
        guard end.directorySize <= limits.zipDirectory else {
            throw .misread("the central directory has \(end.directorySize) bytes")
        }
        guard end.directorySize <= end.position, end.directoryOffset <= end.position - end.directorySize else {
            throw .misread("the central directory lies beyond the end of the zip file")
        }
        let begin = end.position - end.directorySize
        prefix = begin - end.directoryOffset
        start = begin
        if prefix > 0 { remarks.append("\(prefix) bytes stand before the zip file or between its parts") }
        let bytes = try foreign { () throws(Failure) in try file.bytes(at: begin, count: Int(end.directorySize)) }
        guard UInt64(bytes.count) == end.directorySize else { throw .misread("the central directory is cut off") }
        var place = 0
        while place < bytes.count, ZipBytes(bytes[place...]).number(0, 4) == 0x0201_4B50 {
            guard entries.count < limits.members else { throw .misread("it has more than \(limits.members) members") }
            entries.append(try ZipEntry(bytes, at: &place))
        }
        if place < bytes.count { remarks.append("\(bytes.count - place) bytes of the central directory are no entry") }
        if UInt64(entries.count) != end.entries {
            remarks.append("the end of the zip file says \(end.entries) members, its directory has \(entries.count)")
        }
    }
}
