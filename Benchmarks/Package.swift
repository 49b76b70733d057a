// swift-tools-version: 6.3
import PackageDescription

// A package of its own, without dependencies: measuring must not change what is measured. The C programs do the work of
// the product with nothing around it; they are the yardstick of docs/design and of the bars in scripts/benchmark.
let optimised: [CSetting] = [.unsafeFlags(["-O2", "-Wall", "-Wextra"])]

let package = Package(
    name: "quell-benchmarks",
    targets: [
        .executableTarget(name: "reference-freeze", path: "Reference/freeze", cSettings: optimised),
        .executableTarget(name: "reference-victims", path: "Reference/victims", cSettings: optimised),
        .executableTarget(name: "reference-tree", path: "Reference/tree", cSettings: optimised),
        .executableTarget(
            name: "quell-bench",
            path: "Sources/quell-bench",
            swiftSettings: [.treatAllWarnings(as: .error)]
        ),
    ]
)
