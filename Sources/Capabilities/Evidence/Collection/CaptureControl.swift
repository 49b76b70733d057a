import Base

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
        /// Bytes that the present phase found to read, when it counted them before.
        public let expectedBytes: UInt64?
    }

    /// Called at most every 100 ms and at the start of each phase, on the thread of the capture.
    public let report: @Sendable (Progress) -> Void
    /// Asked between objects and between blocks; `true` ends the capture, what is there is sealed as partial.
    public let isCancelled: @Sendable () -> Bool

    /// Takes both.
    public init(
        report: @escaping @Sendable (Progress) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }
    ) {
        self.report = report
        self.isCancelled = isCancelled
    }
}

/// Counts for one capture and keeps the reports to ten a second.
final class CaptureMeter {
    private let control: CaptureControl
    private var phase = ""
    private var expected: UInt64?
    private(set) var bytes: UInt64 = 0
    private var objects: UInt64 = 0
    private var reported: UInt64 = 0
    /// Whether the capture was told to stop; it stays so.
    private(set) var isCancelled = false

    init(_ control: CaptureControl) { self.control = control }

    func enter(_ phase: String, expectedBytes: UInt64? = nil) {
        self.phase = phase
        expected = expectedBytes
        tell()
    }

    func count(bytes more: Int) {
        bytes &+= UInt64(more)
        tellSometimes()
    }

    func countObject() {
        objects &+= 1
        if objects.isMultiple(of: 64) { tellSometimes() }
    }

    /// Asks whether to stop.
    func mustStop() -> Bool {
        if !isCancelled { isCancelled = control.isCancelled() }
        return isCancelled
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
