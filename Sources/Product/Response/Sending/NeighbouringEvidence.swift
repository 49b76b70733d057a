public import Base
import Casework
import Evidence
import Glibc
import Kernel

extension CaptureAction {
    /// What of the session lies on the very file system that its capture is sent to: writing there takes the room, and the
    /// deleted content, of the evidence. Nothing when the capture goes into the case, or off the host.
    ///
    /// - Throws: `refused` when the capture would go into a folder that it takes; as a capture does that finds its folders.
    public static func neighbours(of session: SessionReference, at place: Workplace) throws(Failure) -> [BytePath] {
        guard let folder = place.destination?.folder, let home = look(at: folder) else { return [] }
        let store = place.home.folder.parent.parent
        let roots = CaptureRoots(of: session, try place.agent(of: session), on: place.host, store: store)
        let members = session.pin.leader.map { [CaptureSubject(pin: $0, membership: .member)] } ?? []
        var neighbours: [BytePath] = []
        for tree in try roots.trees(of: members) where tree.inside == nil {
            guard let top = look(at: tree.path) else { continue }
            if isBelow(folder, top) {
                throw Failure(
                    .refused,
                    "capture",
                    on: String(decoding: folder.bytes, as: UTF8.self),
                    because: "it lies in \(tree.path), which is captured"
                )
            }
            if top.st_dev == home.st_dev { neighbours.append(tree.path) }
        }
        return neighbours
    }

    /// The first folder from a destination upwards that somebody else than root and the responder may change: who can, could
    /// put something else in the place of what lies there. `nil` when there is none, or when nothing goes to this host.
    public static func exposure(of destination: CaptureDestination) -> BytePath? {
        guard var path = destination.folder else { return nil }
        var last: stat?
        while let here = look(at: path), here.st_ino != last?.st_ino || here.st_dev != last?.st_dev {
            let isOwn = here.st_uid == 0 || here.st_uid == geteuid()
            let isOpen = here.st_mode & (S_IWGRP | S_IWOTH) != 0 && here.st_mode & S_ISVTX == 0
            if !isOwn || isOpen { return path }
            last = here
            path = path.appending("..")
        }
        return nil
    }

    /// Whether a folder is another one or lies below it, whatever links lead there.
    private static func isBelow(_ folder: BytePath, _ top: stat) -> Bool {
        var path = folder
        var last: stat?
        while let here = look(at: path), here.st_ino != last?.st_ino || here.st_dev != last?.st_dev {
            if here.st_ino == top.st_ino, here.st_dev == top.st_dev { return true }
            last = here
            path = path.appending("..")
        }
        return false
    }

    private static func look(at path: BytePath) -> stat? {
        var status = stat()
        return path.withCString { stat($0, &status) } == 0 ? status : nil
    }
}
