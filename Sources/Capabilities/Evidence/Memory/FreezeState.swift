import Base
import Glibc
import Kernel

/// Whether threads are held by a freezer of either hierarchy, each group asked once.
final class FreezeState {
    private let host: Host
    private var known: [CgroupLine: Bool] = [:]

    init(on host: Host) { self.host = host }

    /// Whether a thread that stands in these groups is frozen, or on its way to be.
    func isFrozen(_ lines: [CgroupLine]) -> Bool {
        for line in lines where isFrozen(line) { return true }
        return false
    }

    private func isFrozen(_ line: CgroupLine) -> Bool {
        guard let hierarchy = host.hierarchy(named: line.hierarchy), !line.path.components.isEmpty else { return false }
        if let known = known[line] { return known }
        let answer: Bool
        do throws(Failure) {
            let group = try Cgroup(line.path, in: hierarchy)
            if hierarchy.isUnified {
                let events = String(decoding: try group.contents("cgroup.events"), as: UTF8.self)
                let asked = String(decoding: try group.contents("cgroup.freeze"), as: UTF8.self)
                answer = events.contains("frozen 1") || asked.hasPrefix("1")
            } else {
                answer = !(try group.contents("freezer.state")).starts(with: "THAWED".utf8)
            }
        } catch {
            // What cannot be told is left alone.
            answer = true
        }
        known[line] = answer
        return answer
    }
}
