import Base
import Programs

/// The checkout that the tests were built from.
enum Repository {
    /// Its root folder.
    static let root = String(#filePath).split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    /// One Swift source, line by line, with what is behind `//` taken away.
    struct Source: Sendable {
        let path: String
        let lines: [String]

        /// `Sources/<Floor>/<Room>/...` gives the room; `nil` elsewhere.
        var room: String? {
            let parts = path.split(separator: "/")
            return parts.count > 3 && parts[0] == "Sources" ? String(parts[2]) : nil
        }

        /// The modules it imports.
        var imports: [String] { lines.compactMap { Source.module(of: $0) } }

        static func module(of line: String) -> String? {
            var words = line.split(separator: " ").map(String.init)
            while let first = words.first, first.hasPrefix("@") || ["public", "package", "internal"].contains(first) {
                words.removeFirst()
            }
            guard words.count > 1, words.removeFirst() == "import" else { return nil }
            if ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"].contains(words[0]) {
                words.removeFirst()
            }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }

    /// All Swift sources below `folder`, a path from the root.
    static func sources(in folder: String) -> [Source] {
        files(in: folder).filter { $0.hasSuffix(".swift") }.map { path in
            let text = Files.text("\(root)/\(path)") ?? ""
            return Source(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(code))
        }
    }

    /// All files below `folder`, as paths from the root; build products are left out.
    static func files(in folder: String) -> [String] {
        (Files.names(in: "\(root)/\(folder)") ?? []).filter { $0 != ".build" }.flatMap { name in
            Files.isFolder("\(root)/\(folder)/\(name)") ? files(in: "\(folder)/\(name)") : ["\(folder)/\(name)"]
        }
    }

    private static func code(_ line: Substring) -> String {
        var previous: Character = " "
        for index in line.indices {
            // A URL in a string has a colon before its slashes.
            if line[index...].hasPrefix("//"), previous != ":" { return String(line[..<index]) }
            previous = line[index]
        }
        return String(line)
    }
}
