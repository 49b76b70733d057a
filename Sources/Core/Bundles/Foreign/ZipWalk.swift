import Base

/// Reads the members of a zip file in the order of its directory, and compares what the directory says of each with its
/// local header. Content that two members share is not read: that is how a small file expands to petabytes.
struct ZipWalk {
    /// What is odd about the archive as a whole.
    private(set) var remarks: [String]

    private let directory: ZipDirectory
    private let file: ForeignFile
    private let budget: ForeignBudget
    private var names: Set<Int> = []
    private var spans: [Span] = []

    /// The bytes of one member, from its local header to the end of its content.
    private struct Span {
        let start: UInt64
        let content: UInt64
        let end: UInt64
        let hasDescriptor: Bool
    }

    private struct LocalHeader {
        var content: UInt64
        var remarks: [String] = []
    }

    init(_ directory: ZipDirectory, in file: ForeignFile, _ budget: ForeignBudget) {
        self.directory = directory
        self.file = file
        self.budget = budget
        remarks = directory.remarks
    }

    mutating func run(_ visitor: some ForeignVisitor) throws(ForeignProblem) {
        let shared = try sharedEntries()
        for (index, entry) in directory.entries.enumerated() {
            try budget.countMember()
            var member = entry.member
            if !names.insert(member.plainPath.hashValue).inserted {
                member.remarks.append("an earlier member has this name")
            }
            switch try local(entry) {
            case .failure(let problem): member.remarks.append(problem.reason)
            case .success(let header):
                member.remarks += header.remarks
                if shared.contains(index) {
                    member.remarks.append("its bytes are another member's, too: not read")
                } else if entry.isEncrypted {
                    member.remarks.append("it is encrypted: not read")
                } else if member.kind != .directory || entry.stored > 0 {
                    try read(entry, at: header.content, &member, visitor)
                }
            }
            let ended = member
            try foreign { () throws(Failure) in try visitor.end(ended) }
        }
        tellGaps()
    }

    // MARK: - Local headers

    /// Why a member cannot be found.
    private struct Lost: Error {
        let reason: String
    }

    private func local(_ entry: ZipEntry) throws(ForeignProblem) -> Result<LocalHeader, Lost> {
        let (place, overflow) = entry.offset.addingReportingOverflow(directory.prefix)
        guard !overflow, place < directory.start else {
            return .failure(Lost(reason: "its place lies outside the zip file"))
        }
        let bytes = try foreign { () throws(Failure) in try file.bytes(at: place, count: 30) }
        let head = ZipBytes(bytes[...])
        guard head.number(0, 4) == 0x0403_4B50, let flags = head.number(6, 2), let method = head.number(8, 2),
            let check = head.number(14, 4), let stored = head.number(18, 4), let size = head.number(22, 4),
            let nameLength = head.number(26, 2), let extraLength = head.number(28, 2)
        else { return .failure(Lost(reason: "no local header stands where it should be")) }
        let variable = Int(nameLength + extraLength)
        let rest = try foreign { () throws(Failure) in try file.bytes(at: place + 30, count: variable) }
        guard rest.count == variable else { return .failure(Lost(reason: "its local header is cut off")) }
        var header = LocalHeader(content: place + 30 + UInt64(variable))
        guard header.content <= directory.start, entry.stored <= directory.start - header.content else {
            return .failure(Lost(reason: "its content reaches into the central directory"))
        }
        if !rest[..<Int(nameLength)].elementsEqual(entry.name) {
            header.remarks.append("its local header has another name; readers may show that one")
        }
        if method != entry.method || flags & 1 != entry.flags & 1 || flags & 1 << 3 != entry.flags & 1 << 3 {
            header.remarks.append("its local header says another method; readers may disagree")
        }
        let wide = ZipExtras(rest[Int(nameLength)...]).field(0x0001)
        let told = [
            (check, entry.check), (wideSize(stored, wide, 8), entry.stored), (wideSize(size, wide, 0), entry.size),
        ]
        if told.contains(where: { $0.0 != $0.1 && !(entry.hasDescriptor && $0.0 == 0) }) {
            header.remarks.append("its local header says another size or checksum; readers may disagree")
        }
        return .success(header)
    }

    private func wideSize(_ narrow: UInt64, _ wide: ZipBytes?, _ place: Int) -> UInt64 {
        narrow == 0xFFFF_FFFF ? wide?.number(place, 8) ?? narrow : narrow
    }

    // MARK: - Content

    private func read(
        _ entry: ZipEntry,
        at place: UInt64,
        _ member: inout ForeignMember,
        _ visitor: some ForeignVisitor
    ) throws(ForeignProblem) {
        guard entry.method == 0 || entry.method == 8 else {
            member.remarks.append("it is packed by method \(entry.method), which is not read")
            return
        }
        var taker = ForeignContent(for: visitor)
        var link: [UInt8] = []
        let told = member
        let budget = budget
        let append = { (bytes: UnsafeRawBufferPointer) throws(ForeignProblem) in
            try budget.expand(by: bytes.count)
            if told.kind == .symlink, link.count < 4096 { link += bytes }
            try foreign { () throws(Failure) in try taker.append(bytes, of: told) }
        }
        var problem: String?
        do throws(ForeignProblem) {
            if entry.method == 0 { try copy(entry, at: place, append) } else { try inflate(entry, at: place, append) }
        } catch {
            // Too much is the end of all; damage is one member's.
            guard case .misread(let reason) = error, !budget.isExceeded else { throw error }
            problem = reason
        }
        if taker.size != entry.size { problem = problem ?? "it expands to \(taker.size) bytes, not to what it says" }
        if UInt64(taker.check.value) != entry.check { problem = problem ?? "its content does not have its checksum" }
        if let problem { member.remarks.append(problem) }
        if member.kind == .symlink { member.target = BytePath(link) }
        if problem == nil { member.digest = taker.finish() }
    }

    private func copy(
        _ entry: ZipEntry,
        at place: UInt64,
        _ body: (UnsafeRawBufferPointer) throws(ForeignProblem) -> Void
    ) throws(ForeignProblem) {
        let buffer = PageBuffer(size: 128 << 10)
        var done: UInt64 = 0
        while done < entry.stored {
            let part = try piece(buffer, entry, at: place, done)
            try body(part)
            done += UInt64(part.count)
        }
    }

    private func inflate(
        _ entry: ZipEntry,
        at place: UInt64,
        _ body: (UnsafeRawBufferPointer) throws(ForeignProblem) -> Void
    ) throws(ForeignProblem) {
        let inflater = try Inflater(.bare)
        let input = PageBuffer(size: 64 << 10)
        let output = PageBuffer(size: 128 << 10)
        var done: UInt64 = 0
        while done < entry.stored {
            var waiting = try piece(input, entry, at: place, done)
            done += UInt64(waiting.count)
            while true {
                let step = try inflater.step(waiting, into: output.bytes)
                waiting = UnsafeRawBufferPointer(rebasing: waiting[step.consumed...])
                if step.produced > 0 { try body(UnsafeRawBufferPointer(rebasing: output.bytes[..<step.produced])) }
                if step.isEnd {
                    guard waiting.isEmpty, done == entry.stored else {
                        throw .misread("there are bytes behind the end of its content")
                    }
                    return
                }
                if step.produced == 0, waiting.isEmpty || step.consumed == 0 { break }
            }
            if !waiting.isEmpty { throw .misread("damaged deflate data") }
        }
        throw .misread("its content ends in the middle")
    }

    private func piece(
        _ buffer: PageBuffer,
        _ entry: ZipEntry,
        at place: UInt64,
        _ done: UInt64
    ) throws(ForeignProblem) -> UnsafeRawBufferPointer {
        let wanted = min(UInt64(buffer.bytes.count), entry.stored - done)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<Int(wanted)])
        let count = try foreign { () throws(Failure) in try file.read(into: target, at: place + done) }
        guard count > 0 else { throw .misread("its content is cut off") }
        return UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
    }

    // MARK: - Who owns which bytes

    /// The entries of which some bytes are another entry's, too. Notes where each lies.
    private mutating func sharedEntries() throws(ForeignProblem) -> Set<Int> {
        var places: [(index: Int, span: Span)] = []
        for (index, entry) in directory.entries.enumerated() {
            guard case .success(let header) = try local(entry) else { continue }
            let start = entry.offset + directory.prefix
            let span = Span(
                start: start,
                content: header.content,
                end: header.content + entry.stored,
                hasDescriptor: entry.hasDescriptor
            )
            places.append((index, span))
        }
        places.sort { $0.span.start < $1.span.start }
        var shared: Set<Int> = []
        var last: (index: Int, end: UInt64)?
        for (index, span) in places {
            if let last, span.start < last.end {
                shared.insert(index)
                shared.insert(last.index)
            }
            if last.map({ span.end > $0.end }) ?? true { last = (index, span.end) }
        }
        spans = places.map(\.span)
        return shared
    }

    /// Bytes between members that no entry of the directory owns.
    private mutating func tellGaps() {
        var end = directory.prefix
        var mayFollow: UInt64 = 0
        var unowned: UInt64 = 0
        for span in spans {
            if span.start > end, span.start - end > mayFollow { unowned += span.start - end - mayFollow }
            if span.end >= end {
                end = span.end
                // Checksum and two sizes, wide ones, behind a signature.
                mayFollow = span.hasDescriptor ? 24 : 0
            }
        }
        if directory.start > end, directory.start - end > mayFollow { unowned += directory.start - end - mayFollow }
        guard unowned > 0 else { return }
        remarks.append("\(unowned) bytes between its members belong to none: readers may find others there")
    }
}
