import Base
import Bundles
import Glibc
import Sealing
import Testing

/// A temporary directory that goes when the test ends, and small readers and writers for what lies in it.
final class Workbench {
    let path: BytePath

    init() throws {
        // Sealing syncs every file: in memory where there is such a file system, the tests are about bytes.
        let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/quell-bundles-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in buffer.baseAddress.flatMap { mkdtemp($0) } }
        try #require(made != nil)
        path = BytePath(template.map { UInt8(bitPattern: $0) })
    }

    deinit { Self.remove(path) }

    func callAsFunction(_ name: String) -> BytePath { path.appending(name) }

    static func remove(_ path: BytePath) {
        var status = stat()
        guard path.withCString({ lstat($0, &status) }) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            _ = path.withCString { unlink($0) }
            return
        }
        for name in names(in: path) { remove(path.appending(name)) }
        _ = path.withCString { rmdir($0) }
    }

    static func names(in path: BytePath) -> [BytePath] {
        guard let stream = path.withCString({ opendir($0) }) else { return [] }
        defer { closedir(stream) }
        var names: [BytePath] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { BytePath($0) }
            if name != BytePath("."), name != BytePath("..") { names.append(name) }
        }
        return names.sorted()
    }
}

enum Disk {
    static func read(_ path: BytePath) throws -> [UInt8] {
        let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
        try #require(descriptor >= 0, "\(path)")
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            try #require(count >= 0)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    static func write(_ bytes: [UInt8], to path: BytePath) throws {
        var made = BytePath("/")
        for component in path.parent.components {
            made = made.appending(component)
            _ = made.withCString { mkdir($0, 0o700) }
        }
        let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        try #require(descriptor >= 0, "\(path)")
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
    }

    /// All regular files below `path`, by their relative name.
    static func tree(_ path: BytePath, _ prefix: String = "") throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in Workbench.names(in: path) {
            var status = stat()
            let inner = path.appending(name)
            _ = inner.withCString { lstat($0, &status) }
            let relative = prefix + (name.text ?? "?")
            if status.st_mode & S_IFMT == S_IFDIR {
                files.merge(try tree(inner, relative + "/")) { first, _ in first }
            } else {
                files[relative] = try read(inner)
            }
        }
        return files
    }
}
