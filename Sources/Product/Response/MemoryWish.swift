import Base
import Evidence
import Sealing

/// Which memory a capture is asked for. Memory holds secrets: without recipients it is refused unless it may stand in the
/// bundle as it is.
struct MemoryWish {
    private let input: CaptureAction.Input
    private let profile: CaptureProfile

    init(_ input: CaptureAction.Input, _ profile: CaptureProfile) {
        self.input = input
        self.profile = profile
    }

    /// What is taken.
    ///
    /// - Parameter recipients: Who alone may open it; asked only when memory is wanted.
    ///
    /// - Throws: `usage` for a word that is none of the modes; `refused` when memory is asked for and would stand in the
    ///   bundle for everybody, and nobody said that it may.
    func mode(for recipients: () throws(Failure) -> [Recipient]) throws(Failure) -> MemoryMode {
        let mode = try Self.mode(input.memory, of: profile)
        if mode == .nothing || input.plainMemory == true { return mode }
        guard try !recipients().isEmpty else {
            throw Failure(
                .refused,
                "capture memory",
                on: mode.rawValue,
                because: "memory holds secrets, and nobody is named to encrypt it to",
                hint: "name one by --recipient, or say --plain-memory to have it in the bundle unencrypted"
            )
        }
        return mode
    }

    /// What a word means, or the profile where there is none; nobody is asked whether it may be taken.
    ///
    /// - Throws: `usage` for a word that is none of the modes.
    static func mode(_ word: String?, of profile: CaptureProfile) throws(Failure) -> MemoryMode {
        guard let word else { return profile == .full ? .all : .nothing }
        if let mode = MemoryMode(rawValue: word) { return mode }
        throw Failure(
            .usage,
            "capture memory",
            on: word,
            because: "no such choice",
            hint: "choices are \(MemoryMode.allCases.map(\.rawValue).joined(separator: ", "))"
        )
    }
}
