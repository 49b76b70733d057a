public import Base
public import Kernel

extension Overview {
    /// Looks at every process of this machine and at the sockets of those that belong to an agent, in their own network
    /// namespaces. Quell itself is left out.
    ///
    /// - Throws: When the processes cannot be listed. What cannot be read of one of them is a member of ``failures``.
    public static func look(
        at host: Host,
        inventory: Inventory = .empty,
        by deadline: Deadline
    ) throws(Failure) -> Overview {
        var look = ProcessLook(host, by: deadline)
        let processes = try look.processes()
        let grouping = OverviewGrouping(processes, inventory)
        let sockets = look.sockets(of: grouping.groups.flatMap(\.members).map(\.pin))
        return Overview(of: processes, sockets: sockets, inventory: inventory, failures: look.distinctFailures)
    }
}
