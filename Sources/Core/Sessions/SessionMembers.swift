import Base
import Glibc
import Kernel

extension SessionLook {
    /// Who stands in a group and below it. Where a freeze waits and there are more groups than patience, every process is
    /// asked where it stands instead: a session makes groups for nothing, and processes at a price.
    mutating func members(of top: Cgroup) throws(Failure) -> Set<Int32> {
        var listed = Set<Int32>()
        func add(_ group: Cgroup) throws(Failure) {
            do throws(Failure) {
                listed.formUnion(try group.processes())
            } catch {
                guard error.code == .notFound || error.errno == EOPNOTSUPP else { throw error }
            }
        }
        guard let patience else {
            try top.forEachInTree(add)
            return listed
        }
        do throws(Failure) {
            if try top.forEachInTree(until: Deadline(after: patience), add) { return listed }
            return listed.union(try standing(in: top))
        } catch {
            // The group is frozen with everything below it, whoever that is.
            isCutShort = true
            failures.append(error)
            return listed
        }
    }

    /// Who is in a group by what each process says itself. That takes the kernel's lock on all cgroups, which a session
    /// can keep busy: hence the bound (RT7).
    private func standing(in top: Cgroup) throws(Failure) -> Set<Int32> {
        let paths = CgroupPathSet([top.line])
        let deadline = Deadline(after: .milliseconds(200))
        var found = Set<Int32>()
        for pid in try scanner.pids() {
            // Who has ended and is not reaped yet has a line of its group still, and no list has it.
            if scanner.stands(in: paths, pid: pid) == true, scanner.stat(of: pid)?.isDead == false { found.insert(pid) }
            guard deadline.hasPassed else { continue }
            throw Failure(
                .timedOut,
                "list every process of the cgroup",
                on: top.path.description,
                because: "it has more groups below it than can be walked before a freeze, and the kernel answers slowly"
            )
        }
        return found
    }
}
