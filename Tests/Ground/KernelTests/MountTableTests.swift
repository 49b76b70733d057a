import Base
import Kernel
import Testing

@Suite("mount table")
struct MountTableTests {
    @Test("octal escapes become bytes, and optional fields are skipped")
    func escapes() throws {
        let text =
            "36 35 98:0 /mnt1 /mnt\\0402\\012x rw,noatime shared:1 master:2 - fuse.sshfs cgroup2\\011 rw,errors=continue\n"
        let table = MountTable(parsing: Array(text.utf8))
        let mount = try #require(table.entries.first)
        #expect(mount.id == 36)
        #expect(mount.parent == 35)
        #expect(mount.device == "98:0")
        #expect(mount.root == BytePath("/mnt1"))
        #expect(mount.mountPoint == BytePath("/mnt 2\nx"))
        #expect(mount.options == ["rw", "noatime"])
        #expect(mount.type == "fuse.sshfs")
        #expect(mount.source == BytePath("cgroup2\t"))
        #expect(mount.superOptions == ["rw", "errors=continue"])
    }

    @Test("bytes that are no text survive, and a lone backslash stays")
    func bytes() throws {
        let line = Array("1 2 0:1 / /".utf8) + [0xff, 0x5c, 0x39] + Array(" rw - tmpfs none rw\n".utf8)
        let mount = try #require(MountTable(parsing: line).entries.first)
        #expect(mount.mountPoint.bytes == [0x2f, 0xff, 0x5c, 0x39])
    }

    @Test("lines of another form are counted", arguments: ["36 35 98:0 / /mnt rw\n", "a b c d e f - g h i\n"])
    func malformed(text: String) {
        let table = MountTable(parsing: Array(text.utf8))
        #expect(table.entries.isEmpty)
        #expect(table.malformedLines == 1)
    }
}
