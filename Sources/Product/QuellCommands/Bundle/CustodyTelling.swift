import Base
import Bundles
import Response

/// How custody is told: whose key signed a record is a fact, the names in it are not until the trust file says so.
enum CustodyTelling {
    /// The outcome of a verification, with what the trust file says against the custody.
    static func outcome(of bundle: VerifiedBundle, _ chain: CustodyChain?) -> Outcome {
        chain?.isContradicted == true && bundle.outcome == .done ? .partial : bundle.outcome
    }

    /// Whose key signed a record, or why its names are claims.
    static func standing(of entry: CustodyChain.Entry) -> String {
        guard let doubt = entry.doubt else {
            return "signed by \(Escaped.terminal(entry.owner ?? "nobody")), key \(entry.signer)"
        }
        let word = entry.isContradicted ? "NOT TRUSTED" : "claimed"
        return "\(word): \(Escaped.terminal(doubt)), key \(entry.signer)"
    }

    /// Who holds it and who says so: who receives signs nothing.
    static func holder(_ chain: CustodyChain?, _ bundle: VerifiedBundle) -> String {
        guard let last = chain?.lastHandover, let receiver = last.record.receiver else {
            return Escaped.terminal(bundle.statement.responder)
        }
        let says =
            last.doubt == nil ? "\(Escaped.terminal(last.record.actor)) says" : "record \(last.record.number) claims"
        return "\(Escaped.terminal(receiver)), as \(says)"
    }

    /// What speaks against the names in a chain, in few lines; none when all are facts.
    static func doubts(_ chain: CustodyChain) -> [String] {
        var lines = chain.entries.filter(\.isContradicted).map { entry in
            "record \(entry.record.number) NOT TRUSTED: \(Escaped.terminal(entry.doubt ?? ""))"
        }
        let claimed = chain.entries.filter { $0.doubt != nil && !$0.isContradicted }.count
        if claimed > 0 {
            let names = Words.count(claimed, "record", "records")
            lines.append("the names in \(names) are claimed: the trust file does not vouch for them")
        }
        return lines
    }

    /// What a crash left of a record, and where it is now.
    static func warn(_ chain: CustodyChain, _ telling: Teller) {
        if let place = chain.keptTorn {
            telling.warn("the custody ended in a torn record, which is now in \(place)")
        } else if chain.torn > 0 {
            telling.warn("the custody ends in \(chain.torn) bytes of a record that was never finished")
        }
    }
}
