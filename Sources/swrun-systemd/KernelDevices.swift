import LinuxSystem
import SystemdUnits

/// The drivers' names from /proc/devices.
struct KernelDevices: DeviceNames {
    private var names: [Bool: [Int64: String]] = [:]

    init() {
        guard let bytes = try? Descriptor.open("/proc/devices").readAll(limit: 1 << 20) else { return }
        var isBlock = false
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            if line.hasSuffix("devices:") {
                isBlock = line.hasPrefix("Block")
                continue
            }
            let words = line.split(separator: " ", maxSplits: 1)
            if words.count == 2, let major = Int64(words[0]) {
                names[isBlock, default: [:]][major] = names[isBlock]?[major] ?? String(words[1])
            }
        }
    }

    func name(isBlock: Bool, major: Int64) -> String? { names[isBlock]?[major] }
}
