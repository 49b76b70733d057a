import Base
import Bundles
import Glibc
import Testing

@testable import Evidence

@Suite("Memory: mappings, pages and cores")
struct MemoryTests {
    static let smaps = """
        55d4c2a00000-55d4c2a02000 r-xp 00001000 fe:00 1234                       /usr/bin/a b\\012c (deleted)
        Size:                  8 kB
        Rss:                   8 kB
        Swap:                  0 kB
        VmFlags: rd ex mr mw me
        7f0000000000-7f0040000000 rw-p 00000000 00:00 0
        Rss:                   0 kB
        Swap:                  0 kB
        VmFlags: rd wr mr
        7f0050000000-7f0050001000 rw-s 00000000 00:06 9                          /dev/mem
        Rss:                   4 kB
        VmFlags: rd wr sh io pf
        7f0060000000-7f0060001000 ---p 00000000 00:00 0
        Rss:                   0 kB
        Swap:                  4 kB
        ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
        VmFlags: ex

        """

    private func read(_ text: [UInt8], pieces: Int = .max) -> SmapsReader {
        var reader = SmapsReader()
        text.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                let end = position + min(pieces, bytes.count - position)
                reader.feed(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
                position = end
            }
        }
        return reader
    }

    @Test("smaps is read with names of any bytes, permissions, device memory and what was touched")
    func smapsIsRead() {
        let reader = read(Array(Self.smaps.utf8))
        #expect(reader.leftOut == 0)
        let maps = reader.maps
        #expect(maps.count == 5)
        #expect(maps.map(\.isTouched) == [true, false, true, true, false])
        #expect(maps.map(\.isDevice) == [false, false, true, false, false])
        #expect(maps.map(\.isShared) == [false, false, true, false, false])
        #expect(maps.map(\.elfFlags) == [5, 6, 6, 0, 1])
        #expect(maps.last?.isVsyscall == true)
        #expect(maps.first?.name == Array("/usr/bin/a b\\012c (deleted)".utf8))
        #expect(maps.first?.offset == 4096 && maps.first?.inode == 1234 && maps.first?.device == "fe:00")
    }

    @Test("smaps is read the same in pieces of any size", arguments: [1, 2, 7, 64, 100])
    func pieces(_ size: Int) {
        #expect(read(Array(Self.smaps.utf8), pieces: size).maps == read(Array(Self.smaps.utf8)).maps)
    }

    @Test("whatever bytes stand in smaps, no mapping is odd")
    func mutations() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var text = Array(Self.smaps.utf8)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text[place] = UInt8.random(in: 0...255, using: &random)
                case 1: text.remove(at: place)
                default: text.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            for map in read(text).maps {
                #expect(map.start < map.end && map.start % 4096 == 0 && map.end % 4096 == 0)
            }
        }
    }

    @Test("pages of shared memory are taken once, whatever overlaps whatever")
    func sharedOnce() {
        var random = SystemRandomNumberGenerator()
        let shared = SharedPages()
        let object = SharedPages.Object(device: "00:01", inode: 7)
        var taken = Set<UInt64>()
        for _ in 0..<500 {
            let start = UInt64.random(in: 0..<1000, using: &random)
            let end = start + UInt64.random(in: 0..<60, using: &random)
            let new = shared.take(start..<end, of: object).flatMap { Array($0) }
            #expect(Set(new) == Set(start..<end).subtracting(taken))
            #expect(new.count == Set(new).count)
            taken.formUnion(start..<end)
        }
        #expect(shared.take(0..<4, of: SharedPages.Object(device: "00:01", inode: 8)) == [0..<4])
    }

    private func map(_ start: UInt64, _ end: UInt64) throws -> MemoryMap {
        let line = "\(String(start, radix: 16))-\(String(end, radix: 16)) rw-p 00000000 00:00 0 \n"
        return try #require(read(Array(line.utf8)).maps.first)
    }

    private func run(_ start: UInt64, _ end: UInt64) -> PageRun {
        PageRun(start: start, end: end, isPresent: true, isSwapped: false, isFile: false, isZero: false)
    }

    @Test("each mapping stands in the core whole: what is taken, and what is missing behind it")
    func layout() throws {
        var layout = CoreLayout()
        layout.add(try map(0x1000, 0x9000), taking: [run(0x2000, 0x3000), run(0x3000, 0x4000)])
        layout.add(try map(0x9000, 0xA000), taking: [run(0x9000, 0xA000)])
        layout.add(try map(0xF000, 0x10000), taking: [])
        #expect(
            layout.segments == [
                .init(address: 0x1000, fileSize: 0, size: 0x1000, flags: 6),
                .init(address: 0x2000, fileSize: 0x2000, size: 0x7000, flags: 6),
                .init(address: 0x9000, fileSize: 0x1000, size: 0x1000, flags: 6),
                .init(address: 0xF000, fileSize: 0, size: 0x1000, flags: 6),
            ]
        )
        #expect(layout.bytes == 0x3000)
        #expect(layout.pieces == [.init(address: 0x2000, size: 0x2000), .init(address: 0x9000, size: 0x1000)])
        #expect(layout.pieces.reduce(0) { $0 + $1.size } == layout.bytes)
    }

    @Test("pages of zeros have segments of their own that all lead to one place, and what is missing stays missing")
    func blankLayout() throws {
        func blank(_ start: UInt64, _ end: UInt64) -> PageRun {
            var run = run(start, end)
            run.isBlank = true
            return run
        }
        var layout = CoreLayout()
        let map = try map(0x1000, 0xC0_0000)
        layout.add(
            map,
            taking: [run(0x1000, 0x9000), blank(0x9000, 0x19000), run(0x19000, 0x1A000), blank(0x2_0000, 0x90_0000)]
        )
        #expect(
            layout.segments == [
                .init(address: 0x1000, fileSize: 0x8000, size: 0x8000, flags: 6),
                .init(address: 0x9000, fileSize: 0x10000, size: 0x10000, flags: 6, isBlank: true),
                .init(address: 0x19000, fileSize: 0x1000, size: 0x7000, flags: 6),
                .init(address: 0x2_0000, fileSize: 0x40_0000, size: 0x40_0000, flags: 6, isBlank: true),
                .init(address: 0x42_0000, fileSize: 0x40_0000, size: 0x40_0000, flags: 6, isBlank: true),
                .init(address: 0x82_0000, fileSize: 0xE_0000, size: 0x3E_0000, flags: 6, isBlank: true),
            ]
        )
        #expect(layout.bytes == 0x9000 && layout.blankBytes == 0x8F_0000 && layout.blankStretches == 2)
        #expect(layout.blankBlock == 0x40_0000)
        #expect(layout.pieces == [.init(address: 0x1000, size: 0x8000), .init(address: 0x19000, size: 0x1000)])
        let headers = CoreHeaders(layout, noteSize: 100)
        var bytes: [UInt8] = []
        headers.write { bytes += $0 }
        let offsets = (1...6).map { number in
            bytes[(64 + 56 * number + 8)..<(64 + 56 * number + 16)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let start = headers.contentOffset
        let pages = start + 0x40_0000
        #expect(offsets == [pages, start, pages + 0x8000, start, start, start])
    }

    @Test("70,000 stretches are counted by the section header", arguments: [3, 65_534, 65_535, 70_000])
    func manySegments(_ count: Int) throws {
        var layout = CoreLayout()
        for number in 0..<UInt64(count - 1) {
            layout.add(try map(0x1000 + number * 0x2000, 0x2000 + number * 0x2000), taking: [])
        }
        let headers = CoreHeaders(layout, noteSize: 100)
        var bytes: [UInt8] = []
        headers.write { bytes += $0 }
        #expect(Int(headers.contentOffset) == bytes.count + 100 + headers.padding)
        func number(_ offset: Int, _ size: Int) -> Int {
            bytes[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let isExtended = count >= 0xFFFF
        #expect(number(56, 2) == (isExtended ? 0xFFFF : count))
        #expect(number(60, 2) == (isExtended ? 1 : 0))
        if isExtended { #expect(number(number(40, 8) + 44, 4) == count) }
        #expect(bytes.count == 64 + count * 56 + (isExtended ? 64 : 0))
    }

    @Test("the syscall file gives instruction and stack pointer and the arguments, and nothing when the thread runs")
    func systemCallFile() throws {
        let line = "230 0x0 0x1 0x7f59a350ae90 0x4 0x5 0x6 0x7f59a34ae50 0x7f59ac1f545"
        let inside = try #require(ThreadRegisters.systemCall(7, line, because: "no other way"))
        #expect(inside.general[15] == 230 && inside.general[16] == 0x7F59_AC1F545)
        #expect(inside.general[19] == 0x7F59_A34AE50)
        #expect(inside.general[13] == 1 && inside.general[7] == 4 && !inside.areWhole)
        let outside = try #require(ThreadRegisters.systemCall(7, "-1 0x10 0x20", because: ""))
        #expect(outside.general[15] == .max && outside.general[19] == 0x10 && outside.general[16] == 0x20)
        #expect(ThreadRegisters.systemCall(7, "running", because: "") == nil)
        #expect(ThreadRegisters.systemCall(7, "", because: "") == nil)
    }

    @Test("R1 memory is taken after processes and sockets and before any tree")
    func order() throws {
        let scene = try Scene()
        let steps = CollectionPlan(scene.request(.full)).steps
        let memory = try #require(steps.firstIndex(of: .memory))
        let tree = try #require(steps.firstIndex { if case .tree = $0 { true } else { false } })
        let sockets = try #require(steps.firstIndex(of: .sockets))
        #expect(sockets < memory && memory < tree)
    }

    @Test("RT36 memory has a share of its own and leaves those behind it theirs")
    func share() {
        let budget = CaptureBudget(1000, withMemory: true)
        budget.enter(.memory)
        #expect(budget.left == 1000 - 630)
        #expect(!budget.take(371))
        #expect(budget.take(370))
        budget.enter(.transcripts)
        #expect(budget.left == 210)
        let without = CaptureBudget(1000)
        without.enter(.memory)
        #expect(without.left == 100)
    }

    @Test("a capture that was not asked for memory says so, and is complete without it")
    func notAsked() throws {
        let captured = try Scene().capture()
        let item = try #require(captured.items(of: "memory").first)
        #expect(item["outcome"]?.string == "skipped" && item["reason"]?.string == MemoryItem.notAsked)
        #expect(captured.sealed.isComplete)
        #expect(captured.sealed.shortfalls.isEmpty)
        #expect(try CollectionItem.notAsked(in: captured.bundle) == 1)
        captured.expectBalanced()
    }
}
