public import Base

extension VerifiedBundle {
    /// Brings an archived root to disk. Names stay below `target`: they are walked without following a link, and symbolic
    /// links are made last. What cannot be made, or was not asked for, is in the report.
    ///
    /// - Throws: `notFound` when there is no such root, `notVerified` when the bundle changed since the verification: what
    ///   lies in `target` is then not evidence; `system` when the disk is full or fails.
    public func extract(
        root: String,
        to target: ExtractionTarget,
        _ options: ExtractionOptions = ExtractionOptions()
    ) throws(Failure) -> ExtractionReport {
        let extractor = Extractor(self, root: root, to: target, options)
        try extractor.run()
        return extractor.report
    }

    /// Copies one payload file to its own name below `target`, mode 0600.
    ///
    /// - Returns: how many bytes it has.
    /// - Throws: as ``read(_:_:)``; `system` with EEXIST when it stands there already.
    public func extract(_ name: PayloadName, to target: ExtractionTarget) throws(Failure) -> UInt64 {
        let path = BytePath(name.text)
        try target.makeDirectories(above: path)
        let file = try target.makeFile(path)
        let number = file.number
        var size: UInt64 = 0
        try read(name) { bytes throws(Failure) in
            try BorrowedDescriptor(number: number).write(bytes, to: path)
            size += UInt64(bytes.count)
        }
        return size
    }

    /// Hands the lines of a payload file to `body`, without their line feeds. A line beyond 4 MiB is `refused`. What `body`
    /// got is evidence only when this returns.
    ///
    /// - Throws: as ``read(_:_:)``, and what `body` throws.
    public func lines(of name: PayloadName, _ body: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
        var line: [UInt8] = []
        try read(name) { bytes throws(Failure) in
            var rest = bytes
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += rest[..<end]
                try body(line)
                line.removeAll(keepingCapacity: true)
                rest = UnsafeRawBufferPointer(rebasing: rest[(end + 1)...])
            }
            line += rest
            guard line.count <= LineReader.longestLine else {
                throw Failure(.refused, "read the lines", on: name.text, because: "one is longer than 4 MiB")
            }
        }
        if !line.isEmpty { try body(line) }
    }
}
