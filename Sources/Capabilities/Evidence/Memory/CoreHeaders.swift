/// The headers of a core: ELF header, program headers, and with more than 65,534 of them the section header that says how
/// many (PN_XNUM, elf(5)). They come before the content, so a core is written front to back.
struct CoreHeaders {
    static let page: UInt64 = 4096
    private static let headerSize = 64
    private static let programHeaderSize = 56
    private static let sectionHeaderSize = 64

    private let layout: CoreLayout
    private let noteSize: Int

    init(_ layout: CoreLayout, noteSize: Int) {
        self.layout = layout
        self.noteSize = noteSize
    }

    private var count: Int { layout.segments.count + 1 }
    private var isExtended: Bool { count >= 0xFFFF }
    private var noteOffset: Int {
        Self.headerSize + count * Self.programHeaderSize + (isExtended ? Self.sectionHeaderSize : 0)
    }

    /// Where the content begins: the zeros for pages of zeros, then the pages.
    var contentOffset: UInt64 { (UInt64(noteOffset + noteSize) + Self.page - 1) / Self.page * Self.page }

    /// How many zeros stand between the notes and the content.
    var padding: Int { Int(contentOffset) - noteOffset - noteSize }

    /// Hands the headers to `body`, some thousands at a time.
    func write<Problem: Error>(_ body: ([UInt8]) throws(Problem) -> Void) throws(Problem) {
        var builder = ByteBuilder()
        addHeader(to: &builder)
        addProgramHeader(to: &builder, type: 4, flags: 0, offset: UInt64(noteOffset), 0, UInt64(noteSize), 0, 4)
        var offset = contentOffset + layout.blankBlock
        for segment in layout.segments {
            addProgramHeader(
                to: &builder,
                type: 1,
                flags: segment.flags,
                offset: segment.isBlank ? contentOffset : offset,
                segment.address,
                segment.fileSize,
                segment.size,
                Self.page
            )
            if !segment.isBlank { offset += segment.fileSize }
            if builder.bytes.count >= 256 << 10 {
                try body(builder.bytes)
                builder = ByteBuilder()
            }
        }
        if isExtended { addSectionHeader(to: &builder) }
        try body(builder.bytes)
    }

    /// ET_CORE for x86_64, with as little as the kernel's own cores have.
    private func addHeader(to builder: inout ByteBuilder) {
        builder.add([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        builder.add(UInt16(4))
        builder.add(UInt16(62))
        builder.add(UInt32(1))
        builder.add(UInt64(0))
        builder.add(UInt64(Self.headerSize))
        builder.add(isExtended ? UInt64(Self.headerSize + count * Self.programHeaderSize) : 0)
        builder.add(UInt32(0))
        builder.add(UInt16(Self.headerSize))
        builder.add(UInt16(Self.programHeaderSize))
        builder.add(isExtended ? UInt16(0xFFFF) : UInt16(count))
        builder.add(isExtended ? UInt16(Self.sectionHeaderSize) : 0)
        builder.add(isExtended ? UInt16(1) : 0)
        builder.add(UInt16(0))
    }

    private func addProgramHeader(
        to builder: inout ByteBuilder,
        type: UInt32,
        flags: UInt32,
        offset: UInt64,
        _ address: UInt64,
        _ fileSize: UInt64,
        _ size: UInt64,
        _ alignment: UInt64
    ) {
        builder.add(type)
        builder.add(flags)
        builder.add(offset)
        builder.add(address)
        builder.add(UInt64(0))
        builder.add(fileSize)
        builder.add(size)
        builder.add(alignment)
    }

    /// Section 0: its sh_info is the number of program headers.
    private func addSectionHeader(to builder: inout ByteBuilder) {
        for _ in 0..<2 { builder.add(UInt32(0)) }
        for _ in 0..<3 { builder.add(UInt64(0)) }
        builder.add(UInt64(1))
        builder.add(UInt32(0))
        builder.add(UInt32(count))
        for _ in 0..<2 { builder.add(UInt64(0)) }
    }
}
