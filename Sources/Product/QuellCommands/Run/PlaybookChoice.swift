import Base
import Engine
import Glibc
import Playbooks
import Response

/// Finds the playbook that a person means: by name among the shipped and the host's own, or by an explicit path (RT21).
struct PlaybookChoice {
    private let library: PlaybookLibrary

    /// `/etc/quell/playbooks`, then what lies beside the executable: `share/quell/playbooks` of an installation or the
    /// `Playbooks` folder of a checkout.
    init() throws(Failure) {
        library = PlaybookLibrary(directories: [BytePath("/etc/quell/playbooks")] + (try PlaybookChoice.shipped()))
    }

    func find(_ argument: String, in environment: Environment) throws(Failure) -> PlaybookDocument {
        if PlaybookLibrary.isPath(argument) {
            return try PlaybookLibrary.read(explicit: environment.absolute(BytePath(argument)))
        }
        return try library.find(argument)
    }

    func names() throws(Failure) -> [String] { try library.names() }

    private static func shipped() throws(Failure) -> [BytePath] {
        var folder = try executable().parent
        var found: [BytePath] = [
            folder.parent.appending("share/quell/playbooks"), BytePath("/usr/share/quell/playbooks"),
        ]
        for _ in 0..<6 {
            if exists(folder.appending("Package.swift")), exists(folder.appending("Playbooks")) {
                found.append(folder.appending("Playbooks"))
            }
            folder = folder.parent
        }
        return found.filter(exists)
    }

    private static func executable() throws(Failure) -> BytePath {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            return readlink("/proc/self/exe", start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard count > 0 else { throw Failure(errno: errno, "find the executable", on: BytePath("/proc/self/exe")) }
        return BytePath(buffer[..<count])
    }

    private static func exists(_ path: BytePath) -> Bool { path.withCString { access($0, F_OK) } == 0 }
}
