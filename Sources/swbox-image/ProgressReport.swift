import CommandSupport
import ImageArchive
import ImageStore

/// Shows what an archive's reader does: a line that moves on a terminal, a line for each layer elsewhere.
final class ProgressReport {
    private var line: ProgressLine?
    private let isQuiet: Bool
    private let isTerminal = Terminal.isTerminal(2)

    init(isQuiet: Bool = false) {
        self.isQuiet = isQuiet
        if !isQuiet { line = ProgressLine() }
    }

    func report(_ event: ArchiveProgress) {
        switch event {
        case .copying(let bytes): line?.show("copying standard input: \(size(bytes))")
        case .unpacking(let layer, let bytes): line?.show("unpacking \(layer.map(\.short) ?? "layer"): \(size(bytes))")
        case .present(let layer): state("layer \(layer.short): already there")
        case .unpacked(let layer, let bytes): state("layer \(layer.short): unpacked, \(size(bytes))")
        }
    }

    /// Takes the moving line away.
    func finish() { line = nil }

    /// What has been done is worth a line in a log; on a terminal the moving line has said it.
    private func state(_ text: String) {
        if isQuiet { return }
        if isTerminal { line?.show(text) } else { Output.errorLine(text) }
    }

    private func size(_ bytes: Int64) -> String {
        var value = Double(bytes)
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 1000 { return unit == "B" ? "\(bytes) B" : "\((value * 10).rounded() / 10) \(unit)" }
            value /= 1000
        }
        return "\((value * 10).rounded() / 10) TB"
    }
}
