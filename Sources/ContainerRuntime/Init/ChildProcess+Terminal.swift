import CLinux
import LinuxSystem

extension ChildProcess {
    /// Makes the container's terminal and sends its controlling side to the launcher.
    ///
    /// It comes from the container's own devpts, so that its name means something inside. The other side is taken by
    /// `TIOCGPTPEER` and not by its name, which an image could have put something else under (CVE-2025-52565).
    ///
    /// - Parameter devpts: The open root of a devpts, or -1.
    /// - Parameter root: The container's root, when its /dev/console is to be the terminal; else -1.
    func makeTerminal(devpts: Int32, root: Int32) throws(InitFailure) {
        guard let size = plan.terminal else { return }
        guard devpts >= 0 else {
            throw InitFailure(.terminal, errno: ENODEV, words: "a terminal needs a devpts in mounts")
        }
        do throws(SystemError) {
            let terminal = try PseudoTerminal(devpts: devpts)
            if size.height != 0 { try terminal.setSize(height: size.height, width: size.width) }
            if size.hasPlainLines { terminal.setPlainLines() }
            if root >= 0 { try bindConsole(terminal.peer, root: root) }
            for number in 0..<Int32(3) {
                guard dup2(terminal.peer.rawValue, number) == number else {
                    throw SystemError("dup2", errno: .last)
                }
            }
            guard swn_ioctl(0, UInt(TIOCSCTTY), 0) == 0 else { throw SystemError("TIOCSCTTY", errno: .last) }
            report(InitRecord(.console), descriptor: terminal.controller.rawValue)
        } catch {
            throw InitFailure(.terminal, 0, error)
        }
    }

    private func bindConsole(_ peer: borrowing Descriptor, root: Int32) throws(SystemError) {
        let target = try TargetResolver(root: root).open("dev/console", isDirectory: false, isPlain: true)
        try MountTree.attach(try MountTree.clone(of: peer, recursive: false), to: target)
    }
}
