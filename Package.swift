// swift-tools-version: 6.3
import PackageDescription

// One strict place for the flags of every target of ours.
// https://docs.swift.org/compiler/documentation/diagnostics/upcoming-language-features/
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

// The floors of docs/design/house.md. A floor is a folder; an edge never rises in rank.
enum Floor: String {
    case boundary = "Boundary"
    case ground = "Ground"
    case core = "Core"
    case capabilities = "Capabilities"
    case product = "Product"
}

func room(
    _ name: String,
    on floor: Floor,
    uses dependencies: [Target.Dependency] = [],
    linking linkerSettings: [LinkerSetting] = []
) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Sources/\(floor.rawValue)/\(name)",
        swiftSettings: strict,
        linkerSettings: linkerSettings
    )
}

func tests(
    _ name: String,
    on floor: Floor,
    uses dependencies: [Target.Dependency],
    besides others: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies,
        path: "Tests/\(floor.rawValue)/\(name)Tests",
        exclude: others,
        swiftSettings: strict
    )
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

let package = Package(
    name: "quell",
    products: [
        .executable(name: "quell", targets: ["quell"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", exact: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift.git", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams.git", exact: "6.2.2"),
    ],
    targets: [
        // Boundary: each C module has exactly one Swift importer.
        .target(name: "CLinux", path: "Sources/Boundary/CLinux"),
        .target(name: "CParked", path: "Sources/Boundary/CParked"),
        .systemLibrary(name: "COpenSSL", path: "Sources/Boundary/COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CZstd", path: "Sources/Boundary/CZstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", path: "Sources/Boundary/CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CArchive", path: "Sources/Boundary/CArchive", providers: [.apt(["libarchive-dev"])]),

        .target(name: "CMemory", path: "Sources/Boundary/CMemory"),

        // Rank 0 and 1.
        room("Base", on: .ground),
        room("Kernel", on: .ground, uses: ["Base", "CLinux"]),
        room("Sealing", on: .ground, uses: ["Base", "COpenSSL"], linking: [.linkedLibrary(":libcrypto.a")]),
        room("Documents", on: .ground, uses: ["Base", yams]),

        // Rank 2.
        room("Casework", on: .core, uses: ["Base", "Sealing", grdb], linking: [.linkedLibrary(":libsqlite3.a")]),
        room("Engine", on: .core, uses: ["Base", "Sealing", "Casework"]),
        room("Sessions", on: .core, uses: ["Base", "Documents", "Kernel"]),
        room(
            "Bundles",
            on: .core,
            uses: ["Base", "Sealing", "CZstd", "CZlib", "CArchive"],
            linking: [.linkedLibrary(":libarchive.a"), .linkedLibrary(":libzstd.a"), .linkedLibrary(":libz.a")]
        ),
        room("Logs", on: .core, uses: ["Base", "Documents"]),

        // Rank 3.
        room("Containment", on: .capabilities, uses: ["Base", "Kernel", "Sessions"]),
        room(
            "Evidence",
            on: .capabilities,
            uses: ["Base", "Kernel", "Sealing", "Sessions", "Bundles", "Logs", "CParked", "CMemory"]
        ),
        room("Credentials", on: .capabilities, uses: ["Base", "Kernel", "Documents", "Casework"]),
        room("Timeline", on: .capabilities, uses: ["Base", "Documents", "Logs", "Bundles", "Casework", grdb]),
        room("Playbooks", on: .capabilities, uses: ["Base", "Documents", "Sealing", "Engine"]),

        // Rank 4 to 7.
        room(
            "Response",
            on: .product,
            uses: [
                "Base", "Kernel", "Sealing", "Sessions", "Casework", "Bundles", "Logs", "Engine",
                "Containment", "Evidence", "Credentials", "Timeline",
            ]
        ),
        room(
            "QuellCommands",
            on: .product,
            uses: [
                "Base", "Kernel", "Sealing", "Documents", "Casework", "Engine", "Sessions", "Bundles", "Logs",
                "Containment", "Evidence", "Credentials", "Timeline", "Playbooks", "Response", argumentParser,
            ]
        ),
        .executableTarget(
            name: "quell",
            dependencies: ["QuellCommands"],
            path: "Sources/Product/quell",
            swiftSettings: strict,
            linkerSettings: [
                .unsafeFlags(["-Xlinker", "--as-needed", "-Xlinker", "--exclude-libs", "-Xlinker", "ALL"])
            ]
        ),

        // Pure tests mirror Sources. SystemTests need root and real kernels; ScenarioTests run the built binary.
        tests("Base", on: .ground, uses: ["Base"]),
        tests("Kernel", on: .ground, uses: ["Kernel", "Base"]),
        tests("Sealing", on: .ground, uses: ["Sealing", "Base", "Programs"]),
        tests("Documents", on: .ground, uses: ["Documents", "Base"]),
        tests("Casework", on: .core, uses: ["Casework", "Sealing", "Base", grdb]),
        tests("Engine", on: .core, uses: ["Engine", "Casework", "Sealing", "Base"]),
        tests("Sessions", on: .core, uses: ["Sessions", "Kernel", "Base"]),
        tests(
            "Bundles",
            on: .core,
            uses: ["Bundles", "Sealing", "Base", "Programs"],
            besides: ["Snapshots", "Fixtures"]
        ),
        tests("Logs", on: .core, uses: ["Logs", "Base"], besides: ["Fixtures"]),
        tests("Containment", on: .capabilities, uses: ["Containment", "Sessions", "Kernel", "Base"]),
        tests(
            "Evidence",
            on: .capabilities,
            uses: ["Evidence", "Bundles", "Sessions", "Kernel", "Sealing", "Base", "Programs"],
            besides: ["Fixtures"]
        ),
        tests("Credentials", on: .capabilities, uses: ["Credentials", "Kernel", "Base"]),
        tests(
            "Timeline",
            on: .capabilities,
            uses: ["Timeline", "Logs", "Bundles", "Casework", "Sealing", "Base"],
            besides: ["Golden"]
        ),
        tests("Playbooks", on: .capabilities, uses: ["Playbooks", "Engine", "Documents", "Sealing", "Base"]),
        tests(
            "Response",
            on: .product,
            uses: [
                "Response", "Engine", "Casework", "Bundles", "Containment", "Evidence", "Sessions", "Kernel",
                "Playbooks", "Sealing", "Base",
            ]
        ),
        tests("QuellCommands", on: .product, uses: ["QuellCommands", "Casework", "Base", argumentParser]),
        .target(name: "Programs", path: "Tests/Programs", swiftSettings: strict),
        .testTarget(
            name: "HouseTests",
            dependencies: ["Programs", "Base"],
            path: "Tests/HouseTests",
            swiftSettings: strict
        ),
        .executableTarget(name: "quell-testkit", path: "Tests/quell-testkit"),
        .executableTarget(
            name: "quell-testcage",
            dependencies: ["Kernel", "Logs", "Base"],
            path: "Tests/quell-testcage",
            swiftSettings: strict
        ),
        .testTarget(
            name: "SystemTests",
            dependencies: [
                "Base", "Kernel", "Sealing", "Sessions", "Casework", "Engine", "Bundles", "Containment", "Evidence",
                "Credentials", "Response", "Logs", "Programs",
            ],
            path: "Tests/SystemTests",
            swiftSettings: strict
        ),
        .testTarget(
            name: "ScenarioTests",
            dependencies: ["Base", "Programs"],
            path: "Tests/ScenarioTests",
            exclude: ["Scenarios"],
            swiftSettings: strict
        ),
    ]
)

// Fuzzers are built with flags that nothing else may be built with: `QUELL_FUZZ=1`, by scripts/fuzz.
if Context.environment["QUELL_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "quell-fuzz",
            dependencies: [
                "Base", "Kernel", "Sealing", "Sessions", "Casework", "Bundles", "Logs", "Evidence", "Credentials",
                "Playbooks", "Response",
            ],
            path: "Tests/quell-fuzz",
            exclude: ["Corpus"],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    )
}
