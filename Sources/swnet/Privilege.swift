import CLinux

enum Privilege {
    static var isRoot: Bool { geteuid() == 0 }
}
