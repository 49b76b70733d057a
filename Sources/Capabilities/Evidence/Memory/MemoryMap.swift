import Glibc

/// One mapping of a process as /proc/PID/smaps tells it (proc_pid_smaps(5)).
struct MemoryMap: Hashable, Sendable {
    let start: UInt64
    let end: UInt64
    let isReadable: Bool
    let isWritable: Bool
    let isExecutable: Bool
    /// MAP_SHARED.
    let isShared: Bool
    /// Where in the file it begins, in bytes.
    let offset: UInt64
    let device: String
    /// 0 when there is no file behind it.
    let inode: UInt64
    /// As the kernel writes it, with `\012` for a line feed; hostile.
    let name: [UInt8]
    /// Whether anything of it is in RAM or in swap.
    var isTouched = false
    /// `io` or `pf` in VmFlags: memory of a device, never read.
    var isDevice = false

    /// Legacy code page of the kernel's, the same in every process and not the process's own.
    var isVsyscall: Bool { start >= 1 << 63 }

    /// PF_R, PF_W and PF_X of a program header.
    var elfFlags: UInt32 { (isReadable ? 4 : 0) | (isWritable ? 2 : 0) | (isExecutable ? 1 : 0) }
}

/// Reads /proc/PID/smaps piece by piece. Lines of mappings begin with a digit or a small letter, those of their figures
/// with a capital one.
struct SmapsReader {
    /// How many mappings of one process are taken; vm.max_map_count is 65,530 unless the host raised it.
    static let mostMaps = 1 << 20

    private(set) var maps: [MemoryMap] = []
    /// Mappings beyond the bound, and lines that are no mapping and no figure.
    private(set) var leftOut = 0
    private var rest: [UInt8] = []

    /// Takes the next bytes.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        var position = 0
        while position < bytes.count {
            guard let found = memchr(base + position, 0x0A, bytes.count - position) else {
                rest.append(contentsOf: bytes[position...])
                return
            }
            let end = UnsafeRawPointer(found) - base
            if rest.isEmpty {
                take(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
            } else {
                rest.append(contentsOf: bytes[position..<end])
                let line = rest
                rest = []
                line.withUnsafeBytes { take($0) }
            }
            position = end + 1
        }
    }

    private mutating func take(_ line: UnsafeRawBufferPointer) {
        guard let first = line.first else { return }
        if first < UInt8(ascii: "A") || first > UInt8(ascii: "Z") {
            guard maps.count < Self.mostMaps, let map = MemoryMap(line) else {
                leftOut += 1
                return
            }
            maps.append(map)
        } else if let last = maps.indices.last {
            note(line, of: last)
        }
    }

    private mutating func note(_ line: UnsafeRawBufferPointer, of index: Int) {
        guard line.count > 8, !maps[index].isTouched || line[0] == UInt8(ascii: "V") else { return }
        switch (line[0], line[1], line[3], line[4]) {
        case (UInt8(ascii: "R"), UInt8(ascii: "s"), UInt8(ascii: ":"), _),
            (UInt8(ascii: "S"), UInt8(ascii: "w"), _, UInt8(ascii: ":")):
            if Self.isNotZero(line) { maps[index].isTouched = true }
        case (UInt8(ascii: "V"), UInt8(ascii: "m"), _, _): maps[index].isDevice = Self.isDevice(line)
        default: break
        }
    }

    private static func isNotZero(_ line: UnsafeRawBufferPointer) -> Bool {
        var position = 4
        while position < line.count {
            if line[position] > UInt8(ascii: "0"), line[position] <= UInt8(ascii: "9") { return true }
            position += 1
        }
        return false
    }

    /// `VmFlags:` and flags of two letters, each behind a space.
    private static func isDevice(_ line: UnsafeRawBufferPointer) -> Bool {
        var position = 9
        while position + 1 < line.count {
            switch (line[position], line[position + 1]) {
            case (UInt8(ascii: "i"), UInt8(ascii: "o")), (UInt8(ascii: "p"), UInt8(ascii: "f")): return true
            default: position += 3
            }
        }
        return false
    }
}

extension MemoryMap {
    /// `START-END PERMS OFFSET MAJOR:MINOR INODE    NAME`; `nil` when it is not of that form.
    init?(_ line: UnsafeRawBufferPointer) {
        var fields = Fields(line)
        guard let start = fields.number(16, until: "-"), let end = fields.number(16, until: " "), start < end,
            start % 4096 == 0, end % 4096 == 0, let permissions = fields.word(), permissions.count == 4,
            let offset = fields.number(16, until: " "), let device = fields.word(),
            let inode = fields.number(10, until: " ")
        else { return nil }
        self.start = start
        self.end = end
        let letters = Array(permissions)
        isReadable = letters[0] == UInt8(ascii: "r")
        isWritable = letters[1] == UInt8(ascii: "w")
        isExecutable = letters[2] == UInt8(ascii: "x")
        isShared = letters[3] == UInt8(ascii: "s")
        self.offset = offset
        self.device = String(decoding: device, as: UTF8.self)
        self.inode = inode
        name = Array(fields.rest.drop { $0 == UInt8(ascii: " ") })
    }

    private struct Fields {
        private(set) var rest: Slice<UnsafeRawBufferPointer>

        init(_ line: UnsafeRawBufferPointer) { rest = line[...] }

        mutating func word() -> Slice<UnsafeRawBufferPointer>? {
            let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
            guard end > rest.startIndex else { return nil }
            let word = rest[rest.startIndex..<end]
            rest = rest[min(end + 1, rest.endIndex)...]
            return word
        }

        /// A number up to `stop` or the end of the line; no digits, too many or another sign give `nil`.
        mutating func number(_ radix: UInt64, until stop: Unicode.Scalar) -> UInt64? {
            var value: UInt64 = 0
            var position = rest.startIndex
            while position < rest.endIndex, rest[position] != UInt8(ascii: stop) {
                guard let digit = Self.digit(rest[position]), digit < radix else { return nil }
                let (product, over) = value.multipliedReportingOverflow(by: radix)
                let (sum, carry) = product.addingReportingOverflow(digit)
                guard !over, !carry else { return nil }
                value = sum
                position += 1
            }
            guard position > rest.startIndex else { return nil }
            rest = rest[min(position + 1, rest.endIndex)...]
            return value
        }

        private static func digit(_ byte: UInt8) -> UInt64? {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
            default: nil
            }
        }
    }
}
