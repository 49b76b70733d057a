public import Base

/// The numbers of /proc/PID/stat that Quell uses; reading them makes no string. Source: proc_pid_stat(5).
public struct StatNumbers: Hashable, Sendable {
    /// The state letter: R, S, D, Z, T, t, X, I.
    public let state: UInt8
    /// The parent's pid, 0 for the first process of a namespace.
    public let parent: Int32
    /// The process group.
    public let group: Int32
    /// The session id, setsid(2).
    public let session: Int32
    /// The kernel's flags (field 9).
    public let flags: UInt64
    /// Time in user mode, in clock ticks.
    public let userTicks: UInt64
    /// Time in the kernel, in clock ticks.
    public let systemTicks: UInt64
    /// How many threads the process has.
    public let threads: Int32
    /// When it began, in clock ticks since boot (field 22).
    public let startTicks: UInt64

    /// Whether this is a thread of the kernel: PF_KTHREAD.
    public var isKernelThread: Bool { flags & 0x0020_0000 != 0 }
    /// Whether it has ended and waits for its parent.
    public var isZombie: Bool { state == UInt8(ascii: "Z") || state == UInt8(ascii: "X") }

    /// Parses the fields behind the last `)`, because the name before it may hold anything. `nil` when a field is
    /// missing or is no number.
    public init?(parsing bytes: UnsafeRawBufferPointer) {
        guard let close = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        var fields = FieldReader(bytes, from: close + 1)
        guard let letter = fields.next(), letter.count == 1, let parent = fields.nextInt64(),
            let group = fields.nextInt64(), let session = fields.nextInt64(),
            fields.skip(2), let flags = fields.nextInt64(), fields.skip(4),
            let user = fields.nextInt64(), let system = fields.nextInt64(), fields.skip(4),
            let threads = fields.nextInt64(), fields.skip(1), let start = fields.nextInt64()
        else { return nil }
        state = letter[letter.startIndex]
        self.parent = Int32(truncatingIfNeeded: parent)
        self.group = Int32(truncatingIfNeeded: group)
        self.session = Int32(truncatingIfNeeded: session)
        self.flags = UInt64(bitPattern: flags)
        userTicks = UInt64(bitPattern: user)
        systemTicks = UInt64(bitPattern: system)
        self.threads = Int32(truncatingIfNeeded: threads)
        startTicks = UInt64(bitPattern: start)
    }
}

/// /proc/PID/stat with the name.
public struct ProcessStat: Hashable, Sendable {
    /// The pid, or the thread id for a thread's file.
    public let pid: Int32
    /// The name as bytes; the process can set it to anything, parentheses and newlines included.
    public let name: BytePath
    /// All the numbers.
    public let numbers: StatNumbers

    /// The process as it is pinned.
    public var pin: ProcessPin { ProcessPin(pid: pid, startTicks: numbers.startTicks) }

    /// Parses a whole stat file; `nil` when it has not the documented form.
    public init?(parsing bytes: UnsafeRawBufferPointer) {
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")), let close = bytes.lastIndex(of: UInt8(ascii: ")")),
            open > 0, open < close, let pid = Decimal.int32(bytes[..<(open - 1)]),
            let numbers = StatNumbers(parsing: bytes)
        else { return nil }
        self.pid = pid
        name = BytePath(bytes[(open + 1)..<close])
        self.numbers = numbers
    }

    /// Parses a whole stat file from an array.
    public init?(parsing bytes: [UInt8]) {
        let parsed = bytes.withUnsafeBytes { ProcessStat(parsing: $0) }
        guard let parsed else { return nil }
        self = parsed
    }
}

/// Walks fields that are separated by single spaces.
struct FieldReader {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int

    init(_ bytes: UnsafeRawBufferPointer, from position: Int) {
        self.bytes = bytes
        self.position = position
    }

    mutating func next() -> Slice<UnsafeRawBufferPointer>? {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        let start = position
        while position < bytes.count, bytes[position] > UInt8(ascii: " ") { position += 1 }
        return start == position ? nil : bytes[start..<position]
    }

    /// A decimal; values above the signed range (field 9 and the addresses) wrap to their bit pattern.
    mutating func nextInt64() -> Int64? {
        while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
        var isNegative = false
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") {
            isNegative = true
            position += 1
        }
        let start = position
        var value: UInt64 = 0
        while position < bytes.count {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            position += 1
        }
        guard position > start else { return nil }
        let signed = Int64(bitPattern: value)
        return isNegative ? -signed : signed
    }

    mutating func skip(_ count: Int) -> Bool {
        for _ in 0..<count where next() == nil { return false }
        return true
    }
}
