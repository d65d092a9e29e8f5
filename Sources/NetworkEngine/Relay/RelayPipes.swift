import CLinux

/// Pipes through which bytes pass from one socket to another without being copied (splice(2)).
///
/// A direction of a connection has one only while bytes wait in it, so that idle connections cost two descriptors each.
struct RelayPipes {
    struct Pipe {
        var reading: Int32
        var writing: Int32
    }

    private var spare: [Pipe] = []
    private static let mostSpare = 16

    /// nil when there are no descriptors left.
    mutating func take() -> Pipe? {
        if let pipe = spare.popLast() { return pipe }
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC | O_NONBLOCK) == 0 else { return nil }
        return Pipe(reading: ends[0], writing: ends[1])
    }

    /// Takes one back. One that still holds bytes is of no use to anybody else.
    mutating func give(_ pipe: Pipe, isEmpty: Bool) {
        if isEmpty && spare.count < Self.mostSpare {
            spare.append(pipe)
        } else {
            close(pipe.reading)
            close(pipe.writing)
        }
    }
}
