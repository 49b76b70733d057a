public import Base
public import Kernel

/// The other end of connections that somebody asks about: an address, or one port of it.
public struct SoughtPeer: Hashable, Sendable {
    /// The address; an IPv4 address in its own form, never mapped.
    public let address: NetworkAddress
    /// The port; `nil` for all of them.
    public let port: UInt16?

    /// Takes both parts.
    public init(address: NetworkAddress, port: UInt16? = nil) {
        self.address = address.unmapped
        self.port = port
    }

    /// Reads `192.0.2.7`, `192.0.2.7:443`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:443`. No name is looked up.
    ///
    /// - Throws: `usage` for anything else.
    public init(parsing text: String) throws(Failure) {
        let isBracketed = text.first == "[" && text.last == "]"
        if let address = NetworkAddress(isBracketed ? String(text.dropFirst().dropLast()) : text) {
            self.init(address: address)
        } else if let end = Endpoint(text) {
            self.init(address: end.address, port: end.port)
        } else {
            throw Failure(
                .usage,
                "read the address",
                on: text,
                because: "it is not ADDR or ADDR:PORT, and no name is looked up",
                hint: "forms: 192.0.2.7, 192.0.2.7:443, 2001:db8::7, [2001:db8::7]:443"
            )
        }
    }

    /// Whether a socket is connected to it, in whatever form its family shows the address.
    public func isPeer(of socket: InetSocket) -> Bool {
        guard !socket.remote.address.isUnspecified || address.isUnspecified, socket.remote.port != 0 else {
            return false
        }
        return socket.remote.address.unmapped == address && (port.map { $0 == socket.remote.port } ?? true)
    }
}

extension SoughtPeer: CustomStringConvertible {
    /// As it can be typed.
    public var description: String {
        port.map { Endpoint(address: address, port: $0).description } ?? address.description
    }
}
