import Glibc

/// Runs a program for a test: argument vector, own environment, bounded in time. No shell, no Foundation.
public struct Program: Sendable {
    /// The absolute path of the program.
    public var path: String
    /// The arguments behind the program's name.
    public var arguments: [String]
    /// The whole environment; nothing is inherited unless it stands here.
    public var environment: [String: String]
    /// Where the program starts; the test's own working directory when `nil`.
    public var directory: String?

    /// Takes an absolute path; the environment is the caller's own unless told.
    public init(
        _ path: String,
        _ arguments: [String] = [],
        environment: [String: String] = Program.ownEnvironment(),
        directory: String? = nil
    ) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
    }

    /// What a finished program left.
    public struct Result: Sendable {
        /// The exit status; 128 + n when signal n ended it, as a shell says it.
        public let status: Int32
        /// Standard output, raw.
        public let output: [UInt8]
        /// Standard error, raw.
        public let error: [UInt8]
        /// Standard output as text; invalid UTF-8 is repaired.
        public var text: String { String(decoding: output, as: UTF8.self) }
        /// Standard error as text; invalid UTF-8 is repaired.
        public var errorText: String { String(decoding: error, as: UTF8.self) }
    }

    /// Starts it with standard input from /dev/null and waits until it ended and its output is read.
    ///
    /// A status other than zero is not an error. At the deadline the program is killed and the call throws; a
    /// grandchild that keeps the pipes open does not delay the result.
    public func run(within limit: Duration = .seconds(30)) throws(Problem) -> Result {
        let child = try start()
        return try child.finish(within: limit)
    }

    /// Starts it and gives its handle.
    public func start() throws(Problem) -> Child { try Child(self) }

    /// The environment of the test process.
    public static func ownEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                result[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }

    /// The first executable regular file called `name` in PATH; `nil` when there is none.
    public static func find(_ name: String) -> String? {
        let path = ownEnvironment()["PATH"] ?? "/usr/bin:/bin"
        for folder in (path + ":/usr/sbin:/sbin").split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        return nil
    }

    /// Why a program could not be run or waited for.
    public struct Problem: Error, CustomStringConvertible, Sendable {
        /// What was tried, on what, and why it failed.
        public let description: String
        init(_ description: String) { self.description = description }
        init(_ tried: String, errno code: Int32) { self.init("\(tried): \(String(cString: strerror(code)))") }
    }
}
