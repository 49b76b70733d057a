public import Base
import Glibc
import Synchronization

/// A bundle as one plain ustar stream, written while it is made: a file leaves for good when it is whole, because its size
/// stands in front of it. Until then it waits in a file without a name in the spool folder. Members stand in the order in
/// which they were ended, the seal last (``Packing``): before the seal is there, nothing that was written is a bundle.
public final class TarOutlet: BundleOutlet {
    /// The place, for messages.
    public let path: BytePath

    private let bundle: String
    private let spool: BytePath
    private let state: Mutex<State>

    /// What takes the bytes of the stream.
    public protocol Sink: AnyObject, Sendable {
        /// Bytes that it can still take; `nil` when it does not say.
        var room: UInt64? { get }
        /// Takes bytes.
        ///
        /// - Throws: `system` when it does not.
        func append(_ bytes: UnsafeRawBufferPointer) throws(Failure)
        /// Takes note that the stream is whole.
        ///
        /// - Throws: `system` when it cannot be brought to disk.
        func finish() throws(Failure)
        /// Gives up what it took, which must never look sealed.
        ///
        /// - Parameter seal: At which byte of the stream the seal begins, when it was given: nothing from there on may stay.
        func giveUp(before seal: UInt64?) -> Remains
    }

    /// What became of the bytes that a sink took and gave up.
    public enum Remains: Hashable, Sendable {
        /// They lie there, and there is no seal among them.
        case unsealed(BytePath)
        /// They went there, and the seal perhaps with them.
        case perhapsSealed(BytePath)
        /// They are lost, for this reason.
        case nothing(String)
    }

    private struct State: Sendable {
        /// Files that went out whole, without the seal.
        var files = 0
        var bytes: UInt64 = 0
        /// At which byte the seal begins.
        var seal: UInt64?
        var failure: Failure?
    }

    private let sink: any Sink
    /// Bytes in the spool that have to go to the sink as well. Not in the state, whose lock is held while the sink is waited for.
    private let waiting = Atomic<UInt64>(0)

    /// Writes the bundle called `bundle` into `sink`, waiting in the folder `spool`.
    ///
    /// - Parameter path: The place, for messages.
    public init(_ bundle: String, at path: BytePath, into sink: any Sink, spool: BytePath) {
        self.bundle = bundle
        self.path = path
        self.sink = sink
        self.spool = spool
        state = Mutex(State())
    }

    /// What the spool's file system can still take, and the sink besides what waits for it in the spool.
    public var room: UInt64? {
        let waits = waiting.load(ordering: .relaxed)
        let left = sink.room.map { $0 - min($0, waits) }
        return [FreeRoom.of(folder: spool), left].compactMap { $0 }.min()
    }

    /// Begins a file in the spool.
    ///
    /// - Throws: `system` with errno.
    public func begin(_ name: String) throws(Failure) -> any OutletFile {
        TarFile(name, of: self, try SpoolFile(in: spool))
    }

    /// Nothing: the sink is brought to disk at its end.
    public func settle(_ names: [String]) throws(Failure) {}

    /// Ends the stream.
    ///
    /// - Throws: what the sink throws.
    public func finish(seal: String) throws(Failure) {
        try state.withLock { state throws(Failure) in
            try put([UInt8](repeating: 0, count: 2 * UstarHeader.blockSize), &state)
            try sink.finish()
        }
    }

    /// Gives up what went out.
    public func abandon() -> OutletRemains {
        state.withLock { state in
            let sent = OutletRemains.words(state.files, min(state.bytes, state.seal ?? .max))
            switch sink.giveUp(before: state.seal) {
            case .unsealed(let place):
                return OutletRemains(place: place, words: "\(sent), went there without a seal")
            case .perhapsSealed(let place):
                return OutletRemains(place: place, words: "\(sent), went there; \(OutletRemains.perhapsSealed)")
            case .nothing(let reason):
                return OutletRemains(place: path, words: "nothing of it could be kept: \(reason)")
            }
        }
    }

    /// Counts bytes that came to the spool, or left it.
    fileprivate func wait(for bytes: Int) { waiting.wrappingAdd(UInt64(bytes), ordering: .relaxed) }
    fileprivate func waitNoMore(for bytes: UInt64) { waiting.wrappingSubtract(bytes, ordering: .relaxed) }

    /// Moves a file that is whole from the spool into the stream.
    fileprivate func take(_ name: String, _ file: SpoolFile) throws(Failure) {
        try state.withLock { state throws(Failure) in
            if let failure = state.failure { throw failure }
            guard let header = UstarHeader(bundle: bundle, name: name, size: file.size) else {
                throw Failure(.refused, "pack the bundle", on: name, because: "8 GiB or more do not fit a member")
            }
            if isSeal(name) { state.seal = state.bytes }
            do throws(Failure) {
                try put(header.block, &state)
                try file.forEach { bytes throws(Failure) in
                    try sink.append(bytes)
                    state.bytes += UInt64(bytes.count)
                }
                try put([UInt8](repeating: 0, count: UstarHeader.padding(after: file.size)), &state)
            } catch {
                // A member that was cut can have nothing behind it.
                state.failure = error
                throw error
            }
            if !isSeal(name) { state.files += 1 }
        }
    }

    private func put(_ bytes: [UInt8], _ state: inout State) throws(Failure) {
        try bytes.withRawBytes { buffer throws(Failure) in try sink.append(buffer) }
        state.bytes += UInt64(bytes.count)
    }
}

private final class TarFile: OutletFile {
    private let name: String
    private let outlet: TarOutlet
    private let spool: SpoolFile

    init(_ name: String, of outlet: TarOutlet, _ spool: SpoolFile) {
        self.name = name
        self.outlet = outlet
        self.spool = spool
    }

    deinit { outlet.waitNoMore(for: spool.size) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        try spool.append(bytes)
        outlet.wait(for: bytes.count)
    }

    func close() throws(Failure) {
        try outlet.take(name, spool)
        let size = spool.size
        try spool.empty()
        outlet.waitNoMore(for: size)
    }
}

/// A new file here as the sink of a ``TarOutlet``: it has its name only when it is whole.
/// Unchecked: its outlet calls it with a lock held, and the descriptor never changes.
public final class TarFileSink: TarOutlet.Sink, @unchecked Sendable {
    private let file: NascentFile

    /// Makes it, still without a name.
    ///
    /// - Throws: `system` with EEXIST when something stands there already, or another errno.
    public init(creating path: BytePath) throws(Failure) {
        file = try NascentFile(for: path, attempt: "make the packed bundle")
    }

    /// What its file system has free.
    public var room: UInt64? { FreeRoom.of(descriptor: file.descriptor.number) }

    /// Takes bytes.
    ///
    /// - Throws: `system` with errno.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file.append(bytes) }

    /// Brings it to disk and gives it its name.
    ///
    /// - Throws: `system` with errno.
    public func finish() throws(Failure) { try file.publish() }

    /// Takes the seal away and gives the rest the name with `.unsealed` behind it, or a number more when that is taken.
    public func giveUp(before seal: UInt64?) -> TarOutlet.Remains {
        do throws(Failure) {
            if let seal { try file.cut(to: seal) }
            return .unsealed(try file.keep(as: file.path.unsealed))
        } catch {
            return .nothing(error.reason)
        }
    }
}
