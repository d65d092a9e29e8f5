/// Which of a container's streams a line came from; a terminal has only the first.
public enum LogStream: UInt8, Sendable {
    case output, error

    /// docker's name of the stream.
    public var name: StaticString {
        switch self {
        case .output: "stdout"
        case .error: "stderr"
        }
    }
}
