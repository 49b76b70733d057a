public import Base
import Kernel

/// How ssh gets to the other host. Its own configuration of the user and of /etc/ssh holds besides.
public struct SSHRoute: Hashable, Sendable {
    /// The key's file.
    public var identity: BytePath?
    /// The socket of an agent: there is no environment to take it from (RT38).
    public var agent: BytePath?
    /// The file of known hosts. A host that is not known is never believed.
    public var knownHosts: BytePath?
    /// The port, when it is not 22.
    public var port: UInt16?

    /// Takes all parts.
    public init(identity: BytePath? = nil, agent: BytePath? = nil, knownHosts: BytePath? = nil, port: UInt16? = nil) {
        self.identity = identity
        self.agent = agent
        self.knownHosts = knownHosts
        self.port = port
    }

    /// The arguments of ssh(1): nothing is asked, nothing is forwarded, a dead line ends within a minute.
    func arguments(to host: String) -> [BytePath] {
        var words = [
            "-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=3",
            "-oForwardAgent=no", "-oForwardX11=no", "-oClearAllForwardings=yes", "-oPermitLocalCommand=no", "-T",
        ].map { BytePath($0) }
        if let identity { words += [BytePath("-i"), identity, BytePath("-oIdentitiesOnly=yes")] }
        if let agent { words.append(BytePath(Array("-oIdentityAgent=".utf8) + agent.bytes)) }
        if let knownHosts { words.append(BytePath(Array("-oUserKnownHostsFile=".utf8) + knownHosts.bytes)) }
        if let port { words += [BytePath("-p"), BytePath("\(port)")] }
        return words + [BytePath("-s"), BytePath("--"), BytePath(host), BytePath("sftp")]
    }
}

extension SSHRoute {
    /// Connects to the SFTP of a host; what ssh has to say goes to standard error. Ctrl-C does not end it: what is there is to be
    /// sealed through it. It ends when its input does, with this program at the latest.
    func connect(
        to host: String,
        with ssh: BytePath,
        for path: BytePath,
        patience: Patience = SFTPConnection.patience()
    ) throws(Failure) -> SFTPConnection {
        try SFTPConnection(of: path, patience: patience) { (end: Int32) throws(Failure) -> ChildProcess in
            try ChildProcess.start(
                .rootOwned(ssh),
                arguments(to: host),
                descriptors: [ChildDescriptor(end, as: 0), ChildDescriptor(end, as: 1), ChildDescriptor(2, as: 2)],
                inOwnGroup: true
            )
        }
    }
}
