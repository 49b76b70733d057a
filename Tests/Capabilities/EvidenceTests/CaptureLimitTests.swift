import Base
import Bundles
import Glibc
import Kernel
import Synchronization
import Testing

@testable import Evidence

@Suite("what bounds a capture")
struct CaptureLimitTests {
    @Test("a place with no room left ends a capture in a sealed bundle that says so")
    func full() throws {
        let scene = try Scene()
        scene.python("[open('f%03d' % n, 'wb').write(os.urandom(100000)) for n in range(100)]")
        let outlet = SmallPlace(try DirectoryOutlet(creating: BytePath(scene.folder + "/bundle")), room: 8 << 20)
        let sealed = try Acquisition(scene.request(), on: try Host()).capture(to: outlet, sealedWith: nil)
        let captured = try Captured(sealed, in: scene)
        captured.expectBalanced()
        #expect(sealed.stopped == "no room was left where the bundle goes")
        #expect(sealed.wasCancelled && !sealed.isComplete && !sealed.hasRequiredClasses)
        let tree = try #require(captured.items(of: "tree").first)
        #expect(tree["outcome"]?.string == "partial")
        #expect(tree["reason"]?.string?.hasPrefix("no room was left where the bundle goes") == true)
        #expect(captured.items(of: "file").count > 10 && captured.items(of: "file").count < 100)
        #expect(outlet.left >= 1 << 20, "what is kept is enough for the seal")
    }

    @Test("the room that is kept grows with the files of the bundle")
    func roomForSeal() {
        let meter = CaptureMeter(CaptureControl()) { 3 << 20 }
        #expect(!meter.mustStop())
        let larger = CaptureMeter(CaptureControl()) { 3 << 20 }
        larger.furtherRoom = { 500 * CaptureMeter.roomForFile }
        #expect(larger.mustStop() && larger.stopReason == "no room was left where the bundle goes")
    }

    @Test("a rate is kept in each second: time in which nothing was read is not saved up")
    func rate() {
        let second: UInt64 = 1_000_000_000
        var pacer = RatePacer(1000, at: 5 * second)
        pacer.take(1000, at: 5 * second)
        #expect(pacer.wait(at: 5 * second) == second)
        pacer.take(500, at: 6 * second)
        #expect(pacer.wait(at: 6 * second) == second / 2)
        #expect(pacer.wait(at: 7 * second) == 0)
        pacer.take(3000, at: 65 * second)
        #expect(pacer.wait(at: 65 * second) == 2 * second, "a minute's rest gives one second of it")
    }

    @Test("a capture whose time is over is sealed with what it has, and its rate is kept")
    func limited() throws {
        let scene = try Scene()
        scene.python("[open('f%02d' % n, 'wb').write(os.urandom(1 << 20)) for n in range(40)]")
        let begun = Deadline.monotonicNow()
        let control = CaptureControl(deadline: Deadline(after: .milliseconds(1500)), rate: 4 << 20)
        let captured = try scene.capture(control: control)
        captured.expectBalanced()
        #expect(captured.sealed.stopped == "the time for the capture was over")
        #expect(captured.items(of: "file").contains { $0["outcome"]?.string == "collected" })
        let read = try #require(captured.bundle.payload.first { $0.name.text.hasSuffix("workspace.pax.zst.000") }?.size)
        // What is noise is as large compressed; one block may be read before it is waited for.
        let seconds = Double(Deadline.monotonicNow() - begun) / 1e9
        #expect(Double(read) <= (seconds * 4 + 2) * 1_048_576)
    }
}

/// A directory on a file system that is as large as it is told to be.
private final class SmallPlace: BundleOutlet {
    private let inner: DirectoryOutlet
    private let taken = Atomic<Int>(0)
    private let size: Int

    init(_ inner: DirectoryOutlet, room size: Int) {
        self.inner = inner
        self.size = size
    }

    var left: Int { size - taken.load(ordering: .relaxed) }
    var path: BytePath { inner.path }
    var room: UInt64? { UInt64(max(0, left)) }

    func begin(_ name: String) throws(Failure) -> any OutletFile { SmallFile(try inner.begin(name), in: self) }
    func settle(_ names: [String]) throws(Failure) { try inner.settle(names) }
    func finish(seal: String) throws(Failure) { try inner.finish(seal: seal) }
    func abandon() -> OutletRemains { inner.abandon() }

    fileprivate func take(_ count: Int) throws(Failure) {
        guard taken.add(count, ordering: .relaxed).newValue <= size else {
            throw Failure(errno: ENOSPC, "write the file", on: path)
        }
    }
}

private final class SmallFile: OutletFile {
    private let inner: any OutletFile
    private let place: SmallPlace

    init(_ inner: any OutletFile, in place: SmallPlace) {
        self.inner = inner
        self.place = place
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try place.take(bytes.count)
        try inner.append(bytes)
    }

    func close() throws(Failure) { try inner.close() }
}
