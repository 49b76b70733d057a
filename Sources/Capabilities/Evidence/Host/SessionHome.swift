public import Base
import Glibc
public import Kernel

/// Where a user of a session is at home: as the processes have it in `HOME`, and as the passwd file says that their root
/// holds. Both are the session's words: only what belongs to the session's own users is read there (RT24).
public struct SessionHome: Hashable, Sendable {
    /// The directory, as the session names it.
    public let path: BytePath
    /// The process through whose root it is reached; `nil` when its root is ours.
    public let inside: ProcessPin?
    /// The user's name, when the passwd file has one.
    public let user: String?
    /// The user.
    public let uid: UInt32
    /// Where agents said by a variable that they keep their files, by the variable.
    public let places: [String: BytePath]
    /// The working directories of the processes, as they name them.
    public let folders: [BytePath]
    /// Whether its root is the host's, so that its users are the host's, too.
    public let isOfTheHost: Bool
}

/// Finds the homes of a session's users.
public struct SessionHomes {
    /// Processes that are asked, and homes that are told, at most.
    static let most = 256

    private let host: Host
    private let reader = ImpatientReader(patience: .milliseconds(500))
    private let served: ServedPaths

    /// Looks on that machine.
    public init(on host: Host) {
        self.host = host
        served = ServedPaths(on: host)
    }

    /// The homes of the users of those processes, each once, in their order. A process that lives and could not be
    /// asked becomes one of `lost`.
    public func of(_ pins: [ProcessPin], lost: inout [PlannedTree]) -> [SessionHome] {
        var found: [SessionHome] = []
        var unasked: [(ProcessPin, Failure)] = []
        for (index, pin) in pins.enumerated() {
            do throws(Failure) {
                guard index < SessionHomes.most, found.count < SessionHomes.most else {
                    throw SessionHomes.tooMany(pin, "processes or homes")
                }
                for home in try homes(of: pin) { try add(home, of: pin, to: &found) }
            } catch {
                if !pin.hasEnded(on: host) { unasked.append((pin, error)) }
            }
        }
        lost += PlannedTree.lost("home-of", unasked, most: SessionRoots.mostTold, role: .transcripts)
        return found
    }

    private func add(_ home: SessionHome, of pin: ProcessPin, to found: inout [SessionHome]) throws(Failure) {
        let known = found.firstIndex { other in
            other.path == home.path && other.uid == home.uid && isSameRoot(other.inside, home.inside)
        }
        guard let known else { return found.append(home) }
        found[known] = found[known].joined(with: home)
        guard found[known].folders.count <= SessionHomes.most else {
            throw SessionHomes.tooMany(pin, "working folders")
        }
    }

    private static func tooMany(_ pin: ProcessPin, _ what: String) -> Failure {
        Failure(
            .refused,
            "find the home of a process",
            on: "\(pin.pid)",
            because: "more than \(most) \(what): this one is not asked"
        )
    }

    private func homes(of pin: ProcessPin) throws(Failure) -> [SessionHome] {
        let process = try ProcessDirectory(pin, on: host)
        let prefix = try process.prefixOfLiving()
        guard let uid = try process.status().uids.first else {
            throw Failure(.malformed, "find the user of a process", on: "\(pin.pid)", because: "it names none")
        }
        let root = try FileNode(prefix + "root", of: process)
        let ours = try FileNode.at(BytePath("/"))
        let isOfTheHost = root.facts.identity == ours.facts.identity
        let space = try process.mountSpace(through: prefix)
        let ourSpace = try ProcessDirectory(getpid(), on: host).namespace(.mount)
        let isOurs = isOfTheHost && space == ourSpace
        let user = try passwd(pin).first { $0.uid == uid }
        let variables = try environment(pin, through: prefix)
        let folder = try process.link(prefix + "cwd")
        var paths = [variables["HOME"], user?.home].compactMap { $0 }.filter(SessionHomes.isPlain)
        if paths.count == 2, paths[0] == paths[1] { paths.removeLast() }
        return paths.map { path in
            SessionHome(
                path: path,
                inside: isOurs ? nil : pin,
                user: user?.name,
                uid: uid,
                places: variables.filter { $0.key != "HOME" && SessionHomes.isPlain($0.value) },
                folders: [folder].compactMap { $0 }.filter(SessionHomes.isPlain),
                isOfTheHost: isOfTheHost
            )
        }
    }

    private static func isPlain(_ path: BytePath) -> Bool {
        path.isAbsolute && !path.components.contains { $0 == BytePath("..") || $0 == BytePath(".") }
            && !path.components.isEmpty
    }

    /// The variables that lead to files of agents. The rest is not kept.
    private func environment(_ pin: ProcessPin, through prefix: String) throws(Failure) -> [String: BytePath] {
        let host = self.host
        let wanted = Set(["HOME"] + TranscriptPlaces.all.compactMap(\.variable))
        let answer = try reader.ask("read the environment", on: "\(pin.pid)") { () throws(Failure) in
            try ProcessDirectory(pin, on: host).whole(prefix + "environ", limit: ProcessReading.mostText)
        }
        var found: [String: BytePath] = [:]
        for entry in answer.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            if wanted.contains(name), found[name] == nil { found[name] = BytePath(entry[(equals + 1)...]) }
        }
        return found
    }

    private struct User {
        let name: String
        let uid: UInt32
        let home: BytePath
    }

    /// The users that /etc/passwd of a root names, which the session may have written: a hint where to look. None when
    /// there is no such file.
    private func passwd(_ pin: ProcessPin) throws(Failure) -> [User] {
        let host = self.host
        let place = TreePlace(path: BytePath("/etc/passwd"), inside: pin)
        try served.refuse(place.path, inside: pin)
        let bytes = try reader.ask("read the users", on: "\(pin.pid)") { () throws(Failure) -> [UInt8] in
            do throws(Failure) {
                let content = try place.open(on: host).node.content()
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
                defer { buffer.deallocate() }
                let count = try content.read(into: buffer, at: 0)
                guard count < buffer.count else {
                    throw Failure(.refused, "read the users", on: "\(pin.pid)", because: "longer than 1 MiB: cut")
                }
                return Array(buffer.prefix(count))
            } catch {
                guard error.code == .notFound else { throw error }
                return []
            }
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 6, let uid = UInt32(String(decoding: fields[2], as: UTF8.self)) else { return nil }
            let name = String(decoding: fields[0], as: UTF8.self)
            guard !name.isEmpty, !name.contains("/"), !name.hasPrefix(".") else { return nil }
            return User(name: name, uid: uid, home: BytePath(Array(fields[5])))
        }
    }

    private func isSameRoot(_ one: ProcessPin?, _ other: ProcessPin?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        if one == other { return true }
        do throws(Failure) {
            let root = BytePath("/")
            let left = try TreePlace(path: root, inside: one).open(on: host).node.facts
            let right = try TreePlace(path: root, inside: other).open(on: host).node.facts
            return left.identity == right.identity
        } catch {
            return false
        }
    }
}

extension SessionHome {
    /// The same home with what another process says more.
    fileprivate func joined(with other: SessionHome) -> SessionHome {
        SessionHome(
            path: path,
            inside: inside,
            user: user,
            uid: uid,
            places: places.merging(other.places) { first, _ in first },
            folders: folders + other.folders.filter { !folders.contains($0) && folders.count <= SessionHomes.most },
            isOfTheHost: isOfTheHost
        )
    }
}
