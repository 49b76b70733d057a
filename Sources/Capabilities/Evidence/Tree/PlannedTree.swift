public import Base
public import Kernel

/// One root of a session that is to be archived.
public struct PlannedTree: Hashable, Sendable {
    /// What it holds. Transcripts have a budget of their own (RT36).
    public enum Role: Hashable, Sendable {
        /// The agent's work.
        case workspace
        /// What the agent wrote down of itself.
        case transcripts
        /// What a container wrote over its image, a verified upper layer (RT10).
        case upper
        /// The root of the session, as the session sees it.
        case root
        /// A mount of the session's own.
        case mount
    }

    /// Its name in the bundle, `[a-z0-9-]+`: `workspace`, `workspace-2`, `transcripts`.
    public let name: String
    /// The absolute path; no component may be a symbolic link (RT35). Below the root of `inside`, when there is one.
    public let path: BytePath
    /// What it holds.
    public let role: Role
    /// The process through whose root the path leads: /proc/PID/root.
    public var inside: ProcessPin?
    /// Which object it has to be still when it is opened.
    public var identity: FileIdentity?
    /// The names directly below it that belong to it; `*` at one end of it stands for
    /// anything. Empty: all.
    public var only: [BytePath] = []
    /// Names that hold secrets: what has one, at any depth or below it, is told and not read.
    public var withheld: Set<BytePath> = []
    /// Why policy leaves it out; `nil` when it is to be archived.
    public var leftOut: String?
    /// Why it cannot be reached, found out before; `nil` when it can.
    public var lost: Failure?
    /// What else is to be known of it, told with its outcome.
    public var remark: String?

    /// Takes what every root has.
    public init(name: String, path: BytePath, role: Role) {
        self.name = name
        self.path = path
        self.role = role
    }

    /// The same root under another name.
    func named(_ name: String) -> PlannedTree {
        var tree = PlannedTree(name: name, path: path, role: role)
        (tree.inside, tree.identity, tree.only, tree.withheld) = (inside, identity, only, withheld)
        (tree.leftOut, tree.lost, tree.remark) = (leftOut, lost, remark)
        return tree
    }

    var item: CollectionItem.Class { role == .transcripts ? .transcript : .file }

    /// Takes hold of it.
    ///
    /// - Throws: `notFound` and others; `changed` when it is not the object that was planned.
    func open(on host: Host) throws(Failure) -> HeldFolder {
        let held = try TreePlace(path: path, inside: inside).open(on: host)
        if let identity, held.node.facts.identity != identity {
            throw Failure(.changed, "open the root", on: "\(path)", because: "another object stands there now")
        }
        return held
    }

    /// Whether an object of that path below it belongs to it.
    public func has(_ path: BytePath) -> Bool {
        if only.isEmpty || path.isEmpty { return true }
        let first = path.bytes.prefix { $0 != UInt8(ascii: "/") }
        return only.contains { wanted in
            let star = UInt8(ascii: "*")
            if wanted.bytes.last == star { return first.starts(with: wanted.bytes.dropLast()) }
            if wanted.bytes.first == star {
                let end = wanted.bytes.dropFirst()
                return first.count >= end.count && first.suffix(end.count).elementsEqual(end)
            }
            return first.elementsEqual(wanted.bytes)
        }
    }

    /// Whether policy leaves the content of an object out.
    func withholds(_ path: BytePath) -> Bool {
        !withheld.isEmpty && path.components.contains { withheld.contains($0) }
    }
}

/// A path of the host's, or one below the root of a process: then no component leads out of it, whatever the session put
/// there.
struct TreePlace: Hashable, Sendable {
    let path: BytePath
    var inside: ProcessPin?

    /// What stands there, asked on a thread that is left behind when a process that may be frozen does not answer (RT7): a
    /// home can lie on a filesystem that the session serves. `nil` when nothing stands there.
    ///
    /// - Throws: `timedOut`, and why it cannot be told whether something stands there.
    func look(on host: Host, by reader: ImpatientReader) throws(Failure) -> FileFacts? {
        let place = self
        let answer = try reader.read("look at a place of the session's", on: "\(path)") {
            () -> Result<FileFacts?, Failure> in
            do throws(Failure) {
                let held = try place.open(on: host)
                // Asks the filesystem's server, when it has one: who reads it later asks it, too.
                _ = held.node.isServedByProcess()
                return .success(held.node.facts)
            } catch {
                if error.code == .notFound || place.isBelowFile(on: host) { return .success(nil) }
                return .failure(error)
            }
        }
        return try answer.get()
    }

    /// Whether a component above the last is a file or a device, so that nothing can stand there. A link may lead
    /// anywhere and is none of these.
    private func isBelowFile(on host: Host) -> Bool {
        do throws(Failure) {
            var held = try TreePlace(path: BytePath("/"), inside: inside).open(on: host)
            for component in path.components {
                if held.node.facts.kind != .directory { return held.node.facts.kind != .symlink }
                held = HeldFolder(try held.node.child(component))
            }
            return false
        } catch {
            return false
        }
    }

    func open(on host: Host) throws(Failure) -> HeldFolder {
        guard let inside else { return HeldFolder(try FileNode.at(path)) }
        let process = try ProcessDirectory(inside, on: host)
        var held = HeldFolder(try FileNode(try process.prefixOfLiving() + "root", of: process))
        for component in path.components { held = HeldFolder(try held.node.child(component)) }
        return held
    }
}
