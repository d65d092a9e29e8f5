// swift-tools-version: 6.2

import PackageDescription

/// What every Swift target is compiled with: the Swift 6 language mode of the tools version, the
/// upcoming features that make imports and existentials explicit, and no warning left standing.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    // glibc declares more with _GNU_SOURCE. Two C modules that disagree about it cannot be imported together, and
    // which ones meet depends on the order of the build, so every module sees the headers in the same way.
    .unsafeFlags(["-Xcc", "-D_GNU_SOURCE"]),
    // A function can be placed by itself: the linker leaves out what nobody calls, and `staticProgram` puts together
    // what a start calls. A type is asked for by its functions, and not by a name that is taken apart at run time. Equal
    // functions are not merged: what would be left of one is a jump without a name, which nobody can place.
    .unsafeFlags(
        [
            "-Xfrontend", "-function-sections", "-Xfrontend", "-disable-concrete-type-metadata-mangled-name-accessors",
            "-Xfrontend", "-disable-llvm-merge-functions-pass",
        ], .when(configuration: .release)),
]

/// The kernel layer is the only one that may touch unsafe memory, and it has to say where it does.
let kernel: [SwiftSetting] = strict + [.strictMemorySafety()]

/// Neither a loader nor relocations: a static program starts in a third of the time.
///
/// The kernel maps 64 kB around each page of a program that is executed (`do_fault_around` of mm/memory.c). So lld puts
/// the functions that a usual run calls next to each other, in the order of `tools/orders/PROGRAM`, which
/// `tools/order-functions` writes. A name that there is no more is passed over: the program is only larger in memory.
///
/// - Parameter text: Where the code begins. Ours comes after the standard library's, which cannot be ordered, and how many
///   of these 64 kB a run touches depends on where both begin: 26 here and 31 where chance had it. `tools/order-functions`
///   says where there are fewest.
func staticProgram(_ name: String, text: String? = nil) -> [LinkerSetting] {
    let order = "\(Context.packageDirectory)/tools/orders/\(name)"
    var flags = ["--symbol-ordering-file=\(order)", "--no-warn-symbol-ordering"]
    if let text { flags.append("--section-start=.text=\(text)") }
    return [
        .unsafeFlags(
            ["-static-executable", "-use-ld=lld"] + flags.flatMap { ["-Xlinker", $0] }, .when(configuration: .release))
    ]
}

let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "swnet",
    products: [
        .executable(name: "swnet", targets: ["swnet"]),
        .executable(name: "swnet-capture", targets: ["swnet-capture"]),
        .executable(name: "swrun", targets: ["swrun"]),
        .executable(name: "swrun-systemd", targets: ["swrun-systemd"]),
        .executable(name: "swbox", targets: ["swbox"]),
        .executable(name: "swbox-image", targets: ["swbox-image"]),
        .executable(name: "swbox-monitor", targets: ["swbox-monitor"]),
        .library(name: "Addressing", targets: ["Addressing"]),
        .library(name: "Netlink", targets: ["Netlink"]),
        .library(name: "Rtnetlink", targets: ["Rtnetlink"]),
        .library(name: "Nftables", targets: ["Nftables"]),
        .library(name: "NetworkModel", targets: ["NetworkModel"]),
        .library(name: "CNI", targets: ["CNI"]),
        .library(name: "NetworkEngine", targets: ["NetworkEngine"]),
        .library(name: "RuntimeSpec", targets: ["RuntimeSpec"]),
        .library(name: "Cgroups", targets: ["Cgroups"]),
        .library(name: "ContainerRuntime", targets: ["ContainerRuntime"]),
        .library(name: "ImageStore", targets: ["ImageStore"]),
        .library(name: "Engine", targets: ["Engine"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        // C: headers, module maps and the system calls that glibc does not wrap.
        .target(name: "CLinux"),
        // What the Swift runtime does before `main`, with fewer system calls: see the file.
        .target(name: "CStaticStart", cSettings: [.define("STATIC_PROGRAM", .when(configuration: .release))]),
        // What libnftnl needs of libmnl, of which Debian has only a shared library: see the file.
        .target(name: "CMnl"),
        .systemLibrary(name: "CNftnl", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev"])]),
        .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),

        // Kernel: one module for each interface of the kernel.
        .target(name: "Addressing", swiftSettings: strict),
        .target(name: "LinuxSystem", dependencies: ["CLinux", system], swiftSettings: kernel),
        .target(name: "Netlink", dependencies: ["CLinux", "LinuxSystem", system], swiftSettings: kernel),
        .target(
            name: "Rtnetlink",
            dependencies: ["Addressing", "CLinux", "LinuxSystem", "Netlink", system], swiftSettings: kernel),
        .target(
            name: "Nftables",
            dependencies: ["Addressing", "CLinux", "CMnl", "CNftnl", "LinuxSystem", "Netlink", system],
            swiftSettings: kernel),
        .target(name: "Cgroups", dependencies: ["CLinux", "LinuxSystem", system], swiftSettings: strict),

        // Model: pure values, no kernel and no file.
        .target(name: "NetworkModel", dependencies: ["Addressing", "JSONCoding"], swiftSettings: strict),
        .target(name: "PacketCapture", dependencies: ["Addressing"], swiftSettings: strict),
        .target(name: "CNI", dependencies: ["Addressing", "JSONCoding"], swiftSettings: strict),
        .target(name: "JSONCoding", swiftSettings: strict),
        .target(name: "RuntimeSpec", dependencies: ["JSONCoding"], swiftSettings: strict),
        .target(name: "SystemdUnits", dependencies: ["Cgroups", "JSONCoding", "RuntimeSpec"], swiftSettings: strict),

        // Engines: networking and the runtime are peers and do not know each other.
        .target(
            name: "NetworkEngine",
            dependencies: [
                "Addressing", "CLinux", "JSONCoding", "LinuxSystem", "NetworkModel", "Netlink", "Nftables", "Rtnetlink",
                system,
            ],
            swiftSettings: strict),
        .target(
            name: "ContainerRuntime",
            dependencies: [
                "CLinux", "CSeccomp", "Cgroups", "JSONCoding", "LinuxSystem", "RuntimeSpec", "SystemdUnits", system,
            ],
            swiftSettings: kernel),
        .target(
            name: "ImageStore", dependencies: ["CLinux", "JSONCoding", "LinuxSystem", system], swiftSettings: strict),
        .target(
            name: "ImageArchive",
            dependencies: [
                "CArchive", "CLinux", "ImageStore", "LinuxSystem", system,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: kernel),

        .target(name: "ContainerLog", dependencies: ["CLinux"], swiftSettings: strict),

        // Compose: the one place where networks, containers and images meet.
        .target(
            name: "Engine",
            dependencies: [
                "Addressing", "CLinux", "Cgroups", "ContainerLog", "ContainerRuntime", "ImageStore", "JSONCoding",
                "LinuxSystem", "NetworkEngine", "NetworkModel", "RuntimeSpec", system,
            ],
            swiftSettings: strict),

        // Commands: parse, call one engine function, print.
        // ArgumentParser stays out of CommandSupport: swbox, which parses docker's grammar itself, must not carry it.
        .target(
            name: "CommandSupport", dependencies: ["CLinux", "JSONCoding", "LinuxSystem", system], swiftSettings: strict
        ),
        .target(name: "ArgumentSupport", dependencies: ["CommandSupport", arguments], swiftSettings: strict),
        .executableTarget(
            name: "swnet",
            dependencies: [
                "Addressing", "CLinux", "CStaticStart", "CNI", "CommandSupport", "JSONCoding", "LinuxSystem",
                "NetworkEngine",
                "NetworkModel", system,
            ],
            swiftSettings: strict, linkerSettings: staticProgram("swnet")),
        // libpcap is for those who record packets, so swnet executes a program of its own for it.
        .executableTarget(
            name: "swnet-capture",
            dependencies: ["CLinux", "CommandSupport", "CPcap", "JSONCoding", "LinuxSystem", "PacketCapture", system],
            swiftSettings: strict),
        .executableTarget(
            name: "swrun",
            dependencies: [
                "Addressing", "CLinux", "CStaticStart", "Cgroups", "CommandSupport", "ContainerRuntime", "JSONCoding",
                "LinuxSystem",
                "Netlink", "Rtnetlink", "RuntimeSpec", system,
            ],
            swiftSettings: strict, linkerSettings: staticProgram("swrun", text: "0x405000")),
        // libsystemd is a shared library, and swrun a static program that starts often: only who asks for the systemd
        // manager executes this one.
        .executableTarget(
            name: "swrun-systemd",
            dependencies: ["CLinux", "CommandSupport", "CSystemd", "LinuxSystem", "SystemdUnits"],
            swiftSettings: strict),
        .executableTarget(
            name: "swbox",
            dependencies: [
                "Addressing", "CLinux", "CStaticStart", "CommandSupport", "Engine", "ImageStore", "JSONCoding",
                "LinuxSystem",
                "NetworkModel",
            ],
            swiftSettings: strict, linkerSettings: staticProgram("swbox")),
        .executableTarget(
            name: "swbox-image",
            dependencies: [
                "ArgumentSupport", "CommandSupport", "ImageArchive", "ImageStore", "LinuxSystem", arguments,
            ],
            swiftSettings: strict),
        // One monitor stays with every detached container, so its memory is counted: Embedded Swift has no runtime to
        // relocate. It compiles ContainerLog's sources into itself (a link in its folder); the embedded standard library
        // comes only with the dynamic one, and needs whole-module compilation in debug builds too.
        .executableTarget(
            name: "swbox-monitor", dependencies: ["CLinux"],
            swiftSettings: strict + [
                .enableExperimentalFeature("Embedded"), .unsafeFlags(["-wmo", "-no-static-stdlib"]),
            ]),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["CLinux", "JSONCoding", "LinuxSystem", system],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(name: "AddressingTests", dependencies: ["Addressing", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "LinuxSystemTests", dependencies: ["CLinux", "LinuxSystem", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "RtnetlinkTests",
            dependencies: ["Addressing", "CLinux", "LinuxSystem", "Netlink", "Rtnetlink", "TestSupport", system],
            swiftSettings: strict),
        .testTarget(
            name: "NftablesTests",
            dependencies: [
                "Addressing", "CLinux", "CMnl", "CNftnl", "LinuxSystem", "Netlink", "Nftables", "TestSupport", system,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "CgroupsTests", dependencies: ["CLinux", "Cgroups", "LinuxSystem", "TestSupport", system],
            swiftSettings: strict),
        .testTarget(
            name: "NetworkModelTests",
            dependencies: ["Addressing", "JSONCoding", "NetworkModel", "PacketCapture", "TestSupport"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "CNITests", dependencies: ["Addressing", "CNI", "JSONCoding", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "NetworkEngineTests",
            dependencies: [
                "Addressing", "JSONCoding", "LinuxSystem", "NetworkEngine", "NetworkModel", "TestSupport", "swnet",
                "swnet-capture",
            ],
            exclude: ["Specification"], swiftSettings: strict),
        .testTarget(
            name: "RuntimeSpecTests", dependencies: ["JSONCoding", "RuntimeSpec", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SystemdUnitsTests",
            dependencies: ["RuntimeSpec", "SystemdUnits", "TestSupport", "swrun", "swrun-systemd"],
            swiftSettings: strict),
        .testTarget(
            name: "ContainerRuntimeTests",
            dependencies: [
                "CLinux", "CSeccomp", "ContainerRuntime", "LinuxSystem", "RuntimeSpec", "TestSupport", "swrun", system,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ImageStoreTests",
            dependencies: [
                "CLinux", "ImageArchive", "ImageStore", "LinuxSystem", "swbox-image", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Addressing", "CLinux", "ContainerLog", "ContainerRuntime", "Engine", "ImageStore", "JSONCoding",
                "LinuxSystem", "NetworkModel", "RuntimeSpec", "TestSupport",
            ], swiftSettings: strict),
        .testTarget(
            name: "CommandSupportTests", dependencies: ["ArgumentSupport", "CommandSupport", arguments],
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            // Not swbox-monitor: a test bundle cannot hold Embedded Swift. It is built with every product all the same.
            dependencies: ["swbox", "swbox-image", "swnet", "swrun", "TestSupport"],
            swiftSettings: strict),
    ]
)

// The program of tools/fuzz: libFuzzer brings its `main`, and everything is compiled to tell it what was reached.
if Context.environment["SWNET_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Addressing", "CNI", "JSONCoding", "Netlink", "NetworkModel", "Rtnetlink", "RuntimeSpec",
                "TestSupport",
            ],
            path: "Tests/Fuzz", swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
