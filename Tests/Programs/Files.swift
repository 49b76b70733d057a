public import Glibc

/// The few file operations that tests need, on bytes, without Foundation.
public enum Files {
    /// All bytes of a file; `nil` when it cannot be opened or read.
    public static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { return result }
            result += buffer[..<count]
        }
    }

    /// A file as text; invalid UTF-8 is repaired. `nil` when it cannot be read.
    public static func text(_ path: String) -> String? {
        read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Writes a whole file in one go; gives errno, or 0.
    @discardableResult
    public static func write(_ text: String, to path: String, create: Bool = true, mode: mode_t = 0o600) -> Int32 {
        write(Array(text.utf8), to: path, create: create, mode: mode)
    }

    /// Writes a whole file in one go; gives errno, or 0. Control files want `create: false`.
    @discardableResult
    public static func write(_ bytes: [UInt8], to path: String, create: Bool = true, mode: mode_t = 0o600) -> Int32 {
        let flags = O_WRONLY | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0)
        let descriptor = open(path, flags, mode)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 { return errno }
            done += count
        }
        return 0
    }

    /// The names in a folder without `.` and `..`, sorted by bytes; `nil` when it cannot be opened.
    public static func names(in folder: String) -> [String]? {
        guard let stream = opendir(folder) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether something stands at the path; a dangling link counts.
    public static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Whether a folder stands at the path; a link to one does not count.
    public static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes a tree, by descriptors and bytes: names need be no text, links are not followed, and a tree with a mount in
    /// it is left alone. What is gone already is not an error. Gives what could not be removed.
    @discardableResult
    public static func removeTree(_ path: String) -> [String] {
        guard exists(path) else { return [] }
        if hasMounts(below: path) { return ["\(path) (something is mounted there)"] }
        guard isFolder(path) else { return unlink(path) == 0 ? [] : [path] }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if folder >= 0 { empty(folder) }
        return rmdir(path) == 0 || errno == ENOENT ? [] : [path]
    }

    /// Removes what is in an open folder, and closes it.
    private static func empty(_ folder: Int32) {
        guard let stream = fdopendir(folder) else {
            close(folder)
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { remove($0, in: dirfd(stream)) }
            }
        }
    }

    private static func remove(_ name: UnsafePointer<CChar>, in folder: Int32) {
        if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
        if unlinkat(folder, name, 0) == 0 { return }
        let below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if below >= 0 { empty(below) }
        _ = unlinkat(folder, name, AT_REMOVEDIR)
    }

    private static func hasMounts(below path: String) -> Bool {
        (text("/proc/self/mountinfo") ?? "").split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 4 && (fields[4] == path || fields[4].hasPrefix(path + "/"))
        }
    }

    /// Makes a fresh folder of mode 0700 from a template ending in `XXXXXX`; `nil` when that fails.
    public static func makeTemporaryFolder(_ template: String = "/tmp/quell-test-XXXXXX") -> String? {
        var bytes = Array(template.utf8CString)
        return bytes.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, mkdtemp(start) != nil else { return nil }
            return String(cString: start)
        }
    }
}
