import Base
import Bundles
import Glibc
import Kernel
import Testing

@testable import Evidence

@Suite("Transcripts at known places")
struct TranscriptSearchTests {
    private func scene() throws -> Scene {
        let scene = try Scene()
        scene.python(
            """
            for name in ['.claude/projects/-w/a.jsonl', '.claude/projects/-w/a/subagents/agent-1.jsonl',
                         '.claude/history.jsonl', '.claude/.credentials.json', '.claude/local/node_modules/big',
                         '.codex/sessions/2026/11/23/rollout-1.jsonl', '.codex/archived_sessions/rollout-0.jsonl',
                         '.codex/auth.json', '.openclaw/agents/main/sessions/s.jsonl.reset.1',
                         '.openclaw/agents/main/sessions/s.jsonl.deleted.2', '.openclaw/agents/main/agent/auth-profiles.json',
                         '.local/share/goose/sessions/sessions.db', '.local/share/goose/sessions/sessions.db-wal',
                         '.local/share/goose/sessions/sessions.db-shm', 'work/.aider.chat.history.md', 'work/code.py',
                         'work/logs/2026_task.eval', 'work/logs/other.txt', 'elsewhere/projects/-x/b.jsonl']:
                os.makedirs(os.path.dirname(name), exist_ok=True)
                open(name, 'w').write('content of ' + name)
            """
        )
        return scene
    }

    private func home(_ scene: Scene, uid: UInt32 = geteuid()) -> SessionHome {
        SessionHome(
            path: BytePath(scene.workspace),
            inside: nil,
            user: nil,
            uid: uid,
            places: ["CLAUDE_CONFIG_DIR": BytePath(scene.workspace + "/elsewhere")],
            folders: [BytePath(scene.workspace + "/work")],
            isOfTheHost: true
        )
    }

    @Test("known folders are taken whole, with their odd files, and credentials by name and size only")
    func places() throws {
        let scene = try scene()
        var request = scene.request()
        request.trees = TranscriptSearch(on: try Host()).trees(in: [home(scene)])
        #expect(
            request.trees.map(\.name) == [
                "transcripts-claude-code", "transcripts-claude-code-2", "transcripts-codex", "transcripts-openclaw",
                "transcripts-goose", "transcripts-aider", "transcripts-inspect-ai-work",
            ]
        )
        let captured = try scene.capture(request)
        captured.expectBalanced()
        func outcome(_ root: String, _ path: String) throws -> String? {
            try captured.item(path, root: "transcripts-\(root)")["outcome"]?.string
        }
        #expect(try outcome("claude-code", "projects/-x/b.jsonl") == "collected")
        #expect(try outcome("claude-code-2", "projects/-w/a/subagents/agent-1.jsonl") == "collected")
        #expect(try outcome("codex", "archived_sessions/rollout-0.jsonl") == "collected")
        #expect(try outcome("openclaw", "agents/main/sessions/s.jsonl.reset.1") == "collected")
        #expect(try outcome("openclaw", "agents/main/sessions/s.jsonl.deleted.2") == "collected")
        #expect(try outcome("goose", "sessions/sessions.db-wal") == "collected")
        #expect(try outcome("goose", "sessions/sessions.db-shm") == "collected")
        #expect(try outcome("aider", ".aider.chat.history.md") == "collected")
        #expect(try outcome("inspect-ai-work", "2026_task.eval") == "collected")
        let secrets = [
            ("claude-code-2", ".credentials.json"), ("codex", "auth.json"),
            ("openclaw", "agents/main/agent/auth-profiles.json"),
        ]
        for (root, path) in secrets {
            let item = try captured.item(path, root: "transcripts-\(root)")
            #expect(item["outcome"]?.string == "skipped" && item["size"] != nil && item["sha256"] == nil)
            #expect(item["reason"]?.string?.contains("credentials") == true)
        }
        let paths = captured.items.compactMap { $0["path"]?.string }
        #expect(!paths.contains { $0.contains("node_modules") || $0 == "code.py" || $0 == "other.txt" })
        #expect(captured.sealed.shortfalls.isEmpty)
    }

    @Test("RT24 a folder that is another user's is told and left out")
    func others() throws {
        let scene = try scene()
        let trees = TranscriptSearch(on: try Host()).trees(in: [home(scene, uid: geteuid() + 1)])
        #expect(!trees.isEmpty && trees.allSatisfy { $0.leftOut != nil })
        var request = scene.request()
        request.trees = trees
        let captured = try scene.capture(request)
        #expect(captured.items(of: "tree").allSatisfy { $0["outcome"]?.string == "skipped" })
        #expect(captured.items(of: "transcript").isEmpty)
    }

    @Test("a home that is a symbolic link is not followed: its transcripts fail with the reason")
    func link() throws {
        let scene = try scene()
        scene.python("os.rename('.claude', 'real'); os.symlink('real', '.claude')")
        var request = scene.request()
        request.trees = TranscriptSearch(on: try Host()).trees(in: [home(scene)])
        let captured = try scene.capture(request)
        let item = captured.items(of: "tree").first { $0["path"]?.string == scene.workspace + "/.claude" }
        #expect(item?["outcome"]?.string == "failed" && item?["errno"] != nil)
    }
}
