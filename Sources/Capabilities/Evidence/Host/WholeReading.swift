import Base
import Kernel

extension ProcessDirectory {
    /// The bytes of a file of /proc/PID, at most `limit` of them, and that there are more, if there are: what is cut is
    /// never taken for the whole.
    func bounded(_ name: String, limit: Int) throws(Failure) -> (bytes: [UInt8], cut: Failure?) {
        let bytes = try contents(name, limit: limit + 1)
        guard bytes.count > limit else { return (bytes, nil) }
        let cut = Failure(
            .refused,
            "read \(name) of a process",
            on: "\(pid)",
            because: "longer than \(limit) bytes: cut"
        )
        return ([UInt8](bytes[..<limit]), cut)
    }

    /// The same of a file that is of no use in part.
    ///
    /// - Throws: `refused` when it is longer than `limit`.
    func whole(_ name: String, limit: Int) throws(Failure) -> [UInt8] {
        let (bytes, cut) = try bounded(name, limit: limit)
        if let cut { throw cut }
        return bytes
    }
}
