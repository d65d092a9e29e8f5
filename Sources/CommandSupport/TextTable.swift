import JSONCoding

/// A table as docker prints it: upper-case headings, columns aligned left, at least three spaces between them.
public struct TextTable: Sendable {
    private let headings: [String]
    private var rows: [[String]] = []

    public init(_ headings: [String]) { self.headings = headings }

    /// Adds a row. Missing cells are empty; cells are made printable, so that no value can break the table.
    public mutating func add(_ cells: [String]) {
        let missing = max(0, headings.count - cells.count)
        rows.append(cells.prefix(headings.count).map(\.printable) + [String](repeating: "", count: missing))
    }

    /// The whole table with its heading, each line ended.
    public var text: String {
        let lines = [headings] + rows
        let widths = headings.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for line in lines {
            var padded = ""
            for (column, cell) in line.enumerated() {
                padded += cell
                if column < line.count - 1 {
                    padded += String(repeating: " ", count: widths[column] - cell.count + 3)
                }
            }
            while padded.last == " " { padded.removeLast() }
            text += padded + "\n"
        }
        return text
    }

    /// Prints the table on standard output in one write.
    public func print() { Output.write(text) }
}
