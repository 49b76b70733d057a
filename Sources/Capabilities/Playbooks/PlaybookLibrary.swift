public import Base
public import Documents

/// The playbooks that a name can mean: files `NAME.yaml` in directories that only trusted users can write (RT21). Never
/// the working directory, never a path from the environment.
public struct PlaybookLibrary: Sendable {
    private let directories: [BytePath]
    private let owners: TrustedOwners

    /// Takes absolute directories; the first that has a name wins.
    public init(directories: [BytePath], owners: TrustedOwners = .current()) {
        self.directories = directories
        self.owners = owners
    }

    /// The playbook of that name. A directory that does not exist is not an error; one that others can write is
    /// ``Base/Failure/Code/refused``, a name that none has ``Base/Failure/Code/notFound``.
    public func find(_ name: String) throws(Failure) -> PlaybookDocument {
        guard PlaybookLibrary.isName(name) else { throw notFound(name, names: try names()) }
        for directory in directories {
            let path = directory.appending("\(name).yaml")
            let bytes: [UInt8]
            do throws(Failure) {
                bytes = try TrustedFile.read(path, owners: owners, to: "read the playbook")
            } catch {
                if error.code == .notFound { continue }
                throw error
            }
            let document = try PlaybookDocument.parse(bytes, named: path)
            guard document.name == name else {
                throw document.place.failure(
                    "the file is named \(name).yaml but the playbook \"\(document.name)\"",
                    fix: "write \"playbook: \(name)\""
                )
            }
            return document
        }
        throw notFound(name, names: try names())
    }

    /// The names of all playbooks, sorted, each once.
    public func names() throws(Failure) -> [String] {
        var found = Set<String>()
        for directory in directories {
            do throws(Failure) {
                let files = try TrustedFile.names(in: directory, owners: owners, to: "list the playbooks")
                for file in files.compactMap(\.text) where file.hasSuffix(".yaml") {
                    let name = String(file.dropLast(5))
                    if PlaybookLibrary.isName(name) { found.insert(name) }
                }
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return found.sorted()
    }

    /// The playbook at a path that a person gave: an argument with a slash or with `.yaml` at the end. Who can write it
    /// is that person's business (RT21).
    public static func read(explicit path: BytePath) throws(Failure) -> PlaybookDocument {
        try PlaybookDocument.parse(try TrustedFile.readExplicit(path, to: "read the playbook"), named: path)
    }

    /// Whether an argument is a path rather than a name.
    public static func isPath(_ argument: String) -> Bool { argument.contains("/") || argument.hasSuffix(".yaml") }

    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: "-")
            && name.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }

    private func notFound(_ name: String, names: [String]) -> Failure {
        Failure(
            .notFound,
            "find the playbook",
            on: name,
            because: "no playbook has that name",
            hint: NearestWord.fix(for: name, among: names, plural: "playbooks")
        )
    }
}
