// swift-tools-version: 6.2
import PackageDescription

// Every room is a target, and imports only what its `dependencies` name; ARCHITECTURE.md has the
// table and the reasons. `scripts/check` sets WARNINGS_AS_ERRORS, so that a warning of a newer
// compiler stops the developers and never a user.
let strict = Context.environment["WARNINGS_AS_ERRORS"] != nil
/// Whether the rooms are built for libFuzzer: scripts/fuzz sets it.
let fuzzes = Context.environment["FUZZ"] != nil
/// The commit that the program names as its own: scripts/build sets it for releases.
let commit = Context.environment["CONVERSATIOND_COMMIT"]

let house: [SwiftSetting] =
  [
    // An async function runs where it is called (SE-0461): without it each call hops to another
    // thread, and a handler could not answer on the event loop that received the request.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (strict ? [.treatAllWarnings(as: .error)] : [])
  // One flag with both: of two, the compiler takes the last.
  + (fuzzes ? [.unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"])] : [])

// One folder, two uses: the tests run every seed of the fuzzing once, and scripts/fuzz makes of the
// same properties a program for libFuzzer.
let fuzzDependencies: [Target.Dependency] = [
  "API", "Conversations", "HTTP", "JSON", "Repository", "SQLiteStore", "TestSupport",
  .product(name: "HTTPTypes", package: "swift-http-types"),
  .product(name: "Logging", package: "swift-log"),
]
let fuzzTests: Target =
  fuzzes
  ? .executableTarget(
    name: "FuzzTests", dependencies: fuzzDependencies, path: "Tests/FuzzTests",
    exclude: ["CorpusTests.swift", "corpus", "dictionary.txt"],
    swiftSettings: house + [.unsafeFlags(["-parse-as-library"])],
    linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])])
  : .testTarget(
    name: "FuzzTests", dependencies: fuzzDependencies,
    exclude: ["LibFuzzer.swift", "corpus", "dictionary.txt"], swiftSettings: house)

// What each library costs in build time and binary size: ARCHITECTURE.md, "Libraries".
let package = Package(
  name: "conversationd",
  products: [.executable(name: "conversationd", targets: ["conversationd"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .executableTarget(
      name: "conversationd",
      dependencies: [
        "API", "CProcess", "CVersion", "CYAML", "Conversations", "HTTP", "JSON", "Repository",
        "PostgreSQL", "PostgreSQLStore", "SQLite", "SQLiteStore",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: house),
    .target(
      name: "API",
      dependencies: [
        "Conversations", "Dashboard", "Embedded", "HTTP", "JSON", "Repository",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
      ], exclude: ["openapi.json"], swiftSettings: house),
    .target(
      name: "HTTP",
      dependencies: [
        "CMicroHTTPD", "CProcess", .product(name: "HTTPTypes", package: "swift-http-types"),
      ],
      swiftSettings: house),
    .target(name: "JSON", swiftSettings: house),
    .target(name: "Repository", dependencies: ["Conversations"], swiftSettings: house),
    .target(
      name: "SQLiteStore", dependencies: ["Conversations", "Migrations", "Repository", "SQLite"],
      swiftSettings: house),
    .target(
      name: "PostgreSQLStore",
      dependencies: ["Conversations", "JSON", "Migrations", "PostgreSQL", "Repository"],
      swiftSettings: house),
    .target(name: "SQLite", dependencies: ["CLogVFS", "CSQLite"], swiftSettings: house),
    .target(name: "PostgreSQL", dependencies: ["CPostgreSQL"], swiftSettings: house),
    .target(name: "Conversations", dependencies: ["CGnuTLS"], swiftSettings: house),
    .target(name: "Migrations", dependencies: ["Embedded"], swiftSettings: house),
    .target(
      name: "Dashboard", dependencies: ["CGnuTLS", "Embedded"], exclude: ["page"],
      swiftSettings: house),
    .target(name: "Embedded", dependencies: ["CEmbedded"], swiftSettings: house),
    .target(name: "CEmbedded"),

    .systemLibrary(name: "CGnuTLS", pkgConfig: "gnutls", providers: [.apt(["libgnutls28-dev"])]),
    .systemLibrary(
      name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
    .target(name: "CPostgreSQL"),
    .target(name: "CProcess"),
    .target(
      name: "CVersion",
      cSettings: commit.map { [.define("CONVERSATIOND_COMMIT", to: "\"\($0)\"")] } ?? []),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .target(name: "CLogVFS", dependencies: ["CSQLite"]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

    .testTarget(
      name: "conversationdTests",
      dependencies: [
        "API", "HTTP", "PostgreSQLStore", "Repository", "SQLiteStore", "conversationd",
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: house),
    .testTarget(
      name: "APITests",
      dependencies: [
        "API", "Conversations", "Dashboard", "HTTP", "JSON", "Repository", "SQLite", "SQLiteStore",
        "TestSupport",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: house),
    .testTarget(name: "DashboardTests", dependencies: ["Dashboard"], swiftSettings: house),
    .testTarget(
      name: "HTTPTests",
      dependencies: [
        "HTTP", "TestSupport", .product(name: "HTTPTypes", package: "swift-http-types"),
      ], swiftSettings: house),
    .testTarget(
      name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: house),
    .testTarget(
      name: "RepositoryTests",
      dependencies: ["Conversations", "Repository", "TestSupport"],
      swiftSettings: house),
    .testTarget(
      name: "SQLiteStoreTests",
      dependencies: [
        "Conversations", "Migrations", "Repository", "SQLite", "SQLiteStore", "TestSupport",
      ], swiftSettings: house),
    .testTarget(
      name: "SQLiteTests", dependencies: ["SQLite", "TestSupport"], swiftSettings: house),
    .testTarget(
      name: "PostgreSQLStoreTests",
      dependencies: [
        "Conversations", "PostgreSQL", "PostgreSQLStore", "Repository", "TestSupport",
      ], swiftSettings: house),
    .testTarget(
      name: "PostgreSQLTests", dependencies: ["PostgreSQL", "TestSupport"], swiftSettings: house),
    .testTarget(
      name: "ConversationsTests", dependencies: ["Conversations"], swiftSettings: house),
    .target(
      name: "TestSupport",
      dependencies: [
        "CFaultVFS", "Conversations", "PostgreSQL", "PostgreSQLStore", "Repository", "SQLite",
        "SQLiteStore",
      ], path: "Tests/TestSupport", swiftSettings: house),
    // A layer above SQLite's file access that fails on demand; only tests can reach it.
    .target(name: "CFaultVFS", dependencies: ["CLogVFS", "CSQLite"], path: "Tests/CFaultVFS"),
    fuzzTests,
  ],
  swiftLanguageModes: [.v6],
  // C23 has #embed.
  cLanguageStandard: .gnu2x
)
