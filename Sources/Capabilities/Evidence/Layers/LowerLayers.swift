import Base
import Glibc
import Kernel

/// The layers below an upper one, as a lookup in the overlay sees them: for each name the topmost layer that has it, unless
/// a layer above says that it is gone.
final class LowerLayers {
    /// Directories that are held at once, of all layers.
    private static let mostHeld = 512

    private let roots: [HeldFolder]
    /// The directories on the way to the last parent: its name and those layers that have it.
    private var way: [(name: BytePath, folders: [HeldFolder])] = []
    private var held: Int { way.reduce(0) { $0 + $1.folders.count } }

    /// Opens the layers, topmost first.
    init(_ paths: [BytePath]) throws(Failure) {
        var roots: [HeldFolder] = []
        for path in paths { roots.append(HeldFolder(try FileNode.at(path))) }
        self.roots = roots
    }

    /// What the image has under that path; `nil` when it has nothing there.
    ///
    /// - Throws: `refused` when the path is too deep to be looked up, what the filesystem says otherwise.
    func find(_ path: BytePath) throws(Failure) -> HeldFolder? {
        guard let name = path.components.last else { return roots.first }
        for folder in try folders(of: path.components.dropLast()) {
            guard let found = try LowerLayers.child(name, of: folder) else { continue }
            return try OverlayMarks(found.node).isWhiteout ? nil : found
        }
        return nil
    }

    /// The directories of that path, one of each layer that shows through.
    private func folders(of names: ArraySlice<BytePath>) throws(Failure) -> [HeldFolder] {
        let known = zip(way, names).prefix { $0.name == $1 }.count
        way.removeLast(way.count - known)
        for name in names.dropFirst(known) {
            let above = way.last?.folders ?? roots
            guard held < LowerLayers.mostHeld || above.isEmpty else {
                throw Failure(.refused, "look into the image", on: "\(name)", because: "it lies too deep")
            }
            way.append((name, try LowerLayers.below(above, name)))
        }
        return way.last?.folders ?? roots
    }

    private static func below(_ above: [HeldFolder], _ name: BytePath) throws(Failure) -> [HeldFolder] {
        var folders: [HeldFolder] = []
        for folder in above {
            guard let found = try child(name, of: folder) else { continue }
            // A whiteout, or a file over a directory: what lies below it does not show.
            guard found.node.facts.kind == .directory else { return folders }
            folders.append(found)
            if try OverlayMarks(found.node).isOpaque { return folders }
        }
        return folders
    }

    private static func child(_ name: BytePath, of folder: HeldFolder) throws(Failure) -> HeldFolder? {
        do throws(Failure) {
            return HeldFolder(try folder.node.child(name))
        } catch {
            guard error.code == .notFound || error.errno == ENOTDIR else { throw error }
            return nil
        }
    }
}
