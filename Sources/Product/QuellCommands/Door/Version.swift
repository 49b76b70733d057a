/// Which Quell this is.
enum Version {
    /// The number of the release.
    static let number = "0.1.0"
    /// What `quell --version` prints.
    static let text = "quell \(number)"
}
