public import Base
import Glibc

/// How a capture tells where it is and learns that it is to stop.
public struct CaptureControl: Sendable {
    /// Where a capture is.
    public struct Progress: Hashable, Sendable {
        /// What is being collected, such as `workspace`.
        public let phase: String
        /// Bytes read so far in the whole capture.
        public let bytes: UInt64
        /// Objects ended so far in the whole capture.
        public let objects: UInt64
        /// Bytes that will have been read in the whole capture when the present phase ends, when it counted them before.
        public let expectedBytes: UInt64?
    }

    /// Called at most every 100 ms and at the start of each phase, on the thread of the capture.
    public let report: @Sendable (Progress) -> Void
    /// Asked between objects and between blocks; `true` ends the capture, what is there is sealed as partial.
    public let isCancelled: @Sendable () -> Bool

    /// By when it has to end; what is there then is sealed as partial.
    public let deadline: Deadline?
    /// Bytes of content that may be read in a second; `nil` sets no bound.
    public let rate: UInt64?

    /// Whether the capture is to end now: somebody said so, or its time is over.
    public var isToStop: Bool { isCancelled() || deadline?.hasPassed ?? false }

    /// Takes all parts.
    public init(
        report: @escaping @Sendable (Progress) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false },
        deadline: Deadline? = nil,
        rate: UInt64? = nil
    ) {
        self.report = report
        self.isCancelled = isCancelled
        self.deadline = deadline
        self.rate = rate
    }
}

/// Counts for one capture, keeps the reports to ten a second and the reading to its rate, and knows when it must stop.
final class CaptureMeter {
    /// What is kept free where the bundle goes, so that it can be closed and sealed: the account, the lists, the texts.
    static let roomForSeal: UInt64 = 2 << 20
    /// And for each file of it: a kilobyte in the graph of the case, which a stream has twice for a moment, and its lines in
    /// the manifests.
    static let roomForFile: UInt64 = 2560
    /// What may be on its way through the compressor's slots, which never is more than what was read.
    private static let mostUnderway: UInt64 = 9 << 20
    /// Reading between two looks at the room that is left.
    private static let stride: UInt64 = 256 << 10

    private let control: CaptureControl
    private let room: () -> UInt64?
    private var pacer: RatePacer?
    /// Bytes that the end of the bundle needs besides ``roomForSeal``, as far as it is known by now.
    var furtherRoom: () -> UInt64 = { 0 }
    private var looked: UInt64 = 0
    private var looks: UInt64 = 0
    private var phase = ""
    private var expected: UInt64?
    private(set) var bytes: UInt64 = 0
    private var objects: UInt64 = 0
    private var reported: UInt64 = 0
    /// Why the capture stops before its end, in a few words; it stays so.
    private(set) var stopReason: String?

    /// `room` says how many bytes the place of the bundle can still take.
    init(_ control: CaptureControl, room: @escaping () -> UInt64? = { nil }) {
        self.control = control
        self.room = room
        pacer = control.rate.map { RatePacer($0, at: Deadline.monotonicNow()) }
    }

    /// Whether the capture was told to stop, or has to.
    var isCancelled: Bool { stopReason != nil }
    /// The reason of an item that is left out because of that.
    var stopWord: String { stopReason ?? "cancelled" }

    func enter(_ phase: String, expectedBytes: UInt64? = nil) {
        self.phase = phase
        expected = expectedBytes.map { $0 &+ bytes }
        tell()
    }

    func count(bytes more: Int) {
        bytes &+= UInt64(more)
        tellSometimes()
        keepToRate(more)
    }

    func countObject() {
        objects &+= 1
        if objects.isMultiple(of: 64) { tellSometimes() }
    }

    /// Asks whether to stop.
    func mustStop() -> Bool {
        if isCancelled { return true }
        if control.isCancelled() {
            stopReason = "cancelled"
        } else if let deadline = control.deadline, deadline.hasPassed {
            stopReason = "the time for the capture was over"
        } else if isFull() {
            stopReason = "no room was left where the bundle goes"
        }
        return isCancelled
    }

    /// Whether there is only room for the seal. Looked at often enough that one block more or less is in it.
    private func isFull() -> Bool {
        looks &+= 1
        guard looks == 1 || bytes &- looked >= CaptureMeter.stride || looks.isMultiple(of: 64) else { return false }
        looked = bytes
        guard let room = room() else { return false }
        return room < CaptureMeter.roomForSeal + furtherRoom() + min(bytes, CaptureMeter.mostUnderway)
    }

    /// Waits until the rate allows what was read; whoever stops the capture is not kept waiting.
    private func keepToRate(_ more: Int) {
        guard var pacer else { return }
        pacer.take(more, at: Deadline.monotonicNow())
        self.pacer = pacer
        while !mustStop() {
            let wait = pacer.wait(at: Deadline.monotonicNow())
            guard wait > 0 else { return }
            poll(nil, 0, Int32(min(100, max(1, wait / 1_000_000))))
            tellSometimes()
        }
    }

    private func tellSometimes() {
        if Deadline.monotonicNow() &- reported >= 100_000_000 { tell() }
    }

    private func tell() {
        reported = Deadline.monotonicNow()
        control.report(
            CaptureControl.Progress(phase: phase, bytes: bytes, objects: objects, expectedBytes: expected)
        )
    }
}
