internal import ArgumentParser
import Documents

/// The words of the command tree.
enum CommandWords {
    /// The words below `root` that lead to a command; `nil` when it is not below.
    static func of(_ command: any ParsableCommand.Type, in root: any ParsableCommand.Type) -> [String]? {
        for child in root.configuration.subcommands {
            guard let word = child.configuration.commandName else { continue }
            if child == command { return [word] }
            if let words = of(command, in: child) { return [word] + words }
        }
        return nil
    }

    /// What the person probably meant by the first word that is no command, as a command line; `nil` when every word is
    /// one, or none is near. Made of known words only (RT14).
    static func meant(by arguments: [String], in root: any ParsableCommand.Type) -> String? {
        var command = root
        var words = ["quell"]
        for argument in arguments {
            let children = command.configuration.subcommands.filter { $0.configuration.shouldDisplay }
            guard !children.isEmpty, !argument.hasPrefix("-"), argument != "help" else { return nil }
            guard let next = children.first(where: { $0.configuration.commandName == argument }) else {
                let near = NearestWord.of(argument, among: children.compactMap { $0.configuration.commandName })
                return near.map { (words + [$0]).joined(separator: " ") }
            }
            words.append(argument)
            command = next
        }
        return nil
    }
}
