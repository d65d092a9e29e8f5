import CLinux
import LinuxSystem
import SystemPackage

/// A cgroup in one hierarchy: a directory and its files.
struct CgroupDirectory: Hashable {
    /// Absolute.
    var path: String
    /// The cgroup's path, for errors.
    var name: String

    init(mountPoint: String, path: CgroupPath) {
        self.path = "\(mountPoint)/\(path)"
        name = path.description
    }

    /// A cgroup above the one that an operation is about.
    init(mountPoint: String, component: String) {
        self.init(path: "\(mountPoint)/\(component)", name: component)
    }

    /// The root of a hierarchy.
    init(path: String) { self.init(path: path, name: "/") }

    private init(path: String, name: String) {
        self.path = path
        self.name = name
    }

    var exists: Bool { access(path, F_OK) == 0 }

    /// Makes the directory. The corresponding system call is `mkdir`.
    ///
    /// - Returns: Whether it is new.
    func make() throws(CgroupError) -> Bool {
        if mkdir(path, 0o755) == 0 { return true }
        guard Errno.last == .fileExists else {
            throw CgroupError("create \(path)", name, errno: .last)
        }
        return false
    }

    /// Reads a file; nil when the kernel does not have it, or the cgroup has gone.
    func read(_ file: String) throws(CgroupError) -> String? {
        do throws(SystemError) {
            return String(decoding: try Descriptor.open("\(path)/\(file)").readAll(), as: UTF8.self)
        } catch {
            // ENODEV is what an open file answers when the cgroup is removed under it.
            if error.errno == .noSuchFileOrDirectory || error.errno == .operationNotSupportedByDevice { return nil }
            throw CgroupError("read \(file)", name, error)
        }
    }

    /// Reads a file that holds one value, without the blanks around and in it; nil when the kernel does not have it.
    func readValue(_ file: String) throws(CgroupError) -> String? {
        do throws(SystemError) {
            let bytes = try Descriptor.open("\(path)/\(file)").readRecord()
            return String(decoding: bytes.filter { $0 > UInt8(ascii: " ") }, as: UTF8.self)
        } catch {
            if error.errno == .noSuchFileOrDirectory || error.errno == .operationNotSupportedByDevice { return nil }
            throw CgroupError("read \(file)", name, error)
        }
    }

    /// Reads a file of `key value` lines, such as `memory.stat` and `cgroup.events`.
    func readTable(_ file: String) throws(CgroupError) -> [Substring: UInt64] {
        guard let text = try read(file) else { return [:] }
        var table: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let value = UInt64(words[1]) { table[words[0]] = value }
        }
        return table
    }

    /// Reads a file that holds a list of words.
    func words(_ file: String) throws(CgroupError) -> Set<String> {
        Set(try read(file)?.split(whereSeparator: \.isWhitespace).map(String.init) ?? [])
    }

    /// Reads a file that holds one number; nil when the file is missing or says `max`.
    func readNumber(_ file: String) throws(CgroupError) -> UInt64? {
        try read(file).flatMap { UInt64($0.prefix { $0 != "\n" }) }
    }

    /// Writes a value in one call. The corresponding system calls are `open` and `write`.
    func write(_ value: String, to file: String, controller: CgroupController? = nil) throws(CgroupError) {
        do throws(SystemError) {
            try Descriptor.open("\(path)/\(file)", O_WRONLY).write(text: value)
        } catch {
            let missing = error.errno == .noSuchFileOrDirectory && exists
            var failure = CgroupError(
                "set \(file)", name, controller: controller, value: value, errno: error.errno,
                hint: missing ? absence(of: file) : nil)
            failure.file = file
            throw failure
        }
    }

    /// Why a file is not there.
    private func absence(of file: String) -> String {
        let name = String(file.prefix { $0 != "." })
        if name != "cgroup", let available = try? words("cgroup.controllers"), !available.isEmpty,
            !available.contains(name)
        {
            return "the requested cgroup controller `\(name)` is not available"
        }
        return "this kernel does not have the file"
    }

    /// Whether processes stop that enter it, as far as this hierarchy is concerned.
    var isFrozen: Bool {
        if let state = try? read("freezer.state") { return !state.hasPrefix("THAWED") }
        return (try? read("cgroup.freeze"))?.hasPrefix("1") ?? false
    }

    func write(_ setting: CgroupSetting) throws(CgroupError) {
        do throws(CgroupError) {
            try write(setting.value, to: setting.file, controller: setting.controller)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            if let other = setting.fallback, access("\(path)/\(other.file)", F_OK) == 0 {
                try write(other.value, to: other.file, controller: setting.controller)
            } else if !setting.optional {
                throw error
            }
        }
    }

    /// Writes several values, each of which the kernel checks against the others as they stand at that moment.
    ///
    /// An update may therefore need any order (a limit over the present memory+swap limit, a quota over the present
    /// period), so what is refused is tried once more after the rest.
    func write(_ settings: [CgroupSetting]) throws(CgroupError) {
        var refused: [CgroupSetting] = []
        for setting in settings {
            do throws(CgroupError) {
                try write(setting)
            } catch {
                guard settings.count > 1, error.errno == .invalidArgument else { throw error }
                refused.append(setting)
            }
        }
        for setting in refused { try write(setting) }
    }

    /// Writes device rules, each into the file that its verdict has in v1. A rule goes in one write.
    func write(deviceRules rules: [DeviceRule]) throws(CgroupError) {
        var rule: DeviceRule?
        do throws(SystemError) {
            let allow = try Descriptor.open("\(path)/devices.allow", O_WRONLY).release()
            var files = [allow]
            defer { Descriptor.closeAll(files) }
            let deny = try Descriptor.open("\(path)/devices.deny", O_WRONLY).release()
            files.append(deny)
            for next in rules {
                rule = next
                let file = next.allow ? allow : deny
                let text = Array("\(next.description)\n".utf8)
                guard CLinux.write(file, text, text.count) == text.count else {
                    throw SystemError("write", "", errno: .last)
                }
            }
        } catch {
            throw CgroupError(
                rule?.allow == false ? "set devices.deny" : "set devices.allow", name, controller: .devices,
                value: rule?.description, errno: error.errno)
        }
    }

    /// The sizes of huge pages that the kernel accounts for, `2MB`, by the names of their files.
    func hugePageSizes(_ suffix: String) -> [String] {
        guard let names = try? Descriptor.openDirectory(path, forListing: true).entries() else { return [] }
        return names.compactMap { name in
            guard name.hasPrefix("hugetlb."), name.hasSuffix(suffix), !name.hasSuffix(".rsvd\(suffix)") else {
                return nil
            }
            return String(name.dropFirst(8).dropLast(suffix.count))
        }
    }

    /// The processes in this cgroup and below it, as the reader's pid namespace numbers them.
    func processes() throws(CgroupError) -> Set<Int32> {
        var found: Set<Int32> = []
        try addProcesses(in: path, to: &found)
        try CgroupTree(in: path)?.visit { (above, name) throws(CgroupError) in
            try addProcesses(in: name, relativeTo: above.rawValue, to: &found)
        }
        return found
    }

    private func addProcesses(
        in directory: String, relativeTo above: Int32 = AT_FDCWD, to found: inout Set<Int32>
    ) throws(CgroupError) {
        do throws(SystemError) {
            let list = try Descriptor.open("\(directory)/cgroup.procs", relativeTo: above).readAll()
            for line in String(decoding: list, as: UTF8.self).split(separator: "\n") {
                // 0 stands for a process of a pid namespace that the reader cannot see into.
                if let process = Int32(line), process > 0 { found.insert(process) }
            }
        } catch {
            switch error.errno {
            // It has gone.
            case .noSuchFileOrDirectory, .operationNotSupportedByDevice: return
            // A threaded cgroup lists its processes at the top of the threaded tree only.
            case .notSupportedOnSocket, .notSupported: return
            default: throw CgroupError("read cgroup.procs", name, error)
            }
        }
    }

    /// Removes the cgroup and those inside it; a missing one is fine.
    ///
    /// A process leaves its cgroup a little after its parent has seen it end, so EBUSY is waited for.
    ///
    /// - Parameter milliseconds: How long; then EBUSY is thrown, with the processes that are still inside.
    func delete(waiting milliseconds: Int) throws(CgroupError) {
        var pause = Pause(milliseconds: milliseconds)
        while rmdir(path) != 0 {
            let answer = Errno.last
            if answer == .noSuchFileOrDirectory { return }
            guard answer == .resourceBusy || answer == .directoryNotEmpty else {
                throw CgroupError("delete \(path)", name, errno: answer)
            }
            var isSmaller = false
            try CgroupTree(in: path)?.visit { (above, child) throws(CgroupError) in
                do throws(SystemError) {
                    try above.remove(child, directory: true)
                    isSmaller = true
                } catch {
                    guard error.errno == .resourceBusy || error.errno == .directoryNotEmpty else {
                        throw CgroupError("delete \(child) in \(path)", name, error)
                    }
                }
            }
            if !isSmaller, !pause.wait() {
                let inside = (try? processes().sorted()) ?? []
                let list = inside.prefix(5).map { "\($0)" }.joined(separator: ", ")
                throw CgroupError(
                    "delete \(path)", name, errno: answer,
                    hint: inside.isEmpty ? nil : "\(inside.count) processes are in it: \(list)")
            }
        }
    }
}

/// Waits in growing steps, from 50 µs to 5 ms, until a time is over.
struct Pause {
    private let end: Int
    private var step: UInt32 = 50

    init(milliseconds: Int) { end = Self.now + milliseconds }

    private static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// Milliseconds until the end.
    var remaining: Int { max(0, end - Self.now) }

    /// Sleeps one step; false when the time is over.
    mutating func wait() -> Bool {
        if remaining == 0 { return false }
        usleep(step)
        step = min(step * 2, 5000)
        return true
    }
}
