internal import Base
internal import CLinux
internal import Glibc

/// Quell's own process made hard to disturb (RT41): not chosen by the OOM killer, no core, not dumpable, higher
/// priority that children do not inherit.
public enum HardenedSelf {
    /// Does all of it; returns what could not be done, one line each, which is never a reason to stop. Costs some ten
    /// microseconds. Memory is locked apart from this, by ``lockMemory()``, because that costs milliseconds.
    public static func harden(on host: Host) -> [String] {
        var missing: [String] = []
        func check(_ what: String, _ result: Int32) {
            if result != 0 { missing.append("\(what): \(SystemErrorName.text(errno))") }
        }
        check("not dumpable", quell_set_undumpable())
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        check("no core file", setrlimit(__rlimit_resource_t(4), &none))
        check("raised priority", quell_raise_priority(-20))
        do throws(Failure) {
            let path = BytePath("self/oom_score_adj")
            let file = try host.proc.descriptor.open(path, O_WRONLY)
            try file.writeOnce("-1000", to: path)
        } catch {
            missing.append("spared by the OOM killer: \(error.reason)")
        }
        return missing
    }

    /// Locks all present and future memory, mlockall(2); returns why not, or `nil`. Not for the freeze path: 15 ms for a
    /// process of 17 MB on the machine this was measured on.
    public static func lockMemory() -> String? {
        mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? nil : SystemErrorName.text(errno)
    }
}
