public import Casework
public import Base

extension Case {
    /// The newest of the captures with the most in them that this host can read; of those that went to another host or to a
    /// pipe the case knows the root alone.
    ///
    /// - Returns: it, or `nil` when there is none; `elsewhere` names the newest one that lies where it cannot be read.
    /// - Throws: why the journal, or the note of one, cannot be read.
    public func richestCapture(
        where isMeant: (CaptureRecord) -> Bool
    ) throws(Failure) -> (capture: CaptureRecord?, elsewhere: BundlePlace?) {
        var readable: [CaptureRecord] = []
        var elsewhere: BundlePlace?
        for capture in try captures() where isMeant(capture) {
            let place = try BundlePlace(of: capture.bundle, in: self)
            if place.path == nil { elsewhere = place } else { readable.append(capture) }
        }
        let most = readable.map(\.profile).max()
        return (readable.last { $0.profile == most }, elsewhere)
    }
}
