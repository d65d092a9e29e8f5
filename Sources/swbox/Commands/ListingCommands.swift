import CommandSupport
import Engine
import ImageStore
import NetworkModel
import JSONCoding

extension SwboxCommands {
    static let ps = Command(
        "ps", "[-a] [-q] [--no-trunc] [--format table|json]", summary: "list containers",
        examples: ["swbox ps -a", "swbox ps --format json"],
        grammar: FlagGrammar([
            .init("all", short: "a", help: "those that do not run too"),
            .init("quiet", short: "q", help: "ids only"), .init("no-trunc", help: "whole ids and commands"),
            .format,
        ]), run: listContainers)

    static let images = Command(
        "images", "[-q] [--no-trunc] [--format table|json]", summary: "list images",
        examples: ["swbox images", "swbox images -q --no-trunc"],
        grammar: FlagGrammar([
            // Every image that is here has a name or had one: there are no others to leave out.
            .init("all", short: "a", help: "the same list, for docker's sake"),
            .init("quiet", short: "q", help: "ids only"), .init("no-trunc", help: "whole ids"),
            .format,
        ]), run: listImages)

    static let inspect = Command(
        "inspect", "CONTAINER…", summary: "everything about containers, as JSON", examples: ["swbox inspect web"],
        run: inspectContainers)
}

private func listContainers(_ invocation: Invocation) throws -> ExitStatus {
    let flags = invocation.flags
    let format = try invocation.format
    try invocation.engine.recover()
    let containers = try invocation.engine.containers.containers().filter { flags.isOn("all") || $0.isRunning }
    let isWhole = flags.isOn("no-trunc")
    if flags.isOn("quiet") {
        Output.write(containers.map { ($0.record.id(isWhole: isWhole)) + "\n" }.joined())
        return .success
    }
    let summaries = invocation.engine.summaries(containers)
    switch format {
    case .table:
        var table = TextTable(["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"])
        for summary in summaries {
            let record = summary.container.record
            table.add([
                record.id(isWhole: isWhole), record.image, summary.command(isTruncated: !isWhole), summary.created,
                summary.status, summary.ports, record.name,
            ])
        }
        table.print()
    case .json:
        try JSONOutput.print(
            summaries.map { summary in
                let record = summary.container.record
                return JSONValue([
                    "ID": .string(record.id), "Names": .string(record.name), "Image": .string(record.image),
                    "Command": .string(record.arguments.joined(separator: " ")),
                    "CreatedAt": .string(record.created), "State": .string(summary.state),
                    "Status": .string(summary.status), "Ports": .string(summary.ports),
                    "Networks": .string(record.network),
                ])
            })
    }
    return .success
}

extension ContainerRecord {
    fileprivate func id(isWhole: Bool) -> String { isWhole ? id : shortID }
}

private func inspectContainers(_ invocation: Invocation) throws -> ExitStatus {
    try invocation.require(1..., "a container")
    try invocation.engine.recover()
    var found: [JSONValue] = []
    var status = ExitStatus.success
    for name in invocation.arguments {
        do {
            found.append(invocation.engine.inspect(try invocation.engine.containers.find(name)).json)
        } catch {
            // As docker: the others are shown all the same.
            invocation.program.report(error)
            status = .failure
        }
    }
    try JSONOutput.print(found)
    return status
}

private func listImages(_ invocation: Invocation) throws -> ExitStatus {
    let flags = invocation.flags
    let format = try invocation.format
    let store = invocation.engine.images
    let references = try store.references()
    var rows: [(reference: ImageReference?, image: Image)] = []
    for image in try store.images() {
        let names = references.filter { $0.value == image.id }.keys.sorted { $0.familiar < $1.familiar }
        rows += names.isEmpty ? [(nil, image)] : names.map { ($0, image) }
    }
    func id(_ image: Image) -> String { flags.isOn("no-trunc") ? "\(image.id)" : image.id.short }
    if flags.isOn("quiet") {
        var seen: Set<Digest> = []
        Output.write(rows.filter { seen.insert($0.image.id).inserted }.map { id($0.image) + "\n" }.joined())
        return .success
    }
    switch format {
    case .table:
        var table = TextTable(["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"])
        for (reference, image) in rows {
            table.add([
                reference?.familiarName ?? "<none>", reference?.tag ?? "<none>", id(image),
                image.created.map { ContainerSummary.ago(seconds: Int($0)) } ?? "N/A", humanSize(image.size),
            ])
        }
        table.print()
    case .json:
        try JSONOutput.print(
            rows.map { reference, image in
                JSONValue([
                    "ID": .string("\(image.id)"), "Repository": .string(reference?.familiarName ?? "<none>"),
                    "Tag": .string(reference?.tag ?? "<none>"), "Size": .integer(Int(image.size)),
                    "Created": image.created.map { .integer(Int($0)) }, "Architecture": .string(image.architecture),
                ])
            })
    }
    return .success
}

/// `77.4MB`: docker's way, with decimal units and four figures at most.
func humanSize(_ bytes: Int64) -> String {
    var (value, units) = (Double(bytes), ["B", "kB", "MB", "GB", "TB"][...])
    while value >= 1000, units.count > 1 {
        value /= 1000
        units = units.dropFirst()
    }
    let unit = units.first ?? ""
    if unit == "B" || value >= 100 { return "\(Int(value.rounded()))\(unit)" }
    let (scale, digits) = value >= 10 ? (10.0, 1) : (100.0, 2)
    let scaled = Int((value * scale).rounded())
    var fraction = "\(scaled % Int(scale))"
    fraction = String(repeating: "0", count: digits - fraction.count) + fraction
    while fraction.last == "0" { fraction.removeLast() }
    return "\(scaled / Int(scale))" + (fraction.isEmpty ? "" : ".\(fraction)") + unit
}
