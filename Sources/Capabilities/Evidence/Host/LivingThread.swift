import Base
import Kernel

extension ProcessDirectory {
    /// What root, working directory and namespaces are reached by below /proc/PID: nothing, or `task/TID/` of a thread
    /// that lives when the first one has ended (RT5). `nil` when no thread lives: a zombie has none of them.
    func livingPrefix() throws(Failure) -> String? {
        guard try stat().numbers.isZombie else { return "" }
        for thread in try threadIDs().sorted() where thread != pid {
            do throws(Failure) {
                if try !threadStat(thread).numbers.isZombie { return "task/\(thread)/" }
            } catch {
                // A thread that ended meanwhile; another one may live.
                guard error.code == .notFound else { throw error }
            }
        }
        return nil
    }

    /// The same of a process that has to live.
    ///
    /// - Throws: `notFound` when no thread of it lives.
    func prefixOfLiving() throws(Failure) -> String {
        if let prefix = try livingPrefix() { return prefix }
        throw Failure(.notFound, "look at the process", on: "\(pid)", because: "it has ended")
    }

    /// The inode of the mount namespace, through that prefix; `nil` when it has none any more.
    func mountSpace(through prefix: String) throws(Failure) -> UInt64? {
        guard let text = try link(prefix + "ns/mnt")?.text else { return nil }
        return UInt64(text.drop { $0 != "[" }.dropFirst().prefix { $0 != "]" })
    }
}

extension ProcessPin {
    /// Whether nothing of it lives any more, so that what could not be seen of it is not there to be seen.
    func hasEnded(on host: Host) -> Bool {
        do throws(Failure) {
            return try ProcessDirectory(self, on: host).livingPrefix() == nil
        } catch {
            return error.code == .notFound || error.code == .changed
        }
    }
}

extension PlannedTree {
    /// A root that is known to be there and cannot be taken: it is planned so that its item says why (RT16).
    static func lost(
        _ name: String,
        _ path: BytePath = BytePath("/"),
        role: Role = .mount,
        because failure: Failure
    ) -> PlannedTree {
        var tree = PlannedTree(name: name, path: path, role: role)
        tree.lost = failure
        return tree
    }

    /// One of each process that could not be asked; of more than `most`, the last tells how many follow.
    static func lost(_ name: String, _ lost: [(ProcessPin, Failure)], most: Int, role: Role) -> [PlannedTree] {
        let told = lost.count > most ? most - 1 : lost.count
        var trees = lost.prefix(told).map { pin, failure in
            PlannedTree.lost("\(name)-\(pin.pid)", role: role, because: failure)
        }
        guard let (pin, first) = lost.dropFirst(told).first else { return trees }
        let reason =
            "\(lost.count - told) more processes could not be looked at, the first, \(pin.pid): \(first.reason)"
        let failure = Failure(first.code, first.attempt, on: first.subject, because: reason, errno: first.errno)
        trees.append(.lost("\(name)-others", role: role, because: failure))
        return trees
    }
}
