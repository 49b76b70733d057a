public import Base

/// The archive that a foreign collector wrote: tar, bare or in gzip or zstd, or zip, told by its bytes and not by its
/// name. It is read in bounded memory and never brought to disk; archives within it are members like any other.
public struct ForeignArchive {
    private let file: ForeignFile
    private let limits: ForeignLimits

    /// Takes a file; nothing is read yet.
    public init(_ file: ForeignFile, limits: ForeignLimits = ForeignLimits()) {
        self.file = file
        self.limits = limits
    }

    /// Hands every member to `visitor`, in the order of the archive. An archive that is damaged, of another form or asks
    /// for too much is no failure: the result says why, and what came before was handed over.
    ///
    /// - Throws: why the file cannot be read, and what `visitor` throws.
    public func walk(_ visitor: some ForeignVisitor) throws(Failure) -> ForeignReading {
        var reading = ForeignReading(form: .unknown)
        let budget = ForeignBudget(limits, for: file.size)
        do throws(ForeignProblem) {
            try walk(visitor, &reading, budget)
        } catch {
            switch error {
            case .misread(let reason): reading.notUnderstood = reason
            case .failure(let failure): throw failure
            }
        }
        reading.members = budget.members
        reading.expanded = budget.expanded
        return reading
    }

    private func walk(
        _ visitor: some ForeignVisitor,
        _ reading: inout ForeignReading,
        _ budget: ForeignBudget
    ) throws(ForeignProblem) {
        let head = try foreign { () throws(Failure) in try file.bytes(at: 0, count: 512) }
        if head.starts(with: Array("ADFIRENC".utf8)) {
            throw .misread("an encrypted package of AgentDFIR, which opens to its password alone")
        }
        if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) || head.starts(with: [0x50, 0x4B, 0x05, 0x06]) {
            reading.form = .zip
            var walk = ZipWalk(try ZipDirectory(of: file, limits), in: file, budget)
            defer { reading.remarks += walk.remarks }
            return try walk.run(visitor)
        }
        let coding = ForeignStream.Coding(head)
        let stream = try ForeignStream(file, coding, budget)
        defer { reading.remarks += stream.remarks }
        var walk = TarWalk(ForeignFeed(stream), limits, budget)
        guard try walk.isTar() else {
            if coding == .plain { throw .misread("it begins as no tar and no zip file does") }
            throw .misread("what is compressed in it begins as no tar file does")
        }
        reading.form = coding == .plain ? .tar : coding == .gzip ? .tarGzip : .tarZstd
        do throws(ForeignProblem) {
            try walk.run(visitor)
            reading.remarks += walk.remarks
        } catch {
            reading.remarks += walk.remarks
            throw error
        }
    }
}
