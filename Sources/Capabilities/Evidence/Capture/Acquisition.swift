public import Base
import Bundles
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
    /// When the bundle cannot be written to its end, the disk being full for one, what is there stays, unsealed, under
    /// the name with `.unsealed` behind it.
    ///
    /// - Throws: `system` with errno when the bundle cannot be made or written; the failure says how much was written
    ///   and where it lies. What is wrong with the session's own things is never thrown.
    public func capture(to path: BytePath, sealedWith key: SigningKey?) throws(Failure) -> SealedCapture {
        let meter = CaptureMeter(control)
        let writer = try BundleWriter(
            creating: path,
            volumeSize: request.volumeSize,
            recipients: request.recipients
        )
        do throws(Failure) {
            let run = try CaptureRun(request, on: host, writer: writer, meter: meter, acquisition: self)
            return try run.capture(sealedWith: key)
        } catch {
            throw keepUnsealed(path, meter, error)
        }
    }

    private func keepUnsealed(_ path: BytePath, _ meter: CaptureMeter, _ failure: Failure) -> Failure {
        let unsealed = BytePath(path.bytes + Array(".unsealed".utf8))
        let renamed = path.withCString { from in unsealed.withCString { to in rename(from, to) } } == 0
        let place = renamed ? unsealed : path
        return Failure(
            failure.code,
            "write the evidence bundle",
            on: String(decoding: place.bytes, as: UTF8.self),
            because: "\(failure); \(meter.bytes) bytes of content had been read; what is there is not sealed",
            errno: failure.errno,
            hint: failure.errno == ENOSPC || failure.errno == EDQUOT
                ? "free space on the disk of the store and capture again; the session was not touched" : failure.hint
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
