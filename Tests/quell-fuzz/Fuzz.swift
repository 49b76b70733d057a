import Glibc

// quell-fuzz PARSER [libFuzzer's arguments]: libFuzzer over one parser, https://llvm.org/docs/LibFuzzer.html.
// `quell-fuzz --list` prints the parsers. Built and run by scripts/fuzz.

/// libFuzzer calls plain functions that can capture nothing.
nonisolated(unsafe) private var chosen: FuzzTarget?

/// Takes the parser's name out of the arguments before libFuzzer reads them.
@_cdecl("LLVMFuzzerInitialize")
public func chooseTarget(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> Int32 {
    let name = count.pointee > 1 ? arguments.pointee[1].map { String(cString: $0) } ?? "" : ""
    if name == "--list" {
        for target in FuzzTarget.all { print(target.name) }
        exit(0)
    }
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        print("usage: quell-fuzz PARSER [option...] [corpus...]; quell-fuzz --list")
        exit(64)
    }
    chosen = target
    arguments.pointee[1] = arguments.pointee[0]
    arguments.pointee += 1
    count.pointee -= 1
    return 0
}

/// Gives one input to the chosen parser.
@_cdecl("LLVMFuzzerTestOneInput")
public func tryOnce(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    chosen?.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

/// The package manager gives the entry point of an executable this name and makes it `main`.
@_cdecl("quell_fuzz_main")
public func enter(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
    var left = count
    var rest: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
    return runDriver(&left, &rest, tryOnce)
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32
