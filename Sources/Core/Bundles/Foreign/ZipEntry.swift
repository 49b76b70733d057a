import Base

/// One entry of a zip file's central directory. Source: PKWARE APPNOTE.TXT 6.3.10, section 4.3.12.
struct ZipEntry {
    static let fixedSize = 46

    var name: [UInt8] = []
    var madeBy: UInt64 = 0
    var flags: UInt64 = 0
    var method: UInt64 = 0
    var time: UInt64 = 0
    var date: UInt64 = 0
    var check: UInt64 = 0
    var stored: UInt64 = 0
    var size: UInt64 = 0
    var attributes: UInt64 = 0
    var offset: UInt64 = 0
    var modified: FileTime?
    var uid: UInt64?
    var gid: UInt64?
    var remarks: [String] = []

    var isEncrypted: Bool { flags & 1 != 0 || flags & 1 << 6 != 0 || method == 99 }
    /// Whether sizes and checksum stand behind the content and not in its header.
    var hasDescriptor: Bool { flags & 1 << 3 != 0 }

    /// Reads the entry at `place` of the directory and moves behind it.
    init(_ directory: [UInt8], at place: inout Int) throws(ForeignProblem) {
        let head = ZipBytes(directory[place...])
        guard head.number(0, 4) == 0x0201_4B50, let madeBy = head.number(4, 2), let flags = head.number(8, 2),
            let method = head.number(10, 2), let time = head.number(12, 2), let date = head.number(14, 2),
            let check = head.number(16, 4), let stored = head.number(20, 4), let size = head.number(24, 4),
            let nameLength = head.number(28, 2), let extraLength = head.number(30, 2),
            let commentLength = head.number(32, 2), let disk = head.number(34, 2),
            let attributes = head.number(38, 4), let offset = head.number(42, 4),
            let name = head.slice(ZipEntry.fixedSize, Int(nameLength)),
            let extra = head.slice(ZipEntry.fixedSize + Int(nameLength), Int(extraLength)),
            head.slice(ZipEntry.fixedSize + Int(nameLength + extraLength), Int(commentLength)) != nil
        else { throw .misread("an entry of the central directory is not of its form") }
        self.name = Array(name)
        self.madeBy = madeBy >> 8
        self.flags = flags
        self.method = method
        self.time = time
        self.date = date
        self.check = check
        self.stored = stored
        self.size = size
        self.attributes = attributes
        self.offset = offset
        try take(ZipExtras(extra), disk: disk)
        place += ZipEntry.fixedSize + Int(nameLength + extraLength + commentLength)
    }

    private mutating func take(_ extras: ZipExtras, disk: UInt64) throws(ForeignProblem) {
        if !extras.isWhole { remarks.append("its extra fields are not of their form") }
        if let wide = extras.field(0x0001) {
            var place = 0
            func next(_ width: Int) throws(ForeignProblem) -> UInt64 {
                guard let value = wide.number(place, width) else {
                    throw ForeignProblem.misread("a zip64 field is too short")
                }
                place += width
                return value
            }
            if size == 0xFFFF_FFFF { size = try next(8) }
            if stored == 0xFFFF_FFFF { stored = try next(8) }
            if offset == 0xFFFF_FFFF { offset = try next(8) }
        }
        guard disk == 0 || disk == 0xFFFF else { throw .misread("the zip file is one of several parts") }
        if let stamp = extras.field(0x5455), let flags = stamp.number(0, 1), flags & 1 != 0,
            let seconds = stamp.number(1, 4)
        {
            modified = FileTime(seconds: Int64(Int32(truncatingIfNeeded: seconds)))
        } else if let stamp = extras.field(0x000A), stamp.number(4, 2) == 1, let ticks = stamp.number(8, 8) {
            // Ticks of 100 ns since 1601.
            modified = FileTime(
                seconds: Int64(ticks / 10_000_000) - 11_644_473_600,
                nanoseconds: UInt32(ticks % 10_000_000) * 100
            )
        }
        if let owner = extras.field(0x7875), owner.number(0, 1) == 1, let uidSize = owner.number(1, 1), uidSize <= 8,
            let gidSize = owner.number(2 + Int(uidSize), 1), gidSize <= 8
        {
            uid = owner.number(2, Int(uidSize))
            gid = owner.number(3 + Int(uidSize), Int(gidSize))
        }
        if let unicode = extras.field(0x7075), unicode.slice(5, unicode.count - 5).map(Array.init) != name {
            remarks.append("an extra field gives it another name; readers may show that one")
        }
    }

    /// As everybody is told.
    var member: ForeignMember {
        var member = ForeignMember(path: BytePath(name), kind: kind)
        member.size = member.kind == .directory ? 0 : size
        member.modified = modified
        if modified == nil, date != 0 { member.modifiedLocal = localTime }
        if isUnix { member.mode = UInt32(attributes >> 16) & 0o7777 }
        member.uid = uid
        member.gid = gid
        member.remarks = remarks
        if name.contains(0) { member.remarks.append("its name is cut at a NUL") }
        if name.contains(UInt8(ascii: "\\")) {
            member.remarks.append("its name has a backslash, which some readers take for a slash")
        }
        member.judgePath()
        return member
    }

    private var isUnix: Bool { madeBy == 3 || madeBy == 19 }

    private var kind: ForeignMember.Kind {
        if name.last == UInt8(ascii: "/") { return .directory }
        guard isUnix else { return attributes & 0x10 != 0 ? .directory : .file }
        switch attributes >> 16 & 0o170000 {
        case 0o120000: return .symlink
        case 0o040000: return .directory
        case 0o010000: return .fifo
        case 0o020000: return .character
        case 0o060000: return .block
        case 0o140000: return .other
        default: return .file
        }
    }

    /// The clock of whoever wrote it, to two seconds.
    private var localTime: String {
        func digits(_ value: UInt64, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = "\(digits(1980 + date >> 9, 4))-\(digits(date >> 5 & 15, 2))-\(digits(date & 31, 2))"
        return "\(day)T\(digits(time >> 11, 2)):\(digits(time >> 5 & 63, 2)):\(digits((time & 31) * 2, 2))"
    }
}

/// The extra fields of a header: number, length, content.
struct ZipExtras {
    private var fields: [UInt64: ZipBytes] = [:]
    /// Whether they fill their place exactly.
    private(set) var isWhole = true

    init(_ bytes: ArraySlice<UInt8>) {
        let all = ZipBytes(bytes)
        var place = 0
        while place < all.count {
            guard let number = all.number(place, 2), let length = all.number(place + 2, 2),
                let content = all.slice(place + 4, Int(length))
            else {
                isWhole = false
                return
            }
            if fields[number] == nil { fields[number] = ZipBytes(content) }
            place += 4 + Int(length)
        }
    }

    func field(_ number: UInt64) -> ZipBytes? { fields[number] }
}
