import Base

/// Where a runtime of agents keeps what it writes down of itself.
struct TranscriptPlace {
    /// From where the folder is reached.
    enum Start {
        /// The home of a user of the session.
        case home
        /// The working directory of a process of the session.
        case work
    }

    /// What the runtime is called, `[a-z0-9-]+`.
    let runtime: String
    var start = Start.home
    /// The folder below the start.
    let folder: String
    /// The variable by which a user has it elsewhere.
    var variable: String?
    /// What follows the value of the variable.
    var below = ""
    /// The names directly below it that are taken; `*` at one end of it stands for anything.
    let only: [String]
    /// Names that hold credentials.
    var withheld: [String] = []
}

/// The places of all runtimes that are known. Whole folders are taken, so that the odd files are in: `-wal` and `-shm` of a
/// database, transcripts of sub-agents, archived ones, `.reset.*`, `.deleted.*`, indexes that name what is gone.
///
/// Sources: Claude Code, jazzyalex/agent-sessions docs/claude-code-session-format.md and docs.anthropic.com (settings, data
/// usage); Codex, openai/codex docs/config.md and skillsynchq/txcript docs/formats/codex.md; Gemini CLI, agent-sessions
/// fixtures; OpenClaw, its docs (session management); Pi, agent-sessions; Goose, block/goose
/// crates/goose/src/session/session_manager.rs; OpenHands, docs.openhands.dev (conversation persistence); SWE-agent,
/// docs/usage/trajectories.md; mini-swe-agent, docs/usage/output_files.md; aider, aider.chat/docs/config/options.html; Inspect,
/// inspect.aisi.org.uk/eval-logs.html; the others, agent-sessions docs/agent-json-tracking.md.
enum TranscriptPlaces {
    private static let keys = [
        ".credentials.json", "auth.json", "oauth_creds.json", "credentials.json", "mcp-oauth-tokens.json",
        "mcp-oauth-tokens-v2.json", "auth-profiles.json", "secrets.json", "secrets.yaml", ".env", ".git-credentials",
        "google_accounts.json", "mcp-auth.json", "hosts.yml", "access_token", "apps.json",
    ]

    static let all: [TranscriptPlace] = [
        TranscriptPlace(
            runtime: "claude-code",
            folder: ".claude",
            variable: "CLAUDE_CONFIG_DIR",
            only: [
                "projects", "history.jsonl*", "sessions*", ".last-cleanup", "settings*.json", "todos", "tasks", "plans",
                "file-history", "shell-snapshots", "session-env", "debug", "paste-cache", "backups", "CLAUDE.md",
                "agents",
                "commands", "hooks", "teams", ".credentials.json", "statsig", "stats-cache.json",
            ],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "codex",
            folder: ".codex",
            variable: "CODEX_HOME",
            only: [
                "sessions", "archived_sessions", "history.jsonl*", "session_index*", "log", "logs*", "state*",
                "config.toml", "AGENTS*.md", "rules", "prompts", "shell_snapshots", "auth.json",
            ],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "gemini-cli",
            folder: ".gemini",
            variable: "GEMINI_CLI_HOME",
            below: ".gemini",
            only: [
                "tmp", "history", "settings.json", "GEMINI.md", "projects.json", "antigravity*", "oauth_creds.json",
            ],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "openclaw",
            folder: ".openclaw",
            variable: "OPENCLAW_STATE_DIR",
            only: [
                "agents", "cron", "logs", "sessions", "memory", "subagents", "*.sqlite", "*.sqlite-wal", "*.sqlite-shm",
                "state*", "credentials",
            ],
            withheld: keys + ["credentials", "openclaw.json"]
        ),
        TranscriptPlace(
            runtime: "clawdbot",
            folder: ".clawdbot",
            only: ["agents", "cron", "logs", "sessions", "memory", "credentials"],
            withheld: keys + ["credentials"]
        ),
        TranscriptPlace(
            runtime: "pi",
            folder: ".pi/agent",
            only: ["sessions", "settings.json", "auth.json"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "goose",
            folder: ".local/share/goose",
            variable: "GOOSE_PATH_ROOT",
            below: "data",
            only: ["sessions", "schedule*", "scheduled_recipes"],
            withheld: keys
        ),
        TranscriptPlace(runtime: "goose-logs", folder: ".local/state/goose", only: ["logs"]),
        TranscriptPlace(runtime: "goose-old", folder: ".local/share/Block/goose", only: ["sessions"]),
        TranscriptPlace(
            runtime: "opencode",
            folder: ".local/share/opencode",
            only: ["opencode*", "storage", "log", "project", "snapshot", "auth.json"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "copilot",
            folder: ".copilot",
            only: ["session-state", "history-session-state", "logs", "command-history-state.json"],
            withheld: keys + ["config.json"]
        ),
        TranscriptPlace(
            runtime: "kimi",
            folder: ".kimi-code",
            only: ["sessions", "logs", "user-history"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "qwen",
            folder: ".qwen",
            only: ["projects", "tmp", "debug", "settings.json"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "cursor",
            folder: ".cursor",
            only: ["projects", "chats", "prompt_history.json"],
            withheld: keys
        ),
        TranscriptPlace(runtime: "grok", folder: ".grok", only: ["sessions", "logs"], withheld: keys),
        TranscriptPlace(runtime: "hermes", folder: ".hermes", only: ["state.db*", "sessions", "logs"], withheld: keys),
        TranscriptPlace(
            runtime: "factory",
            folder: ".factory",
            only: ["sessions", "logs", "history*"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "openhands",
            folder: ".openhands",
            only: ["sessions", "conversations", "cache", "history*"],
            withheld: keys + ["settings.json", "agent_settings.json"]
        ),
        TranscriptPlace(
            runtime: "mini-swe-agent",
            folder: ".config/mini-swe-agent",
            only: ["last_mini_run.traj.json", "history*"],
            withheld: keys
        ),
        TranscriptPlace(
            runtime: "inspect-ai",
            folder: ".local/share/inspect_ai",
            only: ["traces", "logs", "samplebuffer"]
        ),
        TranscriptPlace(runtime: "inspect-ai-logs", start: .work, folder: "", variable: "INSPECT_LOG_DIR", only: []),
        TranscriptPlace(
            runtime: "aider",
            start: .work,
            folder: "",
            only: [".aider.chat.history.md", ".aider.input.history", ".aider.llm.history"]
        ),
        TranscriptPlace(runtime: "swe-agent", start: .work, folder: "trajectories", only: []),
        TranscriptPlace(runtime: "inspect-ai-work", start: .work, folder: "logs", only: ["*.eval"]),
    ]
}
