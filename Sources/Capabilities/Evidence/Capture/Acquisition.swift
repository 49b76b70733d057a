public import Base
public import Bundles
public import Kernel
public import Sealing
import Glibc

/// One capture: collects what a request names into a new bundle and seals it.
///
/// It reads and never changes the session, freezes and thaws nothing, starts no program and opens nothing below a
/// session's roots but regular files and directories. What cannot be collected becomes an item of the account; only a
/// bundle that cannot be written ends the capture.
public struct Acquisition {
    private let request: CaptureRequest
    private let host: Host
    private let control: CaptureControl
    /// How long a leased file is waited for, all of them together; `nil` asks /proc/sys/fs/lease-break-time.
    var leasePatience: Duration?
    /// Called when a file of a tree is open and before it is read, for tests of files that change meanwhile.
    var opened: (BytePath) -> Void = { _ in }

    /// Takes what to capture, on which machine, and how to tell of it.
    public init(_ request: CaptureRequest, on host: Host, control: CaptureControl = CaptureControl()) {
        self.request = request
        self.host = host
        self.control = control
    }

    /// Captures into a new directory at `path`, whose parent must exist, and seals it with `key`.
    ///
    /// When the bundle cannot be written to its end, what is there stays, unsealed, under the name with `.unsealed` behind
    /// it.
    ///
    /// - Throws: `system` with errno when the bundle cannot be made or written; the failure says how much was written
    ///   and where it lies. What is wrong with the session's own things is never thrown.
    public func capture(to path: BytePath, sealedWith key: SigningKey?) throws(Failure) -> SealedCapture {
        try capture(to: DirectoryOutlet(creating: path), sealedWith: key)
    }

    /// Captures to an outlet and seals the bundle with `key`. While it goes on, room is kept for the seal: when no more than
    /// that is left, the capture stops, and what was taken until then is sealed as partial.
    ///
    /// - Throws: `system` when the bundle cannot be written; the failure says how much was read, and what arrived where.
    public func capture(to outlet: any BundleOutlet, sealedWith key: SigningKey?) throws(Failure) -> SealedCapture {
        let meter = CaptureMeter(control) { outlet.room }
        do throws(Failure) {
            let writer = try BundleWriter(
                to: outlet,
                volumeSize: request.volumeSize,
                recipients: request.recipients
            )
            meter.furtherRoom = { UInt64(writer.filesWritten) * CaptureMeter.roomForFile }
            let run = try CaptureRun(request, on: host, writer: writer, meter: meter, acquisition: self)
            return try run.capture(sealedWith: key)
        } catch {
            throw giveUp(outlet, meter, error)
        }
    }

    private func giveUp(_ outlet: any BundleOutlet, _ meter: CaptureMeter, _ failure: Failure) -> Failure {
        let remains = outlet.abandon()
        let isFull = failure.errno == ENOSPC || failure.errno == EDQUOT
        return Failure(
            failure.code,
            "write the evidence bundle",
            on: String(decoding: remains.place.bytes, as: UTF8.self),
            because: "\(failure); \(meter.bytes) bytes of content had been read; \(remains.words)",
            errno: failure.errno,
            hint: isFull ? "free space there and capture again; the session was not touched" : failure.hint
        )
    }

    /// How long the kernel gives the holder of a lease before it breaks it (proc_sys_fs(5)); 45 seconds by default.
    func patience() -> Duration {
        if let leasePatience { return leasePatience }
        do throws(Failure) {
            let path = BytePath("sys/fs/lease-break-time")
            let file = try host.proc.descriptor.open(path, O_RDONLY)
            let digits = try file.readToEnd(limit: 64, from: path).prefix { $0 != UInt8(ascii: "\n") }
            return .seconds((Int(String(decoding: digits, as: UTF8.self)) ?? 45) + 1)
        } catch {
            return .seconds(46)
        }
    }
}
