import Glibc

/// The command line of this process with the rights it lacks, ready to paste.
var sudoLine: String {
    var words = ["sudo", "quell"] + CommandLine.arguments.dropFirst().map(ShellWord.quoted)
    // sudo does not hand the variable on.
    if let store = getenv("QUELL_STORE").map({ String(cString: $0) }), !store.isEmpty, !words.contains("--store") {
        words += ["--store", ShellWord.quoted(store)]
    }
    return words.joined(separator: " ")
}

/// A word of a suggested command line, quoted so that a POSIX shell takes it as one word and runs nothing (RT14). Only
/// words the person typed are ever quoted; names of foreign origin never get here.
enum ShellWord {
    /// The word as it can be pasted.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./:=,@+".utf8.contains(byte)
            }
        }
        if plain, !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
