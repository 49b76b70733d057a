import Base
import Logs
import Testing

@Suite("Properties of the record reader")
struct RecordReaderPropertyTests {
    @Test("mutated samples never crash, tile the file and add up", arguments: LogFile.fixtures)
    func mutations(fixture: String) throws {
        let sample = Array(try LogFile.fixtureBytes(fixture).prefix(8_000))
        for seed in 1...25 {
            var dice = Dice(UInt64(seed))
            let bytes = mutated(sample, &dice)
            let limits = RecordReader.Limits(lineBytes: 4000, records: seed % 5 == 0 ? 7 : 10_000)
            let log = try LogFile(bytes)
            let (records, summary) = try log.records(limits: limits)
            try checkTiling(records, summary, bytes)
            try checkWorker(log, records)
        }
    }

    @Test("random bytes never crash and tile the file, in every format")
    func noise() throws {
        let alphabet = Array("{}[]\":,\\tn0 \n\u{0}".utf8) + [0xFF, 0x80]
        for seed in 1...150 {
            var dice = Dice(UInt64(seed))
            let bytes = (0..<Int.random(in: 0...400, using: &dice)).map { _ in alphabet.randomElement(using: &dice) ?? 0
            }
            for format in [RecordFormat.claudeCode, .claudeCodeMeta, .plain(latest: nil)] {
                let (records, summary) = try LogFile(bytes).records(as: format)
                try checkTiling(records, summary, bytes)
            }
        }
    }

    /// The spans of the records stand in order without overlap, and what lies between them is blank. Lines that were
    /// left out as repeats are the one gap that is not, so their bytes must be in the sum.
    private func checkTiling(_ records: [Record], _ summary: ReadSummary, _ bytes: [UInt8]) throws {
        var position: Int64 = 0
        var gapText: Int64 = 0
        for record in records where record.part == 0 {
            try #require(record.offset >= position && record.length > 0)
            gapText += text(in: bytes[Int(position)..<Int(record.offset)])
            position = record.offset + record.length
        }
        try #require(position <= Int64(bytes.count))
        gapText += text(in: bytes[Int(position)...])
        if summary.repeated == 0 { #expect(gapText == 0) }
        let spans = records.filter { $0.part == 0 }.reduce(Int64(0)) { $0 + $1.length }
        #expect(summary.recordBytes >= spans + gapText)
        #expect(summary.recordBytes + summary.blankBytes == Int64(bytes.count))
        #expect(summary.bytes == Int64(bytes.count))
        #expect(summary.records == Int64(records.count) + summary.repeated)
        #expect(summary.unreadable == Int64(records.filter { $0.kind == .unreadable }.count))
        #expect(summary.unknownTypes.values.reduce(0, +) == Int64(records.filter { $0.kind == .unknown }.count))
    }

    private func text(in bytes: ArraySlice<UInt8>) -> Int64 {
        Int64(bytes.filter { ![0x20, 0x0A, 0x0D, 0x09, 0].contains($0) }.count)
    }

    private func checkWorker(_ log: borrowing LogFile, _ records: [Record]) throws {
        var decoder = WorkerRecords(fileBytes: Int64(log.bytes.count))
        for record in records {
            let line = Array(RecordLine.encode(.record(record)).dropLast())
            #expect(try decoder.decode(line) == .record(record))
        }
    }

    private func mutated(_ sample: [UInt8], _ dice: inout Dice) -> [UInt8] {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...20, using: &dice) {
            guard !bytes.isEmpty else { return bytes }
            let at = Int.random(in: 0..<bytes.count, using: &dice)
            let span = at..<min(bytes.count, at + Int.random(in: 1...600, using: &dice))
            switch Int.random(in: 0..<7, using: &dice) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &dice)
            case 1: bytes.removeSubrange(span)
            case 2: bytes.insert(contentsOf: Array(bytes[span]), at: at)
            case 3: bytes.insert(contentsOf: [UInt8](repeating: 0, count: span.count), at: at)
            case 4: bytes.removeAll { $0 == 0x0A && at % 3 == 0 }
            case 5: bytes.removeSubrange(at...)
            default: bytes.insert(contentsOf: Array("{\"type\":".utf8), at: at)
            }
        }
        return bytes
    }
}
