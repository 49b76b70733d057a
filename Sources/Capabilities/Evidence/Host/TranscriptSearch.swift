import Base
public import Kernel

/// Finds the transcripts that the runtimes of agents keep, at the places that are known (``TranscriptPlaces``) below the
/// homes and working directories of a session's users. Only a folder of these users themselves is taken (RT24); what is
/// there and cannot be taken is planned all the same, so that its item says why.
public struct TranscriptSearch {
    /// How many roots are planned at most.
    static let mostTrees = 128
    private static let mostNames = 65_536

    private let host: Host
    private let reader = ImpatientReader()
    private let served: ServedPaths

    /// Looks on that machine.
    public init(on host: Host) {
        self.host = host
        served = ServedPaths(on: host)
    }

    /// The roots, by the order of the table; names begin with `transcripts-`.
    public func trees(in homes: [SessionHome]) -> [PlannedTree] {
        var found: [PlannedTree] = []
        var seen: Set<FileIdentity> = []
        var names: [String: Int] = [:]
        var leftOut = 0
        let closed = homes.map { home in closedFolders(of: home) }
        found += zip(homes, closed).flatMap { home, folders in
            folders.sorted { $0.key < $1.key }.map { path, failure in
                PlannedTree.lost("unasked", path, role: .transcripts, because: failure)
            }
        }.enumerated().map { number, tree in tree.named("transcripts-unasked-\(number + 1)") }
        for place in TranscriptPlaces.all {
            for (home, closed) in zip(homes, closed) {
                for path in TranscriptSearch.paths(of: place, home) {
                    if closed.keys.contains(where: { path.isAtOrBelow($0) }) { continue }
                    var lost: Failure?
                    var uid = home.uid
                    do throws(Failure) {
                        guard let facts = try look(path, home) else { continue }
                        guard seen.insert(facts.identity).inserted || place.start == .work else { continue }
                        if place.start == .work {
                            guard try holds(path, place, home) else { continue }
                        }
                        uid = facts.uid
                    } catch {
                        lost = error
                    }
                    guard found.count < TranscriptSearch.mostTrees else {
                        leftOut += 1
                        continue
                    }
                    let count = names[place.runtime, default: 0] + 1
                    names[place.runtime] = count
                    var tree = PlannedTree(
                        name: "transcripts-\(place.runtime)" + (count == 1 ? "" : "-\(count)"),
                        path: path,
                        role: .transcripts
                    )
                    tree.inside = home.inside
                    tree.only = place.only.map { BytePath($0) }
                    tree.withheld = Set(place.withheld.map { BytePath($0) })
                    tree.lost = lost
                    if uid != home.uid { tree.leftOut = "it belongs to uid \(uid), not to the session's user" }
                    found.append(tree)
                }
            }
        }
        guard leftOut > 0 else { return found }
        let reason = "more than \(TranscriptSearch.mostTrees) places of transcripts: \(leftOut) more are not taken"
        let failure = Failure(.refused, "take the transcripts", on: "the session", because: reason)
        return found + [.lost("transcripts-left-out", role: .transcripts, because: failure)]
    }

    /// The home and the working directories that are not to be touched, and why: told once, not for each place in them.
    private func closedFolders(of home: SessionHome) -> [BytePath: Failure] {
        var closed: [BytePath: Failure] = [:]
        for folder in [home.path] + home.folders {
            do throws(Failure) { try served.refuse(folder, inside: home.inside) } catch { closed[folder] = error }
        }
        return closed
    }

    private static func paths(of place: TranscriptPlace, _ home: SessionHome) -> [BytePath] {
        var paths: [BytePath] = []
        if let variable = place.variable, let named = home.places[variable] {
            paths.append(place.below.isEmpty ? named : named.appending(place.below))
        }
        switch place.start {
        case .home: paths.append(home.path.appending(place.folder))
        case .work where place.folder.isEmpty && place.only.isEmpty: break
        case .work: paths += home.folders.map { place.folder.isEmpty ? $0 : $0.appending(place.folder) }
        }
        var seen: Set<BytePath> = []
        return paths.filter { seen.insert($0).inserted }
    }

    /// What stands there; `nil` when nothing does, or no directory. A symbolic link is told by the item that it becomes.
    private func look(_ path: BytePath, _ home: SessionHome) throws(Failure) -> FileFacts? {
        try served.refuse(path, inside: home.inside)
        guard let facts = try TreePlace(path: path, inside: home.inside).look(on: host, by: reader) else { return nil }
        return facts.kind == .directory || facts.kind == .symlink ? facts : nil
    }

    /// Whether a folder that is everybody's, such as a working directory, has anything of that runtime in it.
    private func holds(_ path: BytePath, _ place: TranscriptPlace, _ home: SessionHome) throws(Failure) -> Bool {
        if place.only.isEmpty { return true }
        var wanted = PlannedTree(name: "x", path: path, role: .transcripts)
        wanted.only = place.only.map { BytePath($0) }
        wanted.inside = home.inside
        let (tree, host) = (wanted, self.host)
        let answer = try reader.read("list a place of the session's", on: "\(path)") { () -> Result<Bool, Failure> in
            do throws(Failure) {
                let held = try tree.open(on: host)
                guard held.node.facts.kind == .directory else { return .success(true) }
                let names = try held.node.names(after: nil, limit: TranscriptSearch.mostNames)
                // Of a folder with more names the walk finds what belongs to it.
                let isWhole = names.count < TranscriptSearch.mostNames
                return .success(!isWhole || (0..<names.count).contains { tree.has(names[$0]) })
            } catch {
                return error.code == .notFound ? .success(false) : .failure(error)
            }
        }
        return try answer.get()
    }
}
