import Base
import Kernel

/// A held object in a reference, because a stack of levels cannot hold values that have one owner.
final class HeldFolder {
    let node: FileNode

    init(_ node: consuming FileNode) { self.node = node }

    /// The directory above, or `nil` when it cannot be taken hold of.
    static func above(_ held: HeldFolder) -> HeldFolder? {
        do throws(Failure) {
            return HeldFolder(try held.node.above())
        } catch {
            // Not lost: the caller goes down from the root instead, and reports what that says.
            return nil
        }
    }
}

/// How many bytes the names take that all levels of a walk hold together.
final class NamesLedger {
    var bytes = 0
}

/// One directory on the way from the root to where a walk is.
final class WalkLevel {
    /// Its name; empty for the root.
    let name: BytePath
    let identity: FileIdentity
    let isFolder: Bool
    /// `nil` while the descriptor is given back.
    var held: HeldFolder?
    let ledger: NamesLedger
    private var names: FileNames? {
        didSet { ledger.bytes += (names?.footprint ?? 0) - (oldValue?.footprint ?? 0) }
    }
    private var position = 0
    private var last: BytePath?
    private var isDone = false

    init(_ name: BytePath, _ held: HeldFolder, _ ledger: NamesLedger) {
        self.name = name
        self.ledger = ledger
        self.held = held
        identity = held.node.facts.identity
        isFolder = held.node.facts.kind == .directory
    }

    deinit { ledger.bytes -= names?.footprint ?? 0 }

    /// Lists the next run of names.
    func list(_ limit: Int) throws(Failure) {
        guard let held else { preconditionFailure("a directory is held when it is listed") }
        names = try held.node.names(after: last, limit: limit)
        position = 0
    }

    /// The next name, or `nil` after the last.
    func next(_ limit: Int) throws(Failure) -> BytePath? {
        if isDone { return nil }
        if names.map({ position == $0.count && $0.hasMore }) ?? true { try list(limit) }
        guard let names, position < names.count else {
            giveUp()
            return nil
        }
        let name = names[position]
        position += 1
        last = name
        return name
    }

    func child(_ name: BytePath) throws(Failure) -> HeldFolder {
        guard let held else { preconditionFailure("a directory is held when its children are looked at") }
        return HeldFolder(try held.node.child(name))
    }

    /// Gives the names back; those after the last one that was handed out are listed again when they are needed.
    func forgetNames() { names = nil }

    /// No more names.
    func giveUp() {
        isDone = true
        names = nil
    }
}

/// The path from the root to the present directory, grown and shrunk in place.
struct WalkPath {
    private var bytes: [UInt8] = []
    private var lengths: [Int] = []

    var length: Int { bytes.count }
    var whole: BytePath { BytePath(bytes) }

    func joined(with name: BytePath) -> BytePath {
        if bytes.isEmpty { return name }
        var joined: [UInt8] = []
        joined.reserveCapacity(bytes.count + 1 + name.bytes.count)
        joined += bytes
        joined.append(UInt8(ascii: "/"))
        joined += name.bytes
        return BytePath(joined)
    }

    mutating func append(_ name: BytePath) {
        lengths.append(bytes.count)
        if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
        bytes += name.bytes
    }

    /// Drops the last name; for the root there is none.
    mutating func removeLast() {
        guard let length = lengths.popLast() else { return }
        bytes.removeSubrange(length...)
    }
}
