import Base
import Kernel

/// What overlayfs marks an object of an upper layer with. Only the names that nobody but the kernel can write from inside a
/// container count (`trusted.`), and only in a layer that was verified (RT24). Source: kernel,
/// Documentation/filesystems/overlayfs.rst.
struct OverlayMarks {
    /// Whether it says that what has this name below is gone.
    let isWhiteout: Bool
    /// Whether it says that nothing below shows through.
    let isOpaque: Bool
    /// Where a renamed directory was before, relative to its parent or to the root.
    let redirect: BytePath?
    /// Whether its content is still that of the layer below.
    let hasOnlyMetadata: Bool

    init(_ node: borrowing FileNode) throws(Failure) {
        let facts = node.facts
        var values: [String: [UInt8]] = [:]
        if facts.kind == .file || facts.kind == .directory {
            for attribute in try node.attributes(limit: 1 << 16).found {
                guard let name = attribute.name.text, name.hasPrefix("trusted.overlay.") else { continue }
                values[String(name.dropFirst("trusted.overlay.".count))] = attribute.value
            }
        }
        let isDevice = facts.kind == .char && facts.special == DeviceNumber(major: 0, minor: 0)
        isWhiteout = isDevice || facts.kind == .file && facts.size == 0 && values["whiteout"] != nil
        isOpaque = facts.kind == .directory && values["opaque"] == Array("y".utf8)
        redirect = values["redirect"].map { BytePath($0) }
        hasOnlyMetadata = facts.kind == .file && values["metacopy"] != nil
    }
}
