/// The addresses that a cut leaves open, such as a responder's log shipper; by default none. Only TCP and UDP to and from
/// them pass: no ICMP, no fragments, no IPv6 extension headers.
public struct AllowList: Hashable, Sendable, Codable {
    /// One address, with one port or all.
    public struct Entry: Hashable, Sendable, Codable {
        /// The address; an IPv4 address is never in its mapped form.
        public let address: NetworkAddress
        /// The port at that address; `nil` means every port.
        public let port: UInt16?

        /// Takes both parts.
        public init(_ address: NetworkAddress, port: UInt16? = nil) {
            self.address = address.unmapped
            self.port = port
        }

        /// Reads `192.0.2.7`, `192.0.2.7:6514`, `2001:db8::7` or `[2001:db8::7]:6514`. Names are never looked up; the
        /// unspecified address, multicast and port 0 give `nil`.
        public init?(_ text: String) {
            if let endpoint = Endpoint(text) {
                self.init(endpoint.address, port: endpoint.port)
            } else if let address = NetworkAddress(text) {
                self.init(address)
            } else {
                return nil
            }
            let isMulticast = address.family == .v4 ? address.bytes[0] >= 224 : address.bytes[0] == 255
            guard !address.isUnspecified, !isMulticast else { return nil }
        }

        /// The form that is read.
        public var text: String {
            guard let port else { return "\(address)" }
            return "\(Endpoint(address: address, port: port))"
        }
    }

    /// What is left open.
    public let entries: [Entry]

    /// How many entries a list may have: each is a few instructions of the program.
    public static let most = 64

    /// Takes the entries.
    public init(_ entries: [Entry] = []) { self.entries = entries }

    /// Whether nothing is left open.
    public var isEmpty: Bool { entries.isEmpty }

    /// Whether packets to and from that endpoint pass.
    public func permits(_ remote: Endpoint) -> Bool {
        let plain = remote.unmapped
        return entries.contains { $0.address == plain.address && ($0.port == nil || $0.port == plain.port) }
    }
}
