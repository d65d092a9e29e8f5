import Addressing

/// The texts of `/etc/hosts` and `/etc/resolv.conf` of a container.
enum HostFiles {
    /// docker's `/etc/hosts`, with a line for each of the container's own addresses.
    static func hosts(hostname: String, addresses: [IPAddress]) -> String {
        var text = """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::\tip6-localnet
            ff00::\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters

            """
        for address in addresses { text += "\(address)\t\(hostname)\n" }
        return text
    }

    /// The host's resolver configuration without the name servers that only the host itself can reach.
    ///
    /// - Parameters:
    ///   - host: The host's `/etc/resolv.conf`.
    ///   - upstream: systemd-resolved's list of the servers behind its stub, when there is one
    ///     (systemd-resolved.service(8)); used when nothing else is left.
    static func resolvers(host: String, upstream: String?) -> String {
        let filtered = withoutLoopback(host)
        if filtered.hasServer { return filtered.text }
        if let upstream {
            let behind = withoutLoopback(upstream)
            if behind.hasServer { return behind.text }
        }
        return filtered.text + "# the host has no name server that a container could reach\n"
    }

    /// A resolver configuration with other servers.
    static func resolvers(_ text: String, servers: [IPAddress]) -> String {
        let others = text.split(separator: "\n").filter { !$0.hasPrefix("nameserver") && !$0.hasPrefix("#") }
        return (servers.map { "nameserver \($0)" } + others.map(String.init)).joined(separator: "\n") + "\n"
    }

    private static func withoutLoopback(_ text: String) -> (text: String, hasServer: Bool) {
        var result = ""
        var hasServer = false
        for line in text.split(separator: "\n") {
            let words = line.split { $0 == " " || $0 == "\t" }
            if words.first == "nameserver", words.count > 1 {
                // A server with a zone (fe80::1%eth0) is reached through an interface that only the host has.
                guard let address = IPAddress(String(words[1])), !address.isLoopback else { continue }
                hasServer = true
            }
            result += line + "\n"
        }
        return (result, hasServer)
    }
}
