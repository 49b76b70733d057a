import Base
import Glibc
import Kernel

/// What a walk tells of one object that it took hold of.
struct WalkedObject {
    /// The path below the root, without a leading slash; empty for the root itself.
    let path: BytePath
    /// Whether it stands on another mount than the root. Such a directory is not entered (RT24).
    let isOnOtherMount: Bool
    /// Why a directory could not be listed.
    let listing: Failure?
}

/// Who is told of the objects of a tree.
protocol TreeVisitor: AnyObject {
    /// An object, held; parents come before children. `false` ends the walk.
    func visit(_ object: WalkedObject, _ node: borrowing FileNode) throws(Failure) -> Bool
    /// A name that could not be taken hold of, or a directory whose remaining names are lost. `false` ends the walk.
    func miss(_ path: BytePath, because failure: Failure) throws(Failure) -> Bool
    /// A name that a limit of the walk leaves out.
    func passOver(_ path: BytePath, because reason: String) throws(Failure)
}

/// Visits every object below a root once: each directory's names in the order of their bytes, a directory before what
/// lies in it, no symbolic link ever followed, no other mount entered.
///
/// The tree is hostile. There is no recursion; at most ``openFolders`` directories are held, those further up are given
/// back and found again through `..` or from the root, by component, and compared by device and inode; names are listed
/// in runs, and runs of directories further up are given back and listed again when they take more than
/// ``namesFootprint`` bytes. So memory depends on neither depth nor width, except by one name for each level.
///
/// The order is decided here because the digests of a second capture of an unchanged tree have to be the same (R7):
/// directories are read again for each run of ``namesInRun`` names instead of being sorted on disk.
struct TreeWalker {
    /// The longest path below the root, in bytes, that is followed. Archives repeat the whole path for each object, so
    /// that a deeper tree would cost the square of its depth.
    static let longestPath = 65_536
    static let openFolders = 64
    static let namesInRun = 65_536
    static let namesFootprint = 16 << 20

    private let root: BytePath
    private let open: () throws(Failure) -> HeldFolder
    private let has: (BytePath) -> Bool
    private let namesInRun: Int
    private let openFolders: Int

    /// Takes the absolute path of the root. The limits are parameters for tests.
    init(_ root: BytePath, namesInRun: Int = TreeWalker.namesInRun, openFolders: Int = TreeWalker.openFolders) {
        self.root = root
        self.namesInRun = namesInRun
        self.openFolders = openFolders
        open = { () throws(Failure) in HeldFolder(try FileNode.at(root)) }
        has = { _ in true }
    }

    /// Walks what belongs to a planned root.
    init(_ tree: PlannedTree, on host: Host) {
        root = tree.path
        namesInRun = TreeWalker.namesInRun
        openFolders = TreeWalker.openFolders
        open = { () throws(Failure) in try tree.open(on: host) }
        has = { tree.has($0) }
    }

    /// Walks the tree.
    ///
    /// - Throws: what the visitor throws, and what ``takeHold()`` throws.
    func walk(_ visitor: some TreeVisitor) throws(Failure) { try walk(visitor, from: try takeHold()) }

    /// Takes hold of the root.
    ///
    /// - Throws: `notFound` and others when that is not possible; `refused` when its filesystem is served by a process
    ///   that may be frozen.
    func takeHold() throws(Failure) -> HeldFolder {
        let top = try open()
        guard top.node.facts.kind == .directory else {
            // A root that is a symbolic link was not resolved by anybody who may (RT35).
            throw Failure(errno: top.node.facts.kind == .symlink ? ELOOP : ENOTDIR, "walk the tree", on: root)
        }
        guard !top.node.isServedByProcess() else {
            throw Failure(
                .refused,
                "walk the tree",
                on: "\(root)",
                because: "it is a FUSE filesystem, and the process that serves it may be frozen"
            )
        }
        return top
    }

    /// Walks the tree below a root that is held.
    ///
    /// - Throws: what the visitor throws.
    func walk(_ visitor: some TreeVisitor, from top: HeldFolder) throws(Failure) {
        let home = Home(top.node.facts)
        let first = WalkLevel(BytePath(""), top, NamesLedger())
        guard try enter(first, at: BytePath(""), for: visitor) else { return }
        var levels = [first]
        var path = WalkPath()
        while let level = levels.last {
            let name: BytePath?
            do throws(Failure) {
                try regain(&levels)
                name = try level.next(namesInRun)
            } catch {
                guard try visitor.miss(path.whole, because: error) else { return }
                level.giveUp()
                leave(&levels, &path)
                continue
            }
            guard let name else {
                leave(&levels, &path)
                continue
            }
            guard path.length + name.bytes.count < TreeWalker.longestPath else {
                try visitor.passOver(
                    path.joined(with: name),
                    because: "the path is longer than \(TreeWalker.longestPath) bytes"
                )
                continue
            }
            guard let child = try look(at: name, in: level, path, home: home, for: visitor) else { return }
            guard let next = child.level else { continue }
            levels.append(next)
            path.append(name)
            spare(levels)
        }
    }

    /// What became of one name: a level to enter, or nothing more to do.
    private struct Looked { let level: WalkLevel? }

    /// Takes hold of one child and shows it; `nil` when the visitor ends the walk.
    private func look(
        at name: BytePath,
        in level: WalkLevel,
        _ path: WalkPath,
        home: Home,
        for visitor: some TreeVisitor
    ) throws(Failure) -> Looked? {
        let whole = path.joined(with: name)
        guard has(whole) else { return Looked(level: nil) }
        let held: HeldFolder
        do throws(Failure) {
            held = try level.child(name)
        } catch {
            return try visitor.miss(whole, because: error) ? Looked(level: nil) : nil
        }
        let elsewhere = !home.holds(held.node.facts)
        guard held.node.facts.kind == .directory, !elsewhere else {
            let object = WalkedObject(path: whole, isOnOtherMount: elsewhere, listing: nil)
            return try visitor.visit(object, held.node) ? Looked(level: nil) : nil
        }
        let next = WalkLevel(name, held, level.ledger)
        return try enter(next, at: whole, for: visitor) ? Looked(level: next) : nil
    }

    /// Lists a directory for the first time and shows it.
    private func enter(_ level: WalkLevel, at path: BytePath, for visitor: some TreeVisitor) throws(Failure) -> Bool {
        var problem: Failure?
        if level.isFolder {
            do throws(Failure) { try level.list(namesInRun) } catch {
                problem = error
                level.giveUp()
            }
        }
        guard let held = level.held else { preconditionFailure("a directory is held when it is entered") }
        let object = WalkedObject(path: path, isOnOtherMount: false, listing: problem)
        return try visitor.visit(object, held.node)
    }

    /// Goes up one level, taking hold of it again through `..` where it was given back.
    private func leave(_ levels: inout [WalkLevel], _ path: inout WalkPath) {
        let done = levels.removeLast()
        path.removeLast()
        guard let above = levels.last, above.held == nil, let held = done.held else { return }
        // What is found there may be another directory by now; regain then goes down from the root.
        guard let found = HeldFolder.above(held), found.node.facts.identity == above.identity else { return }
        above.held = found
    }

    /// Makes sure that the last level is held: from the root, component by component, each compared by identity.
    private func regain(_ levels: inout [WalkLevel]) throws(Failure) {
        guard let last = levels.last, last.held == nil else { return }
        var held = try open()
        for (index, level) in levels.enumerated() {
            if index > 0 { held = HeldFolder(try held.node.child(level.name)) }
            guard held.node.facts.identity == level.identity else {
                throw Failure(
                    .changed,
                    "find the directory again",
                    on: "\(level.name)",
                    because: "another object has its name now"
                )
            }
        }
        last.held = held
    }

    /// Gives back descriptors and names of levels further up.
    private func spare(_ levels: [WalkLevel]) {
        if levels.count > openFolders { levels[levels.count - 1 - openFolders].held = nil }
        guard let ledger = levels.last?.ledger, ledger.bytes > TreeWalker.namesFootprint else { return }
        for level in levels.dropLast() {
            level.forgetNames()
            if ledger.bytes <= TreeWalker.namesFootprint / 2 { return }
        }
    }
}

/// Where the root stands: the mount, or before Linux 5.8 the device.
private struct Home {
    let mount: UInt64?
    let device: DeviceNumber

    init(_ facts: FileFacts) {
        mount = facts.mount
        device = facts.identity.device
    }

    func holds(_ facts: FileFacts) -> Bool {
        guard let mount, let other = facts.mount else { return device == facts.identity.device }
        return mount == other
    }
}
