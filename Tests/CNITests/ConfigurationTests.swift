import Addressing
import CNI
import Testing

@Suite("CNI configurations") struct ConfigurationTests {
    @Test func `a configuration of the bridge and host-local plugins`() throws {
        // What podman writes for its default network.
        let configuration = try Requests.configuration(
            #"""
            "bridge": "cni-podman0", "isGateway": true, "ipMasq": true, "hairpinMode": true, "promiscMode": false,
            "mtu": 1400, "keyA": ["some more", "plugin specific", "configuration"],
            "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0", "gw": "fd00::1"}],
                "ranges": [[{"subnet": "10.88.0.0/16", "gateway": "10.88.0.1"}], [{"subnet": "fd00::/64"}]]},
            "dns": {"nameservers": ["10.88.0.1"], "domain": "lab", "search": ["a.lab"], "options": ["ndots:2"]}
            """#)
        #expect(configuration.pools.map(\.subnet.description) == ["10.88.0.0/16", "fd00::/64"])
        #expect(configuration.pools.map(\.gateway?.description) == ["10.88.0.1", nil])
        #expect(configuration.pools.map(\.router?.description) == ["10.88.0.1", "fd00::1"])
        #expect(configuration.mtu == 1400)
        #expect(!configuration.isInternal && configuration.masquerades == true)
        #expect(configuration.dns.servers == ["10.88.0.1"] && configuration.dns.domain == "lab")
        #expect(configuration.dns.search == ["a.lab"] && configuration.dns.options == ["ndots:2"])
        #expect(configuration.bandwidth == nil && configuration.ports.isEmpty)
        #expect(
            configuration.routes
                == [.init(to: .everything(.v4)), .init(to: .everything(.v6), via: IPAddress("fd00::1"))])
    }

    @Test func `routes that are asked for, and none`() throws {
        let routes = { (list: String) throws(CNIError) in
            try Requests.configuration(#""ipam": {"subnet": "10.1.0.0/24", "routes": \#(list)}"#).routes
        }
        #expect(try routes("null") == nil)
        #expect(try routes("[]") == [])
        let destination = try #require(IPPrefix("10.9.0.0/16"))
        #expect(try routes(#"[{"dst": "10.9.0.0/16"}]"#) == [.init(to: destination)])
        #expect(
            try routes(#"[{"dst": "10.9.0.0/16", "gw": "10.1.0.9", "priority": 7}]"#)
                == [.init(to: destination, via: IPAddress("10.1.0.9"), priority: 7)])
        // What is as it would be anyway is no wish.
        #expect(
            try routes(#"[{"dst": "10.9.0.0/16", "mtu": 0, "advmss": 0, "table": 254, "scope": 0, "priority": 0}]"#)
                == [.init(to: destination)])
        #expect(try Requests.configuration(#""isDefaultGateway": true"#).isDefaultGateway)
        // A DHCP server gives the default route, and tells all others.
        let leased = try Requests.configuration(#""ipam": {"type": "dhcp", "routes": [{"dst": "0.0.0.0/0"}]}"#)
        #expect(leased.usesDHCP && leased.routes == nil)
    }

    @Test func `resolvers that stand in a file`() throws {
        let text = """
            # the host's
            ; own
            nameserver 192.0.2.53
            nameserver fe80::1%eth0
            nameserver
            domain lab
            search a.lab\tb.lab
            options ndots:2 edns0
            sortlist 192.0.2.0
            """
        let read = try Requests.configuration(#""ipam": {"resolvConf": "/run/resolv"}"#)
        #expect(read.resolvConf == "/run/resolv")
        let dns = read.dns(resolvConf: text)
        #expect(dns.servers == ["192.0.2.53"] && dns.domain == "lab" && dns.search == ["a.lab", "b.lab"])
        #expect(dns.options == ["ndots:2", "edns0"])
        // The bridge plugin's rule: with anything in `dns` the file does not count. What the runtime says comes first.
        let said = try Requests.configuration(#""dns": {"domain": "x"}, "ipam": {"resolvConf": "/run/resolv"}"#)
        #expect(said.dns(resolvConf: text) == said.dns && said.dns.servers.isEmpty)
        let asked = try Requests.configuration(
            #""ipam": {"resolvConf": "/run/resolv"}, "runtimeConfig": {"dns": {"servers": ["8.8.8.8"]}}"#)
        #expect(asked.dns(resolvConf: text).servers == ["8.8.8.8"] && asked.dns(resolvConf: text).domain == "lab")
        #expect(try Requests.configuration(#""ipam": {"resolvConf": ""}"#).resolvConf == nil)
    }

    @Test func `the specification's example`() throws {
        // Appendix: Examples, what is given to the first plugin in step 1 of ADD.
        let request = try Requests.make(
            .add, [:],
            #"""
            {"cniVersion": "1.1.0", "name": "dbnet", "type": "bridge", "bridge": "cni0",
            "keyA": ["some more", "plugin specific", "configuration"],
            "ipam": {"type": "host-local", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1"},
            "dns": {"nameservers": [ "10.1.0.1" ]}}
            """#)
        #expect(request.network == "dbnet" && request.version == .v1_1_0 && request.namespace == "/run/netns/blue")
        let configuration = try request.configuration()
        #expect(configuration.pools.map(\.subnet.description) == ["10.1.0.0/16"])
        #expect(configuration.pools.map(\.gateway?.description) == ["10.1.0.1"])
        #expect(configuration.dns.servers == ["10.1.0.1"])
        #expect(try request.previousResult() == nil)
        // And what is given to the last, which comes with capabilities and the others' result.
        let last = try Requests.make(
            .add, [:],
            #"""
            {"cniVersion": "1.1.0", "name": "dbnet", "type": "portmap",
            "runtimeConfig": {"portMappings" : [{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }]},
            "prevResult": \#(ResultTests.example)}
            """#)
        #expect(try last.configuration().ports.map(\.hostPorts.description) == ["8080"])
        #expect(try last.previousResult()?.interfaces.map(\.name) == ["cni0", "veth3243", "eth0"])
    }

    @Test func `places where a subnet may stand`() throws {
        for text in [
            #""ipam": {"subnet": "10.1.0.0/16"}"#, #""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}]]}"#,
            #""subnet": "10.1.0.0/16""#, #""ranges": [[{"subnet": "10.1.0.0/16"}]]"#,
            #""runtimeConfig": {"ipRanges": [[{"subnet": "10.1.0.0/16"}]]}"#,
        ] {
            #expect(try Requests.configuration(text).pools.map(\.subnet.description) == ["10.1.0.0/16"], "\(text)")
        }
        for text in ["", #""ipam": {}"#, #""ipam": {"type": ""}"#, #""ipam": null"#] {
            #expect(try Requests.configuration(text).pools.isEmpty, "\(text)")
        }
        let ranged = try Requests.configuration(
            #""ipam": {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9"}, "ranges": [[{"subnet": "fd00::/64", "rangeEnd": "fd00::f"}]]"#
        )
        #expect(
            ranged.pools.map(\.ranges) == [try [range("10.1.0.9", "10.1.0.254")], try [range("fd00::1", "fd00::f")]])
    }

    private func range(_ first: String, _ last: String) throws -> ClosedRange<IPAddress> {
        try #require(IPAddress(first))...#require(IPAddress(last))
    }

    /// The example of host-local's documentation, and a subnet with a hole.
    @Test func `a set of several ranges is whichever has room`() throws {
        let pools = try Requests.configuration(
            #"""
            "ipam": {"type": "host-local", "ranges": [
                [{"subnet": "10.10.0.0/16", "rangeStart": "10.10.1.20", "rangeEnd": "10.10.3.50", "gateway": "10.10.0.254"},
                 {"subnet": "172.16.5.0/24"}],
                [{"subnet": "3ffe:ffff:0:01ff::/64", "rangeStart": "3ffe:ffff:0:01ff::0010",
                  "rangeEnd": "3ffe:ffff:0:01ff::0020"},
                 {"subnet": "3ffe:ffff:0:01ff::/64", "rangeStart": "3ffe:ffff:0:01ff::0030",
                  "rangeEnd": "3ffe:ffff:0:01ff::0040"}]]}
            """#
        ).pools
        #expect(pools.map(\.subnet.description) == ["10.10.0.0/16", "172.16.5.0/24", "3ffe:ffff:0:1ff::/64"])
        #expect(pools.map(\.isAlternative) == [false, true, false])
        #expect(pools.map(\.gateway?.description) == ["10.10.0.254", nil, nil])
        let six = try [
            range("3ffe:ffff:0:1ff::10", "3ffe:ffff:0:1ff::20"), range("3ffe:ffff:0:1ff::30", "3ffe:ffff:0:1ff::40"),
        ]
        #expect(pools.map(\.ranges) == [try [range("10.10.1.20", "10.10.3.50")], [], six])
    }

    @Test(arguments: [
        (#""mtu": "1500""#, 6, "mtu"), (#""mtu": -1"#, 7, "mtu"), (#""mtu": 65536"#, 7, "65536"),
        (#""isGateway": "yes""#, 6, "isGateway"), (#""ipam": []"#, 6, "ipam"),
        (#""ipam": {"type": 5}"#, 6, "ipam.type"),
        (#""ipam": {"subnet": 10}"#, 6, "ipam.subnet"), (#""ipam": {"subnet": "10.1.0.0"}"#, 7, "10.1.0.0"),
        (#""ipam": {"subnet": "10.1.0.1/16"}"#, 7, "10.1.0.0/16"),
        (#""ipam": {"subnet": "192.168.0.0/31"}"#, 7, "too small to allocate from"),
        (#""ipam": {"subnet": "10.1.0.0/16", "gateway": "10.2.0.1"}"#, 7, "ipam.gateway"),
        (#""ipam": {"subnet": "10.1.0.0/16", "gateway": "10.1.0.0"}"#, 7, "10.1.0.0"),
        (#""ipam": {"gateway": "10.1.0.1"}"#, 7, "ipam.gateway"),
        (#""ipam": {"rangeStart": "10.1.0.1"}"#, 7, "ipam.rangeStart"),
        (#""ipam": {"subnet": "10.1.0.0/24", "rangeStart": "10.1.1.5"}"#, 7, "ipam.rangeStart"),
        (#""ipam": {"subnet": "10.1.0.0/24", "rangeStart": "10.1.0.9", "rangeEnd": "10.1.0.8"}"#, 7, "ipam.rangeEnd"),
        (#""ipam": {"ranges": {}}"#, 6, "ipam.ranges"), (#""ipam": {"ranges": [{}]}"#, 6, "ipam.ranges[0]"),
        (#""ipam": {"ranges": [[]]}"#, 7, "ipam.ranges[0]"),
        (#""ipam": {"ranges": [[{}]]}"#, 7, "ipam.ranges[0][0].subnet"),
        (#""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}], [{"subnet": "10.1.4.0/24"}]]}"#, 7, "overlaps"),
        (#""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}, {"subnet": "10.1.4.0/24"}]]}"#, 7, "overlaps"),
        (
            #""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}, {"subnet": "10.1.0.0/16"}]]}"#, 7,
            "ranges[0][1]: it overlaps"
        ),
        (
            #""ipam": {"ranges": [[{"subnet": "10.1.0.0/16", "rangeStart": "10.1.9.0"}, {"subnet": "10.1.0.0/16", "rangeEnd": "10.1.9.0"}]]}"#,
            7, "ranges[0][1]: it overlaps"
        ),
        (
            #""ipam": {"ranges": [[{"subnet": "10.1.0.0/16", "rangeEnd": "10.1.9.0", "gateway": "10.1.0.1"}, {"subnet": "10.1.0.0/16", "rangeStart": "10.1.9.1", "gateway": "10.1.0.2"}]]}"#,
            7, "ranges[0][1].gateway"
        ),
        (#""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}, {"subnet": "fd00::/64"}]]}"#, 7, "another family"),
        (#""subnet": "10.1.0.0/16", "ipam": {"subnet": "10.1.0.0/16"}"#, 7, "overlaps"),
        (#""isGateway": false, "ipMasq": true"#, 7, "ipMasq"),
        (#""isGateway": false, "isDefaultGateway": true"#, 7, "isDefaultGateway"),
        (#""isGateway": true, "internal": true"#, 7, "internal"),
        (#""isGateway": false, "ipam": {"routes": [{"dst": "0.0.0.0/0"}]}"#, 7, "ipam.routes[0]: a route to 0.0.0.0/0"),
        (#""ipam": {"routes": [{}]}"#, 7, "ipam.routes[0].dst"), (#""ipam": {"routes": [{"dst": "all"}]}"#, 7, "'all'"),
        (#""ipam": {"routes": [{"dst": "::/0", "gw": "10.1.0.1"}]}"#, 7, "ipam.routes[0].gw"),
        (#""ipam": {"routes": [{"dst": "10.9.0.1/16"}]}"#, 7, "did you mean 10.9.0.0/16"),
        (#""ipam": {"routes": {}}"#, 6, "ipam.routes"), (#""ipam": {"routes": [5]}"#, 6, "ipam.routes[0]"),
        (#""subnet": "10.1.0.0/24", "ipam": {"routes": [{"dst": "::/0"}]}"#, 7, "ipam.routes[0].dst: ::/0"),
        (
            #""subnet": "10.1.0.0/24", "ipam": {"routes": [{"dst": "10.9.0.0/16", "gw": "10.2.0.9"}]}"#, 7,
            "10.2.0.9 is no host's address of 10.1.0.0/24"
        ),
        (#""ipam": {"routes": [{"dst": "10.9.0.0/16", "priority": -1}]}"#, 7, "ipam.routes[0].priority"),
        (#""ipam": {"resolvConf": 5}"#, 6, "ipam.resolvConf"),
        (#""dns": {"search": ["a\nnameserver 8.8.8.8"]}"#, 7, "is not one word"),
        (#""runtimeConfig": {"dns": {"options": ["a b"]}}"#, 7, "is not one word"),
        (#""dns": {"nameservers": ["localhost"]}"#, 7, "localhost"), (#""dns": {"search": "lab"}"#, 6, "dns.search"),
        (#""dns": []"#, 6, "dns"), (#""args": []"#, 6, "args"), (#""runtimeConfig": "no""#, 6, "runtimeConfig"),
    ])
    func `what is wrong is named`(members: String, code: Int, word: String) {
        expectRefusal(code, word) { _ = try Requests.configuration(members) }
    }

    /// The message has to contain the key and its value (section 5, Error, code 2).
    @Test(arguments: [
        (#""ipam": {"type": "static"}"#, "ipam.type", "\"static\""),
        (#""ipam": {"type": "dhcp", "request": [{"option": "hostname"}]}"#, "ipam.request", "hostname"),
        (#""vlan": 7"#, "vlan", "7"),
        (#""vlanTrunk": [{"id": 7}]"#, "vlanTrunk", #"[{"id":7}]"#),
        (#""disableContainerInterface": true"#, "disableContainerInterface", "true"),
        (#""ipam": {"routes": [{"dst": "10.9.0.0/16", "mtu": 1400}]}"#, "ipam.routes[0].mtu", "1400"),
        (#""ipam": {"routes": [{"dst": "10.9.0.0/16", "advmss": 1300}]}"#, "ipam.routes[0].advmss", "1300"),
        (#""ipam": {"routes": [{"dst": "10.9.0.0/16", "table": 100}]}"#, "ipam.routes[0].table", "100"),
        (#""ipam": {"routes": [{"dst": "10.9.0.0/16", "scope": 253}]}"#, "ipam.routes[0].scope", "253"),
        (#""ipam": {"type": "dhcp", "routes": [{"dst": "10.9.0.0/16"}]}"#, "ipam.routes[0]", "10.9.0.0"),
    ])
    func `what cannot be done is refused`(members: String, key: String, value: String) {
        expectRefusal(2, key, value) { _ = try Requests.configuration(members) }
    }

    @Test func `drivers, and addresses that are nobody's`() throws {
        let configuration = try Requests.configuration(
            #""driver": "macvlan", "options": {"parent": "eth0"}, "subnet": "10.1.0.0/24", "exclude": ["10.1.0.7"]"#)
        #expect(configuration.driver == "macvlan" && configuration.options == ["parent": "eth0"])
        #expect(configuration.excluded.map(\.description) == ["10.1.0.7"])
        for (members, code, word) in [
            (#""driver": 5"#, 6, "driver"), (#""options": []"#, 6, "options"),
            (#""options": {"id": 7}"#, 6, "options.id"),
            (#""exclude": ["x"]"#, 7, "exclude[0]"),
        ] {
            expectRefusal(code, word) { _ = try Requests.configuration(members) }
        }
    }

    @Test func `ways out`() throws {
        for (members, isInternal, masquerades) in [
            ("", false, nil as Bool?), (#""isGateway": true, "ipMasq": true"#, false, true),
            (#""isGateway": false"#, true, nil), (#""isGateway": false, "ipMasq": false"#, true, false),
            (#""isGateway": true, "ipMasq": false"#, false, false), (#""internal": true"#, true, nil),
            (#""isDefaultGateway": true"#, false, nil), (#""vlan": 0, "macspoofchk": false"#, false, nil),
        ] {
            let configuration = try Requests.configuration(members)
            #expect(configuration.isInternal == isInternal, "\(members)")
            #expect(configuration.masquerades == masquerades, "\(members)")
        }
    }

    @Test func `addresses that an attachment asks for`() throws {
        let subnets = #""ipam": {"ranges": [[{"subnet": "10.1.0.0/16"}], [{"subnet": "fd00::/64"}]]}"#
        let asked = try Requests.configuration(
            "\(subnets), \"runtimeConfig\": {\"ips\": [\"10.1.0.9/16\", \"fd00::9\"], \"mac\": \"02:00:00:00:00:01\"}",
            arguments: "IP=10.1.0.7;MAC=02:00:00:00:00:03")
        #expect(asked.addresses.map(\.description) == ["10.1.0.9", "fd00::9"])
        #expect(asked.macAddress?.description == "02:00:00:00:00:01")
        // CONVENTIONS.md: who understands `args` ignores what CNI_ARGS says of the same.
        let given = try Requests.configuration(
            #""args": {"cni": {"ips": ["10.1.0.8"], "mac": "02:00:00:00:00:02", "labels": []}}"#,
            arguments: "IP=10.1.0.7;MAC=02:00:00:00:00:03")
        #expect(given.addresses.map(\.description) == ["10.1.0.8"])
        #expect(given.macAddress?.description == "02:00:00:00:00:02")
        for (members, code, word) in [
            (#""runtimeConfig": {"ips": ["10.1.0"]}"#, 7, "runtimeConfig.ips[0]"),
            (#""runtimeConfig": {"ips": "10.1.0.9"}"#, 6, "runtimeConfig.ips"),
            (#""runtimeConfig": {"ips": ["10.1.0.9", "10.1.0.9"]}"#, 7, "twice"),
            (#""runtimeConfig": {"ips": ["10.2.0.9"]}, "subnet": "10.1.0.0/16""#, 7, "outside of 10.1.0.0/16"),
            (#""runtimeConfig": {"ips": ["10.1.0.9", "10.1.0.8"]}, "subnet": "10.1.0.0/16""#, 7, "both of 10.1.0.0/16"),
            (#""runtimeConfig": {"mac": "ff:ff:ff:ff:ff:ff"}"#, 7, "ff:ff:ff:ff:ff:ff"),
            (#""runtimeConfig": {"mac": "02-00"}"#, 7, "runtimeConfig.mac"),
        ] {
            expectRefusal(code, word) { _ = try Requests.configuration(members) }
        }
    }

    @Test func `ports, joined to ranges`() throws {
        let list = (0..<1000).map { #"{"hostPort": \#(8000 + $0), "containerPort": \#(9000 + $0)}"# }
        let many = try Requests.configuration(
            #""runtimeConfig": {"portMappings": [\#(list.joined(separator: ", "))]}"#)
        #expect(many.ports.map(\.hostPorts.description) == ["8000-8999"])
        #expect(many.ports.map(\.sandboxPorts.description) == ["9000-9999"])
        let some = try Requests.configuration(
            #"""
            "runtimeConfig": {"portMappings": [
                {"hostPort": 80, "containerPort": 80, "protocol": "TCP", "hostIP": ""},
                {"hostPort": 81, "containerPort": 90, "protocol": "tcp"},
                {"hostPort": 82, "containerPort": 91, "protocol": "udp"},
                {"hostPort": 83, "containerPort": 92, "protocol": "udp", "hostIP": "127.0.0.1"},
                {"hostPort": 65535, "containerPort": 65535, "protocol": "sctp", "hostIP": "::"}]}
            """#)
        #expect(some.ports.map(\.hostPorts.description) == ["80", "81", "82", "83", "65535"])
        #expect(some.ports.map(\.transport) == ["tcp", "tcp", "udp", "udp", "sctp"])
        #expect(some.ports.map(\.hostAddress?.description) == [nil, nil, nil, "127.0.0.1", "::"])
        for (entry, code, word) in [
            (#"{"hostPort": 0, "containerPort": 80}"#, 7, "portMappings[0].hostPort"),
            (#"{"hostPort": 80}"#, 7, "portMappings[0].containerPort"), (#"{"containerPort": 80}"#, 7, "hostPort"),
            (#"{"hostPort": "80", "containerPort": 80}"#, 6, "hostPort"),
            (#"{"hostPort": 80, "containerPort": 65536}"#, 7, "65536"), ("80", 6, "portMappings[0]"),
            (#"{"hostPort": 80, "containerPort": 80, "protocol": "icmp"}"#, 7, "icmp"),
            (#"{"hostPort": 80, "containerPort": 80, "hostIP": "lo"}"#, 7, "hostIP"),
        ] {
            expectRefusal(code, word) {
                _ = try Requests.configuration(#""runtimeConfig": {"portMappings": [\#(entry)]}"#)
            }
        }
    }

    @Test func `names, bandwidth and resolvers of the runtime`() throws {
        let names = { (value: String) throws(CNIError) in
            try Requests.configuration(#""runtimeConfig": {"aliases": \#(value)}"#).aliases
        }
        #expect(try names(#"["my-container", "primary_db.lab"]"#) == ["my-container", "primary_db.lab"])
        #expect(try names(#"{"dbnet": ["db"], "other": ["x"]}"#) == ["db"])
        #expect(try names(#"{"other": ["x"]}"#).isEmpty)
        for value in [#"[""]"#, #"["-a"]"#, #"["a b"]"#, #"["a..b"]"#, "[\"\(String(repeating: "a", count: 64))\"]"] {
            expectRefusal(7, "runtimeConfig.aliases") { _ = try names(value) }
        }
        expectRefusal(6, "runtimeConfig.aliases[0]") { _ = try names("[1]") }

        let bandwidth = { (value: String) throws(CNIError) in
            try Requests.configuration(#""runtimeConfig": {"bandwidth": \#(value)}"#).bandwidth
        }
        let limits = try bandwidth(
            #"{"ingressRate": 2048, "ingressBurst": 1600, "egressRate": 4096, "egressBurst": 1600}"#)
        #expect(limits?.ingressRate == 2048 && limits?.egressRate == 4096 && limits?.egressBurst == 1600)
        #expect(try bandwidth(#"{"ingressRate": 0}"#) == nil)
        #expect(try bandwidth("{}") == nil)
        expectRefusal(7, "ingressRate") { _ = try bandwidth(#"{"ingressRate": 2048}"#) }
        expectRefusal(7, "egressRate") { _ = try bandwidth(#"{"egressBurst": 2048}"#) }
        expectRefusal(7, "egressRate") { _ = try bandwidth(#"{"egressRate": -1, "egressBurst": 1}"#) }
        expectRefusal(6, "bandwidth") { _ = try bandwidth("5") }

        let dns = try Requests.configuration(
            #""dns": {"nameservers": ["10.1.0.1"], "domain": "lab"}, "runtimeConfig": {"dns": {"servers": ["8.8.8.8"], "searches": ["corp.lab"]}}"#
        ).dns
        #expect(dns.servers == ["8.8.8.8"] && dns.search == ["corp.lab"] && dns.domain == "lab")
        expectRefusal(7, "runtimeConfig.dns.servers") {
            _ = try Requests.configuration(#""runtimeConfig": {"dns": {"servers": ["x"]}}"#)
        }
    }
}
