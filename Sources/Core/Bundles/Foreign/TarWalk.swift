import Base

/// Reads a tar file of any writer from its start to its end, in one pass. Unlike ``TarFraming``, which takes nothing but
/// what Quell writes, it takes what stock writers do and says what is odd.
struct TarWalk: ~Copyable {
    /// What is odd about the archive as a whole.
    private(set) var remarks: [String] = []

    private var feed: ForeignFeed
    private let limits: ForeignLimits
    private let budget: ForeignBudget
    private var waiting: TarBlock?
    private var general = TarOverrides()
    private var names: Set<Int> = []

    init(_ feed: consuming ForeignFeed, _ limits: ForeignLimits, _ budget: ForeignBudget) {
        self.feed = feed
        self.limits = limits
        self.budget = budget
    }

    /// Whether it begins as a tar file does; an archive of nothing but zeros is one, too.
    mutating func isTar() throws(ForeignProblem) -> Bool {
        let first = TarBlock(bytes: try feed.take(TarBlock.size))
        guard first.bytes.count == TarBlock.size, first.isZero || first.isHeader else { return false }
        waiting = first
        return true
    }

    mutating func run(_ visitor: some ForeignVisitor) throws(ForeignProblem) {
        while let block = try nextBlock() {
            if block.isZero { return try requireEnd() }
            guard block.isHeader else { throw .misread("a header of the tar file has a wrong checksum") }
            try take(block, general, visitor)
        }
        remarks.append("the tar file has no end of its own")
    }

    private mutating func nextBlock() throws(ForeignProblem) -> TarBlock? {
        if let block = waiting {
            waiting = nil
            return block
        }
        let bytes = try feed.take(TarBlock.size)
        if bytes.isEmpty { return nil }
        guard bytes.count == TarBlock.size else { throw .misread("the tar file ends within a header") }
        return TarBlock(bytes: bytes)
    }

    /// Behind the first block of zeros nothing is read by anybody.
    private mutating func requireEnd() throws(ForeignProblem) {
        var hasMore = false
        let most = UInt64.max
        try feed.pour(most) { bytes throws(Failure) in
            if !hasMore, bytes.contains(where: { $0 != 0 }) { hasMore = true }
        }
        if hasMore { remarks.append("there are bytes behind the end of the tar file, which stock tar does not show") }
    }

    /// Extended headers, then the entry that they are about.
    private mutating func take(
        _ first: TarBlock,
        _ given: TarOverrides,
        _ visitor: some ForeignVisitor
    ) throws(ForeignProblem) {
        var block = first
        var overrides = given
        while true {
            guard let size = block.size else { throw .misread("a header of the tar file has no size") }
            switch block.type {
            case UInt8(ascii: "x"), UInt8(ascii: "X"): try overrides.take(try content(size))
            case UInt8(ascii: "g"): try general.take(try content(size))
            case UInt8(ascii: "L"): overrides.path = Array(try content(size).prefix { $0 != 0 })
            case UInt8(ascii: "K"): overrides.link = Array(try content(size).prefix { $0 != 0 })
            default: return try takeEntry(block, overrides, visitor)
            }
            if block.type == UInt8(ascii: "g") { return }
            guard let next = try nextBlock(), next.isHeader else {
                throw .misread("the tar file has no entry behind an extended header")
            }
            block = next
        }
    }

    /// The content of an extended header.
    private mutating func content(_ size: UInt64) throws(ForeignProblem) -> [UInt8] {
        guard size <= limits.tarHeader else {
            throw .misread("an extended header of the tar file has \(size) bytes")
        }
        let bytes = try feed.take(Int(size))
        guard bytes.count == Int(size), try feed.pour(TarWalk.padding(size), { _ in }) == 0 else {
            throw .misread("the tar file ends within an extended header")
        }
        return bytes
    }

    private mutating func takeEntry(
        _ block: TarBlock,
        _ overrides: TarOverrides,
        _ visitor: some ForeignVisitor
    ) throws(ForeignProblem) {
        try budget.countMember()
        var member = describe(block, overrides)
        if !names.insert(member.plainPath.hashValue).inserted {
            member.remarks.append("an earlier member has this name")
        }
        var isSparse = overrides.isSparse
        if block.type == UInt8(ascii: "S") {
            isSparse = true
            member.size = block.number(483..<495) ?? member.size
            try skipSparseMap(block)
        }
        guard let stored = overrides.size ?? block.size else { throw .misread("a header has no size") }
        guard stored <= UInt64(Int64.max) else { throw .misread("a member of the tar file has \(stored) bytes") }
        let hasContent = !(UInt8(ascii: "1")...UInt8(ascii: "6")).contains(block.type)
        var taker = ForeignContent(for: visitor)
        // Whoever says that a link has content means that of its original: stock tar reads none.
        let length = hasContent ? stored : 0
        let told = member
        let isWhole = !isSparse
        let missing = try feed.pour(length) { bytes throws(Failure) in
            if isWhole { try taker.append(bytes, of: told) }
        }
        if isSparse { member.remarks.append("a sparse file: its stretches are not put together, so it has no digest") }
        if member.kind == .file, !isSparse, missing == 0 { member.digest = taker.finish() }
        if missing > 0 { member.remarks.append("its content is cut off") }
        let ended = member
        try foreign { () throws(Failure) in try visitor.end(ended) }
        if missing > 0 { throw .misread("the tar file ends within a member") }
        if try feed.pour(TarWalk.padding(length), { _ in }) > 0 { remarks.append("the tar file ends within padding") }
    }

    /// Further maps of an old GNU sparse file stand behind its header, a block each.
    private mutating func skipSparseMap(_ block: TarBlock) throws(ForeignProblem) {
        var more = block.bytes[482] != 0
        while more {
            let next = try feed.take(TarBlock.size)
            guard next.count == TarBlock.size else { throw .misread("the tar file ends within a map of a sparse file") }
            more = next[504] != 0
        }
    }

    private func describe(_ block: TarBlock, _ overrides: TarOverrides) -> ForeignMember {
        let name = overrides.path ?? block.name
        var member = ForeignMember(path: BytePath(name), kind: TarWalk.kind(block.type, name))
        member.size = overrides.realSize ?? overrides.size ?? block.size ?? 0
        member.modified = overrides.modified ?? block.modified.map { FileTime(seconds: $0) }
        member.mode = block.mode.map { UInt32(truncatingIfNeeded: $0) & 0o7777 }
        member.uid = overrides.uid ?? block.uid
        member.gid = overrides.gid ?? block.gid
        if member.kind == .symlink || member.kind == .hardLink {
            member.target = BytePath(overrides.link ?? block.linkName)
        }
        if member.kind != .file { member.size = 0 }
        if overrides.hasDuplicates { member.remarks.append("its extended header says something twice") }
        if name.contains(0) { member.remarks.append("its name is cut at a NUL") }
        member.judgePath()
        return member
    }

    private static func kind(_ type: UInt8, _ name: [UInt8]) -> ForeignMember.Kind {
        switch type {
        // A file whose name ends in a slash is a directory of a v7 archive.
        case 0, UInt8(ascii: "0"): name.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "7"), UInt8(ascii: "S"): .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symlink
        case UInt8(ascii: "3"): .character
        case UInt8(ascii: "4"): .block
        case UInt8(ascii: "5"), UInt8(ascii: "D"): .directory
        case UInt8(ascii: "6"): .fifo
        default: .other
        }
    }

    private static func padding(_ size: UInt64) -> UInt64 { (512 - size % 512) % 512 }
}
