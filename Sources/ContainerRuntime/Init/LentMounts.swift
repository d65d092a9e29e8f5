import CLinux
import LinuxSystem
import SystemPackage

/// Mounts that the launcher makes for a container's process which may not (`MountLender`).
struct LentMounts {
    /// The process's end of the socket to its launcher.
    let socket: Int32

    /// A copy of the source of a bind, by the mount's number.
    func source(_ mount: Int32) throws(SystemError) -> Descriptor {
        let namespace = try Descriptor.open("/proc/self/ns/mnt")
        try send(InitRecord(.mountNamespace), namespace.rawValue)
        let root = try Descriptor.open("/", O_PATH | O_DIRECTORY)
        return try ask(.wantsSource, mount, root.rawValue)
    }

    /// The node of a device, by its place in the document's list.
    func device(_ index: Int32) throws(SystemError) -> Descriptor { try ask(.wantsDevice, index, -1) }

    /// The node of a device that every container has, by its place in the list of those.
    func node(_ index: Int32) throws(SystemError) -> Descriptor { try ask(.wantsNode, index, -1) }

    private func ask(_ stage: InitStage, _ index: Int32, _ descriptor: Int32) throws(SystemError) -> Descriptor {
        var question = InitRecord(stage)
        question.index = index
        try send(question, descriptor)
        var bytes = [UInt8](repeating: 0, count: InitRecord.size)
        var file: Int32 = -1
        let count = unsafe swn_receive_descriptor(socket, &bytes, bytes.count, &file)
        // The launcher is gone.
        if count == 0 { swn_exit_now(1) }
        if count == bytes.count, file >= 0 { return Descriptor(owning: file) }
        let answer = InitRecord(bytes: bytes)
        let words = answer?.words ?? ""
        throw SystemError(
            "ask for a mount", errno: Errno(rawValue: answer?.errno ?? EPROTO), hint: words.isEmpty ? nil : words)
    }

    private func send(_ record: InitRecord, _ descriptor: Int32) throws(SystemError) {
        let bytes = record.bytes
        guard unsafe swn_send_descriptor(socket, bytes, bytes.count, descriptor) == bytes.count else {
            throw SystemError("ask for a mount", errno: .last)
        }
    }
}
