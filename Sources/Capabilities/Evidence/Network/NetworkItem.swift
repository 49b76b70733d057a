import Base
import Bundles
import Glibc
import Kernel

/// data/network.jsonl: interfaces, addresses, routes, rules, neighbours and nf_tables of each network namespace of the
/// session.
struct NetworkItem {
    let processes: ProcessesItem
    let host: Host
    let reader: ImpatientReader

    private struct Tables: Sendable {
        var lines: [JSONObject] = []
        var gaps: [Failure] = []
        /// Families that this kernel was built without.
        var absent: [String] = []
    }

    func collect(to writer: BundleWriter, log: CollectionLog, budget: CaptureBudget) throws(Failure) {
        let name = try PayloadName("data/network.jsonl")
        let stream = try writer.stream(name)
        var item = CollectionItem(.network)
        item.member = name.text
        var absent: Set<String> = []
        var failed = 0
        for space in processes.networkNamespaces {
            let tables: Tables
            do throws(Failure) {
                tables = try read(space.pin, space.link)
            } catch {
                failed += 1
                item = item.missed("network namespace \(space.inode)", error)
                continue
            }
            absent.formUnion(tables.absent)
            for gap in tables.gaps { item = item.missed("network namespace \(space.inode)", gap) }
            for var line in tables.lines {
                line["networkNamespace"] = .integer(Int64(clamping: space.inode))
                let bytes = CanonicalJSON.bytes(of: .object(line)) + [UInt8(ascii: "\n")]
                guard budget.take(UInt64(bytes.count)) else {
                    item = item.partial("over the budget")
                    break
                }
                try stream.append(bytes)
            }
        }
        try stream.close()
        if failed > 0, failed == processes.networkNamespaces.count { item.outcome = .failed }
        if item.reason == nil, !absent.isEmpty {
            item.reason = "this kernel has no \(absent.sorted().joined(separator: ", "))"
        }
        try log.end(processes.judge(item))
    }

    private func read(_ pin: ProcessPin, _ link: String) throws(Failure) -> Tables {
        let host = self.host
        let answer = try reader.read("read the network", on: "\(pin.pid)") { () -> Result<Tables, Failure> in
            do throws(Failure) {
                let process = try ProcessDirectory(pin, on: host)
                let window = try process.open(link, O_RDONLY)
                var tables = Tables()
                for table in NetworkTable.allCases { NetworkItem.take(table, in: window.number, &tables) }
                return .success(tables)
            } catch {
                return .failure(error)
            }
        }
        return try answer.get()
    }

    private static func take(_ table: NetworkTable, in namespace: Int32, _ tables: inout Tables) {
        do throws(Failure) {
            let talk = try NetlinkTalk(table.family, in: namespace)
            for message in try talk.dump(table.request, table.body) {
                if let line = table.line(of: message) { tables.lines.append(line) }
            }
        } catch {
            // A kernel without nf_tables or policy routing says so in one of these ways.
            let isAbsent = [ENOENT, EOPNOTSUPP, EINVAL, EPROTONOSUPPORT, EAFNOSUPPORT].contains(error.errno ?? 0)
            if isAbsent, table != .link { tables.absent.append(table.rawValue) } else { tables.gaps.append(error) }
        }
    }
}
