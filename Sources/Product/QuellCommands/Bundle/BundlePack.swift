internal import ArgumentParser
import Base
import Bundles
import Response

/// `quell bundle pack`.
struct BundlePack: QuellCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack",
        abstract: "Pack a verified bundle into one plain tar file, here or on another host.",
        discussion: """
            The same bundle always gives the same bytes. An existing file is never overwritten. FILE may be a directory, - \
            for standard output, or sftp:USER@HOST:/path: the bundle goes there while it is packed, without a second copy \
            here, and has its name there only when all of it is on disk. ssh asks nothing and believes only hosts that \
            are known.
            """
    )

    @OptionGroup var options: BundleOptions
    @Argument(help: ArgumentHelp("Where it goes (default: NAME.quell.tar here).", valueName: "file")) var destination:
        String?
    @OptionGroup var route: SSHOptions
    var common: CommonOptions { options.common }

    func run(in environment: Environment, telling: Teller) throws(Failure) -> Outcome {
        guard destination != "-" || !common.json else {
            throw Failure(
                .usage,
                "pack the bundle",
                on: "--json",
                because: "its bytes go to standard output as they are"
            )
        }
        let bundle = try options.verified(in: environment)
        let name = bundle.statement.name
        let place = try BundleDestination(destination ?? "\(name).quell.tar", for: name) { environment.absolute($0) }
        let size = try BundleSender(try route.route(in: environment)).send(bundle, to: place)
        if common.json {
            telling.document([
                "file": .string(place.words),
                "bytes": .integer(Int64(clamping: size)),
                "root": .string(bundle.root.hex),
            ])
        } else if place == .output {
            telling.say("\(Words.bytes(size))  root \(bundle.root)")
        } else {
            telling.result("\(place.words)  \(Words.bytes(size))  root \(bundle.root)")
        }
        return bundle.outcome
    }
}

/// How ssh gets to another host.
struct SSHOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("For sftp: the key's file.", valueName: "file")) var identity: String?
    @Option(name: .long, help: ArgumentHelp("For sftp: the socket of an agent.", valueName: "path")) var agent: String?
    @Option(name: .long, help: ArgumentHelp("For sftp: the file of known hosts.", valueName: "file"))
    var knownHosts: String?
    @Option(name: .long, help: ArgumentHelp("For sftp: the port.", valueName: "number")) var port: UInt16?

    func route(in environment: Environment) throws(Failure) -> SSHRoute {
        func path(_ text: String?) -> BytePath? { text.map { environment.absolute(BytePath($0)) } }
        return SSHRoute(identity: path(identity), agent: path(agent), knownHosts: path(knownHosts), port: port)
    }
}
