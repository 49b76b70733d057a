import Base
public import Kernel

/// Finds the transcripts that the runtimes of agents keep, at the places that are known (``TranscriptPlaces``) below the
/// homes and working directories of a session's users. Only a folder of these users themselves is taken (RT24); what is
/// there and cannot be taken is planned all the same, so that its item says why.
public struct TranscriptSearch {
    /// How many roots are planned at most.
    static let mostTrees = 128

    private let host: Host

    /// Looks on that machine.
    public init(on host: Host) { self.host = host }

    /// The roots, by the order of the table; names begin with `transcripts-`.
    public func trees(in homes: [SessionHome]) -> [PlannedTree] {
        var found: [PlannedTree] = []
        var seen: Set<FileIdentity> = []
        var names: [String: Int] = [:]
        for place in TranscriptPlaces.all {
            for home in homes {
                for path in TranscriptSearch.paths(of: place, home) where found.count < TranscriptSearch.mostTrees {
                    guard let facts = look(path, home), seen.insert(facts.identity).inserted || place.start == .work
                    else { continue }
                    guard place.start == .home || holds(path, place, home) else { continue }
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
                    if facts.uid != home.uid {
                        tree.leftOut = "it belongs to uid \(facts.uid), not to the session's user"
                    }
                    found.append(tree)
                }
            }
        }
        return found
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
    private func look(_ path: BytePath, _ home: SessionHome) -> FileFacts? {
        do throws(Failure) {
            let facts = try TreePlace(path: path, inside: home.inside).open(on: host).node.facts
            return facts.kind == .directory || facts.kind == .symlink ? facts : nil
        } catch {
            return nil
        }
    }

    /// Whether a folder that is everybody's, such as a working directory, has anything of that runtime in it.
    private func holds(_ path: BytePath, _ place: TranscriptPlace, _ home: SessionHome) -> Bool {
        if place.only.isEmpty { return true }
        var tree = PlannedTree(name: "x", path: path, role: .transcripts)
        tree.only = place.only.map { BytePath($0) }
        do throws(Failure) {
            let held = try TreePlace(path: path, inside: home.inside).open(on: host)
            let names = try held.node.names(after: nil, limit: 65_536)
            return (0..<names.count).contains { tree.has(names[$0]) }
        } catch {
            return false
        }
    }
}
