import Glibc

/// The list of tests that were skipped because the machine lacks something.
public enum Skips {
    /// Adds one line, `name TAB reason`, to the file that $QUELL_SKIPS names, which scripts/test counts. Without that
    /// variable nothing is recorded. Gives errno, or 0.
    @discardableResult
    public static func record(_ name: String, _ reason: String) -> Int32 {
        guard let path = Program.ownEnvironment()["QUELL_SKIPS"] else { return 0 }
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let line = Array("\(name)\t\(reason)\n".utf8)
        return write(descriptor, line, line.count) == line.count ? 0 : errno
    }
}
