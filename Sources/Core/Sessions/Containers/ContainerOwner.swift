import Base
import Documents
import Glibc
import Kernel

/// Whose containers are looked at, and where their files lie: root's below /var/lib and /run, a user's below the home
/// and /run/user. Source: containers-storage.conf(5), podman(1).
struct ContainerOwner {
    /// The uid that may have written the files, and that may own the containers; `nil` for root, who speaks for every uid.
    let uid: UInt32?
    /// The user as a locator has it: the name, else the uid's digits; `nil` for root.
    let user: String?
    /// Where c/storage keeps the containers, without the folder of the driver.
    let storage: BytePath
    /// Where c/storage keeps what lives as long as the boot.
    let volatileStorage: BytePath
    /// Where the runtimes keep their states.
    let states: BytePath
    /// How to say it.
    let words: String
    /// The further ids that root gave the user for containers (subuid(5)).
    var subordinates: [ClosedRange<UInt32>] = []

    /// Whether a process of that id is of the owner.
    func has(_ id: UInt32) -> Bool { uid == nil || uid == id || subordinates.contains { $0.contains(id) } }

    /// Root's.
    static func root(at root: BytePath) -> ContainerOwner {
        ContainerOwner(
            uid: nil,
            user: nil,
            storage: root.appending("var/lib/containers/storage"),
            volatileStorage: root.appending("run/containers/storage"),
            states: root.appending("run"),
            words: "root"
        )
    }

    /// A user's, by the name or the digits of the uid, as /etc/passwd has the user; no name service is asked (RT38).
    /// Without the home only what the runtimes themselves keep is read, for which a uid in digits is enough.
    static func user(
        _ name: String,
        at root: BytePath,
        on host: Host,
        withHome: Bool = true
    ) throws(Failure) -> ContainerOwner {
        let users = try Passwd.users(at: root)
        let mounts = try SlowMounts(of: host)
        if let user = users.first(where: { $0.name == name }) ?? users.first(where: { String($0.uid) == name }) {
            return try owner(user, at: root, mounts, withHome: withHome)
        }
        if !withHome, let uid = UInt32(name) {
            return try owner(Passwd.User(name: name, uid: uid, home: BytePath("/")), at: root, mounts, withHome: false)
        }
        throw Failure(.notFound, Passwd.finding, on: name, because: "/etc/passwd has no such user with a home")
    }

    /// Every user of /etc/passwd but root; for a user who is not root only that one. Those whose files may hang the reader
    /// are left out, and told in one failure.
    static func users(
        at root: BytePath,
        on host: Host
    ) throws(Failure) -> (owners: [ContainerOwner], failures: [Failure]) {
        let mounts = try SlowMounts(of: host)
        var owners: [ContainerOwner] = []
        var slow: [Failure] = []
        var seen: Set<UInt32> = [0]
        for user in try Passwd.users(at: root) where seen.insert(user.uid).inserted {
            guard [0, user.uid].contains(geteuid()) else { continue }
            do throws(Failure) {
                owners.append(try owner(user, at: root, mounts, withHome: true))
            } catch {
                slow.append(error)
            }
        }
        guard let first = slow.first else { return (owners, []) }
        let others = slow.count == 1 ? "" : ", and of \(slow.count - 1) users more"
        return (
            owners,
            [Failure(first.code, first.attempt, on: first.subject + others, because: first.reason)]
        )
    }

    /// Whoever has a folder below /run/user, where the runtimes keep their states; homes are not looked at. Whose files may
    /// hang the reader is not opened, which is told: such containers are listed by their processes.
    static func runtimeUsers(
        at root: BytePath,
        on host: Host
    ) -> (owners: [ContainerOwner], failures: [Failure]) {
        let folder = root.appending("run/user")
        var owners: [ContainerOwner] = []
        var failures: [Failure] = []
        do throws(Failure) {
            let opened = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            let uids = try opened.subdirectories(of: folder).compactMap { $0.text.flatMap { UInt32($0) } }
            for uid in uids.sorted() where uid != 0 && [0, uid].contains(geteuid()) {
                do throws(Failure) {
                    owners.append(try user(String(uid), at: root, on: host, withHome: false))
                } catch {
                    failures.append(error)
                }
            }
        } catch {
            if error.code != .notFound { failures.append(error) }
        }
        return (owners, failures)
    }

    private static func owner(
        _ user: Passwd.User,
        at root: BytePath,
        _ mounts: SlowMounts,
        withHome: Bool
    ) throws(Failure) -> ContainerOwner {
        guard user.uid != 0 else { return .root(at: root) }
        let inside = user.home.components.reduce(root) { $0.appending($1) }
        let storage = inside.appending(".local/share/containers/storage")
        let volatile = root.appending("run/user/\(user.uid)")
        let read = ["containers", "runc", "crun"].map { volatile.appending($0) }
        for path in withHome ? [storage] + read : read { try mounts.refuse(path) }
        return ContainerOwner(
            uid: user.uid,
            user: ContainerName.isUser(Substring(user.name).utf8) ? user.name : String(user.uid),
            storage: storage,
            volatileStorage: volatile.appending("containers"),
            states: volatile,
            words: "user \(user.name)",
            subordinates: try subordinates(of: user, at: root)
        )
    }

    /// `name:first:count`, or with the uid as name. Without the file there are none.
    private static func subordinates(of user: Passwd.User, at root: BytePath) throws(Failure) -> [ClosedRange<UInt32>] {
        let lines: [UInt8]
        do throws(Failure) {
            lines = try TrustedFile.read(root.appending("etc/subuid"), limit: 4 << 20, to: "find the user's ids")
        } catch {
            guard error.code == .notFound else { throw error }
            return []
        }
        return lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            let names = [user.name, String(user.uid)]
            guard fields.count == 3, names.contains(where: { fields[0].elementsEqual($0.utf8) }),
                let first = UInt32(String(decoding: fields[1], as: UTF8.self)), first > 0,
                let count = UInt32(String(decoding: fields[2], as: UTF8.self)), count > 0
            else { return nil }
            let (last, isBeyond) = first.addingReportingOverflow(count - 1)
            return isBeyond ? nil : first...last
        }
    }

    /// What was not to be had of a user's files, with the way around: a process is found without touching them, while who
    /// watches or leases them knows of every look and can refuse it (RT13, RT30).
    func hinting(_ failure: Failure) -> Failure {
        guard uid != nil, failure.hint == nil || failure.errno == EAGAIN else { return failure }
        return failure.hinting(
            "name it by the pid of one of its processes, which reads nothing of the user's: quell freeze pid:N"
        )
    }

    /// Whether the folder is there in which a user's runtimes keep what lives as long as the login.
    var hasRuntimeFolder: Bool { states.withCString { access($0, F_OK) == 0 } }

    /// Who may have written the files.
    var writers: TrustedOwners { uid.map { TrustedOwners([0, $0]) } ?? .current() }
}

/// The users of /etc/passwd that have a home.
enum Passwd {
    struct User: Hashable {
        let name: String
        let uid: UInt32
        let home: BytePath
    }

    static let finding = "find the user's containers"

    static func users(at root: BytePath) throws(Failure) -> [User] {
        let lines = try TrustedFile.read(root.appending("etc/passwd"), limit: 4 << 20, to: finding)
        return lines.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 6, let uid = UInt32(String(decoding: fields[2], as: UTF8.self)) else { return nil }
            let home = BytePath(Array(fields[5]))
            guard uid == 0 || home.isAbsolute && !home.components.contains(BytePath("..")) else { return nil }
            return User(name: String(decoding: fields[0], as: UTF8.self), uid: uid, home: home)
        }
    }
}

/// Mounts that may keep a reader waiting: a user may mount a filesystem of their own over what is theirs, and whoever
/// opens a file there waits for them (RT7, RT13). The types are those of the mount table, which the kernel writes.
struct SlowMounts {
    private let mounts: [Mount]

    init(of host: Host) throws(Failure) {
        let path = BytePath("self/mountinfo")
        let table: MountTable
        do throws(Failure) {
            let file = try host.proc.descriptor.open(path, 0, to: "read the mounts")
            table = MountTable(parsing: try file.readToEnd(limit: 16 << 20, from: path))
        } catch {
            // A recorded machine has none.
            guard error.code == .notFound else { throw error }
            table = MountTable(parsing: [UInt8]())
        }
        mounts = table.entries.filter { mount in
            mount.type.hasPrefix("fuse") || mount.type.hasPrefix("nfs")
                || ["autofs", "9p", "cifs"].contains(mount.type)
        }
    }

    /// - Throws: `refused` when the way to that path, or what lies below it, leads over such a mount.
    func refuse(_ path: BytePath) throws(Failure) {
        let found = mounts.first { path.isAtOrBelow($0.mountPoint) || $0.mountPoint.isAtOrBelow(path) }
        guard let mount = found else { return }
        throw Failure(
            .refused,
            "look for the user's containers",
            on: String(decoding: path.bytes, as: UTF8.self),
            because: "\(mount.type) is mounted there, and reading it may hang before anything is frozen",
            hint: "name the container by the pid of one of its processes: quell freeze pid:N"
        )
    }
}
