internal import ArgumentParser
import Base
import Sessions

/// `quell freeze`: acts within milliseconds, with or without store, key, inventory and a writable disk.
struct Freeze: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze",
        _superCommandName: "quell",
        abstract: "Freeze sessions with everything that belongs to them, and drop their network.",
        discussion: """
            Confirmed (exit 0) means: the kernel says frozen for every thread, no stray by a strong mark is running, and \
            what could start the session again (a parent that is a shell or a supervisor, the conmon of a podman \
            container with a restart policy, a unit of systemd's, an entry of cron's) is held, too. Unconfirmed \
            or partial (exit 3) lists what is left; a parent of which nothing is known is named and not held. The sentry \
            of a gVisor sandbox, and the monitor that qmp: names, are asked for at most 300 ms before; what they say \
            decides nothing. A container of a user's (podman:USER/NAME, runc:USER/ID, crun:USER/ID) is looked up in \
            files of that user's, who can watch that; the pid of one of its processes is silent. It needs no case, no key \
            and no writable disk; what the store cannot take is recorded in /run/quell, and joins the case later.

            LOCATOR is \(Locator.forms).
            """,
        version: Version.text
    )

    @OptionGroup var common: CommonOptions
    @OptionGroup var effect: EffectOptions
    @Argument(help: ArgumentHelp("Which sessions.", valueName: "locator")) var locators: [String]
    @Flag(name: .customLong("no-cut"), help: "Leave the network as it is.") var keepsNetwork = false
    @Flag(name: .customLong("no-hold-restart"), help: "Leave what could start the session again as it is.")
    var leavesSupervisors = false
    @Option(
        name: .long,
        help: ArgumentHelp("Also freeze slices and groups that hold sshd, journald or an engine.", valueName: "reason")
    )
    var broad: String?
    @Option(name: .long, help: ArgumentHelp("Also hold this process; may be given again.", valueName: "pid"))
    var include: [Int32] = []
    @Option(name: .long, help: "Also hold who is joined to it by pipe, FIFO, unix socket or loopback.")
    var with: Company?
    @Flag(name: .long, help: "Only say what would be frozen, who is joined to it and what it serves to others.")
    var plan = false
    @Flag(name: .long, help: "Stay, and freeze it again whenever somebody thaws it; Ctrl-C leaves it frozen.")
    var hold = false

    /// Who may be taken along.
    enum Company: String, ExpressibleByArgument, CaseIterable { case peers }

    var order: FreezeOrder {
        FreezeOrder(
            locators: locators,
            wantsJSON: common.json,
            isQuiet: common.quiet,
            chosenStore: common.store,
            namedCase: effect.case,
            reason: effect.reason,
            actor: effect.actor,
            keepsNetwork: keepsNetwork,
            leavesSupervisors: leavesSupervisors,
            broad: broad,
            include: include,
            withPeers: with == .peers,
            plan: plan,
            hold: hold
        )
    }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        try order.run(in: environment, telling: telling)
    }
}
