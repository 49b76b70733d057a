public import Base

/// Why a process is taken for an agent. What the process could have written itself (its arguments) is a hint like the
/// others: the overview only points, it acts on nothing.
public enum AgentSign: Hashable, Sendable, Codable {
    /// The file it executes has an agent's name, or lies in an agent's package.
    case executable(String)
    /// The program or script named by its arguments has.
    case argument(String)
    /// It holds a transcript open.
    case transcript(BytePath)
    /// The inventory declares it under this name.
    case declared(String)
}

extension AgentSign: CustomStringConvertible {
    /// A few words, made safe for a terminal.
    public var description: String {
        switch self {
        case .executable(let agent): "runs \(agent)"
        case .argument(let agent): "its arguments name \(agent)"
        case .transcript(let path): "holds \(path) open"
        case .declared(let name): "the inventory calls it \(name)"
        }
    }
}

/// The agents that are known by name.
enum KnownAgent {
    /// Names of programs and scripts, without `.js` and the like, and the agent's name.
    static let programs: [String: String] = [
        "claude": "claude-code", "claude-code": "claude-code", "codex": "codex", "gemini": "gemini-cli",
        "gemini-cli": "gemini-cli", "openclaw": "openclaw", "aider": "aider", "goose": "goose", "opencode": "opencode",
        "cursor-agent": "cursor-agent", "copilot": "copilot-cli", "qwen": "qwen-code", "crush": "crush", "amp": "amp",
        "cline": "cline", "openhands": "openhands", "sweagent": "swe-agent", "swe-agent": "swe-agent",
        "mini-swe-agent": "swe-agent", "plandex": "plandex", "auggie": "auggie", "droid": "droid",
    ]

    /// Parts of paths under which agents are installed.
    static let packages: [(components: [String], agent: String)] = [
        (["@anthropic-ai", "claude-code"], "claude-code"), (["share", "claude", "versions"], "claude-code"),
        (["@openai", "codex"], "codex"), (["@google", "gemini-cli"], "gemini-cli"),
        (["node_modules", "openclaw"], "openclaw"), (["cursor-agent", "versions"], "cursor-agent"),
        (["@qwen-code", "qwen-code"], "qwen-code"), (["@sourcegraph", "amp"], "amp"),
    ]

    /// Programs that run a script: the script is what counts.
    private static let interpreters = [
        "node", "nodejs", "python", "bun", "deno", "ruby", "sh", "bash", "dash", "zsh", "env", "uv", "uvx", "npx",
        "npm",
        "tsx",
    ]

    /// The agent that a program's path names.
    static func named(by path: BytePath) -> String? {
        let components = path.components
        if let last = components.last, let agent = programs[stem(of: last)] { return agent }
        return packages.first { contains($0.components.map { BytePath($0) }, in: components) }?.agent
    }

    /// The agent that an argument vector names: its program, or the script of an interpreter.
    static func named(byArguments arguments: [BytePath]) -> String? {
        guard let program = arguments.first else { return nil }
        if let agent = named(by: program) { return agent }
        guard isInterpreter(program) else { return nil }
        let dash = UInt8(ascii: "-")
        return arguments.dropFirst().prefix(8).filter { $0.bytes.first != dash }.prefix(2)
            .lazy.compactMap { named(by: $0) }.first
    }

    private static func isInterpreter(_ program: BytePath) -> Bool {
        // python3.11 is python.
        let name = String(decoding: program.lastComponent.bytes, as: UTF8.self)
        let letters = String(name.prefix { $0.isASCII && $0.isLetter })
        return interpreters.contains(letters) && name.dropFirst(letters.count).allSatisfy { $0.isNumber || $0 == "." }
    }

    private static func stem(of name: BytePath) -> String {
        let text = String(decoding: name.bytes, as: UTF8.self)
        for ending in [".js", ".mjs", ".cjs", ".ts", ".py", ".sh"] where text.hasSuffix(ending) {
            return String(text.dropLast(ending.count))
        }
        return text
    }

    private static func contains(_ wanted: [BytePath], in components: [BytePath]) -> Bool {
        guard components.count >= wanted.count else { return false }
        return (0...components.count - wanted.count).contains { components[$0...].starts(with: wanted) }
    }

    /// Whether an open file is an agent's transcript, by where it lies: `.claude/projects/*/*.jsonl`,
    /// `.codex/sessions/**.jsonl`, anything of `.gemini` or `.openclaw*` that is JSON, `*.traj`.
    static func isTranscript(_ link: BytePath) -> Bool {
        guard link.isAbsolute else { return false }
        let path = withoutDeletedMark(link)
        if path.hasSuffix(".traj") { return true }
        guard path.hasSuffix(".jsonl") || path.hasSuffix(".json") else { return false }
        let components = path.components.dropLast()
        return components.indices.contains { index in
            let name = components[index]
            let next = index + 1 < components.endIndex ? components[index + 1] : BytePath("")
            return name == BytePath(".claude") && next == BytePath("projects")
                || name == BytePath(".codex") && next == BytePath("sessions")
                || name == BytePath(".gemini") || name.bytes.starts(with: Array(".openclaw".utf8))
        }
    }

    /// The kernel marks an unlinked file; a file may be named so, too, and then the mark does no harm here.
    private static func withoutDeletedMark(_ link: BytePath) -> BytePath {
        let mark = " (deleted)"
        return link.hasSuffix(mark) ? BytePath(link.bytes.dropLast(mark.utf8.count)) : link
    }
}

extension BytePath {
    /// Whether a path is where a known agent keeps its transcripts.
    public var isTranscript: Bool { KnownAgent.isTranscript(self) }

    fileprivate func hasSuffix(_ text: String) -> Bool {
        bytes.count >= text.utf8.count && bytes.suffix(text.utf8.count).elementsEqual(text.utf8)
    }
}
