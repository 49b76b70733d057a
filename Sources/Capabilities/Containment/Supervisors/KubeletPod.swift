internal import Base
internal import Glibc
internal import Kernel

/// A pod by the paths that kubelet gives its containers. kubelet starts them again (`restartPolicy` is Always unless the pod
/// says otherwise) and kills one whose liveness probe fails, which a frozen one's does. It serves every pod of the machine and
/// is told what to run by others, so that it is named, with what would help. Known from its documentation and its layout only.
/// Sources: kubernetes.io, pod lifecycle and static pods; cgroup driver layouts of kubelet.
enum KubeletPod {
    /// One for each pod that a path names.
    static func supervisors(of paths: [BytePath], root: BytePath) -> [Supervisor] {
        let pods = Set(paths.compactMap(pod)).sorted()
        guard !pods.isEmpty else { return [] }
        let manifests = staticPods(root)
        let names = manifests.map(\.description).joined(separator: ", ")
        let isStatic =
            manifests.isEmpty ? "" : "; of a static pod move the manifest out of /etc/kubernetes/manifests (\(names))"
        return pods.map { pod in
            Supervisor(
                kind: .sharedDaemon,
                name: BytePath("kubelet"),
                detail: "it stands in \(pod), whose containers kubelet starts again, and kills when a probe fails",
                process: nil,
                reason: "kubelet serves other pods, too: kubectl cordon the node and scale its owner to 0\(isStatic)"
            )
        }
    }

    /// `/kubepods/burstable/podUID/ID`, `/kubepods.slice/kubepods-podUID.slice/cri-containerd-ID.scope`.
    private static func pod(of path: BytePath) -> BytePath? {
        let components = path.components
        guard let top = components.firstIndex(where: { $0.text?.hasPrefix("kubepods") ?? false }) else { return nil }
        return components[top...].first { component in
            guard let text = component.text else { return false }
            return text.hasPrefix("pod") || text.hasPrefix("kubepods") && text.contains("-pod")
        }
    }

    private static func staticPods(_ root: BytePath) -> [BytePath] {
        let folder = root.appending("etc/kubernetes/manifests")
        var names: [BytePath] = []
        do throws(Failure) {
            let directory = try Descriptor(opening: folder, O_RDONLY | O_DIRECTORY)
            try directory.forEachEntry(of: folder) { name, _ throws(Failure) in
                let name = BytePath(name)
                if name.bytes.first != UInt8(ascii: ".") { names.append(name) }
            }
        } catch {
            return []
        }
        return names.sorted()
    }
}
