public import ImageStore

extension Engine {
    /// Takes a name from an image, and removes the image with its last name, unless containers need it.
    public func removeImage(_ name: String, isForced: Bool) throws -> [ImageRemoval] {
        try images.remove(name, force: isForced) { id in
            try containers.containers().filter { $0.record.imageID == id.hex }.map { container in
                ImageUser(name: container.record.name, isRunning: container.status.phase != .exited)
            }
        }
    }
}
