import ContainerRuntime

extension Engine {
    /// To be called by a program before it enters a running container, and before it has done anything else.
    ///
    /// It returns at once, or starts the program over from a read-only mount of its own file, so that no process of
    /// the container can get hold of the file in order to change it.
    public static func protectProgram() throws { try ProtectedExecutable.ensure() }
}
