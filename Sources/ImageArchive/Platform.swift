/// What a program runs on, in the words of the image specification, which are Go's GOOS and GOARCH.
struct Platform: Hashable, Decodable {
    var os: String
    var architecture: String
    var variant: String?

    init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// This machine.
    static var host: Platform {
        #if arch(x86_64)
        Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
        Platform(os: "linux", architecture: "arm64", variant: "v8")
        #elseif arch(riscv64)
        Platform(os: "linux", architecture: "riscv64")
        #elseif arch(powerpc64le)
        Platform(os: "linux", architecture: "ppc64le")
        #elseif arch(s390x)
        Platform(os: "linux", architecture: "s390x")
        #else
        Platform(os: "linux", architecture: "arm", variant: "v7")
        #endif
    }

    /// Whether this machine runs its programs: a variant that is not given is the common one.
    var isHost: Bool {
        let host = Platform.host
        return os == host.os && architecture == host.architecture
            && (variant == nil || host.variant == nil || variant == host.variant)
    }
}

extension Platform: CustomStringConvertible {
    var description: String { "\(os)/\(architecture)" + (variant.map { "/\($0)" } ?? "") }
}
