#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The schema and the parser agree: both accept every good file, both refuse every bad one.

usage: schema_test.py PATH_OF_TURNPIKE SOURCE_ROOT

What only the parser can see is listed apart, with the words of its message; there the schema is
expected to accept, so that the list stays honest.
"""
import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

turnpike, root = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
schema = json.loads((root / "config/schema.json").read_text())
demo = json.loads((root / "config/demo.json").read_text())
VM1 = "tenants/acme/interfaces/vm1"
POD = "tenants/acme/interfaces/pod"
GONE = object()
NETWORK = "tenants/acme/network"
WAN0 = {"device": "net_tap0"}
TUNNEL = {"uplink": "wan0", "vni": 5000}
PEER = {"address": "192.0.2.7"}
LONG = "/" + "x" * 106

# (path, value): the demo with this one change is good
GOOD = [
    ("$schema", GONE), ("dataplane", GONE), ("tariff", GONE), ("dataplane", {}), ("tariff", {}),
    ("dataplane/worker_cores", [0]), ("dataplane/worker_cores", list(range(128))),
    ("dataplane/worker_cores", [1023, 0]), ("dataplane/worker_cores", [1.0]),
    ("dataplane/control_core", 0), ("dataplane/hot_contexts", 1048576),
    ("dataplane/hot_cache", "on"), ("dataplane/hot_cache", "off"),
    ("dataplane/stay_hot", "0us"), ("dataplane/stay_hot", "10s"),
    ("dataplane/idle_sleep", False),
    ("dataplane/control_socket", "/run/c"), ("tariff/per_frame", 0),
    ("billing", {}), ("billing", {"directory": "/var/lib/x", "interval": "1s"}),
    ("billing", {"interval": "3600s"}), ("billing", {"directory": "/" + "x" * 1023}),
    ("process", {}), ("process", {"user": "turnpike"}), ("process", {"user": "a", "group": "b"}),
    ("process", {"system_call_filter": "off"}), ("sockets", {}), ("sockets", {"guests": {}}),
    ("sockets", {"guests": {"owner": "a", "group": "b.c", "permissions": "0666"}}),
    ("sockets", {"control": {"group": "x" * 32, "permissions": "0200"}}),
    ("tenants/acme/sockets", {"group": "kvm"}), ("tenants/acme/sockets", {}),
    ("tariff/per_frame", 1000000), ("classes/gold/bid", 1.001), ("classes/gold/bid", 1000),
    ("classes/gold/weight", GONE), ("classes/gold/weight", 1000), ("classes/gold/weight", 3.0),
    ("classes/gold/pinned", False), ("classes/gold/rate", "13kbit/s"),
    ("classes/gold/rate", "1.5 Gbit/s"), ("classes/gold/rate", "12144bit/s"),
    ("classes/gold/rate", "1pps"), ("classes/gold/rate", "1.5 kpps"),
    ("classes/gold/rate", "1000Mpps"), ("classes/bronze/burst", "64KiB"),
    ("classes/bronze/burst", "1.5 MiB"), ("classes/bronze/burst", "20000B"),
    ("classes/bronze/burst", "10ms"), ("classes/bronze/rate_layer", "l1"),
    ("classes/bronze/rate_layer", "l2"), ("dataplane/sweep_budget", "1us"),
    ("dataplane/sweep_budget", "10ms"), (VM1 + "/rate", "5kpps"), (VM1 + "/rate", "1Gbit/s"),
    ("classes/gold/on_full", "drop"), ("classes/gold/on_full", {"hold": "10s"}),
    ("classes/gold/on_full", {"hold": "0.5us"}), ("classes/" + "x" * 32, {"bid": 2}),
    ("classes/A-b_c.9", {"bid": 2}), ("tenants/none", {}), ("tenants/none", {"interfaces": {}}),
    ("tenants/acme/budget", GONE), ("tenants/acme/mac_learning", True),
    ("tenants/acme/unknown_unicast", "drop"), (VM1 + "/mode", "client"),
    (VM1 + "/mode", "server"), (VM1 + "/queue_pairs", 8), (VM1 + "/source_mac_check", False),
    (VM1 + "/mac", "aA:bB:cC:dD:eE:fF"), (VM1 + "/mac", "00:00:00:00:00:01"),
    (VM1 + "/socket", LONG), (VM1 + "/socket", "/run/.../s"), (VM1 + "/socket", "/run/%s"),
    ("uplinks", {}), ("uplinks", {"wan0": WAN0}), ("dataplane/uplink_nap", "0us"),
    ("uplinks", {"wan0": {"device": "0000:03:00.0", "queues": 64, "mtu": 9600}}),
    ("uplinks", {"wan0": {"device": "03:00.0,x=1", "rx_descriptors": 64, "tx_descriptors": 32768},
                 "b": WAN0}),
    (NETWORK, {"uplink": "wan0"}), (NETWORK, {"uplink": "wan0", "vlan": 1}),
    (NETWORK, {"uplink": "wan0", "vlan": 4094}),
    (NETWORK, {"uplink": "wan0", "trunk": [1, "10-4094"]}), (NETWORK, {**TUNNEL, "remotes": [PEER]}),
    (NETWORK, {"uplink": "wan0", "service_vlan": 4094, "vlan": 1}),
    (NETWORK, {"uplink": "wan0", "service_vlan": 1, "trunk": [1]}), (NETWORK, TUNNEL),
    (NETWORK, {**TUNNEL, "trunk": ["5-6"], "mtu": 1446, "remotes": [
        {**PEER, "macs": ["02:00:00:00:00:99"], "flood": False}]}),
    ("uplinks", {"wan0": {**WAN0, "offloads": "none"}, "b": {"device": "net_b", "offloads": []},
                 "c": {"device": "net_c", "offloads": ["rss", "vlan_insert"]}}),
    ("uplinks", {"wan0": {**WAN0, "steering": "auto"}, "b": {"device": "net_b", "steering": "off"}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {"address": "2001:db8::1/64", "gateway": "fe80::1",
                                            "port": 65535, "vlan": 4094}}}),
    (POD + "/count", 1), (POD + "/count", 60000), (POD + "/socket", "/%s/%d/%"),
]

# both refuse the demo with this one change
BAD = [
    ("classes", GONE), ("tenants", GONE), ("classes", {}), ("tenants", {}), ("klass", {}),
    ("uplinks", []), ("uplinks", None), ("tenants/acme/network", {}), ("$schema", 1),
    ("uplinks", {"wan0": {}}), ("uplinks", {"wan 0": WAN0}), ("uplinks", {"wan0": "net_tap0"}),
    ("uplinks", {"wan0": {"device": "eth0"}}), ("uplinks", {"wan0": {"device": "0000:03:00"}}),
    ("uplinks", {"wan0": {"device": "net_tap0 iface"}}), ("uplinks", {"wan0": {"device": 3}}),
    ("uplinks", {"wan0": {"device": "net_tap0,a\nb"}}),
    ("uplinks", {"wan0": {**WAN0, "queues": 0}}), ("uplinks", {"wan0": {**WAN0, "queues": 65}}),
    ("uplinks", {"wan0": {**WAN0, "mtu": 67}}), ("uplinks", {"wan0": {**WAN0, "mtu": 9601}}),
    ("uplinks", {"wan0": {**WAN0, "rx_descriptors": 63}}),
    ("uplinks", {"wan0": {**WAN0, "tx_descriptors": 32769}}),
    ("uplinks", {"wan0": {**WAN0, "speed": 1}}), ("dataplane/uplink_nap", 50),
    ("dataplane/uplink_nap", "50"), (NETWORK, {"uplink": 1}), (NETWORK, {"vlan": 1}),
    (NETWORK, "wan0"), (NETWORK, {"uplink": "wan0", "vlan": 0}),
    (NETWORK, {"uplink": "wan0", "vlan": 4095}), (NETWORK, {"uplink": "wan0", "vlan": "1"}),
    (NETWORK, {"uplink": "wan0", "tag": 1}), (NETWORK, {"uplink": "wan0", "trunk": []}),
    (NETWORK, {"uplink": "wan0", "trunk": [0]}), (NETWORK, {"uplink": "wan0", "trunk": ["x"]}),
    (NETWORK, {"uplink": "wan0", "trunk": [1], "vlan": 1}), (NETWORK, {**TUNNEL, "vni": 0}),
    (NETWORK, {**TUNNEL, "vni": 1 << 24}), (NETWORK, {**TUNNEL, "vlan": 1}),
    (NETWORK, {**TUNNEL, "service_vlan": 1}), (NETWORK, {**TUNNEL, "remotes": []}),
    (NETWORK, {**TUNNEL, "remotes": [{}]}), (NETWORK, {**TUNNEL, "remotes": PEER}),
    (NETWORK, {**TUNNEL, "remotes": [{**PEER, "macs": "02:00:00:00:00:99"}]}),
    (NETWORK, {**TUNNEL, "remotes": [{**PEER, "macs": ["03:00:00:00:00:99"]}]}),
    (NETWORK, {**TUNNEL, "remotes": [{**PEER, "flood": 1}]}),
    (NETWORK, {"uplink": "wan0", "remotes": [PEER]}),
    (NETWORK, {"uplink": "wan0", "service_vlan": 4095}), (NETWORK, {**TUNNEL, "mtu": 67}),
    ("uplinks", {"wan0": {**WAN0, "offloads": "all"}}),
    ("uplinks", {"wan0": {**WAN0, "offloads": ["tso"]}}),
    ("uplinks", {"wan0": {**WAN0, "offloads": ["rss", "rss"]}}),
    ("uplinks", {"wan0": {**WAN0, "steering": "on"}}),
    ("uplinks", {"wan0": {**WAN0, "steering": True}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {}}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {"address": "192.0.2.1"}}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {"address": "192.0.2.1/24", "port": 0}}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {"address": "192.0.2.1/24", "vlan": 4095}}}),
    ("uplinks", {"wan0": {**WAN0, "vxlan": {"address": "192.0.2.1/24", "gateway": "a/b"}}}),
    ("dataplane", []), ("dataplane/cores", [1]), ("dataplane/worker_cores", []),
    ("dataplane/worker_cores", list(range(129))), ("dataplane/worker_cores", [1, 1]),
    ("dataplane/worker_cores", [-1]), ("dataplane/worker_cores", [1024]),
    ("dataplane/worker_cores", ["1"]), ("dataplane/worker_cores", [0.5]),
    ("dataplane/control_core", -1), ("dataplane/control_core", 1024),
    ("dataplane/hot_contexts", 0), ("dataplane/hot_contexts", 1048577),
    ("dataplane/hot_contexts", 1.5), ("dataplane/control_socket", "run/c"),
    ("dataplane/hot_cache", True), ("dataplane/hot_cache", "yes"), ("dataplane/stay_hot", 2),
    ("dataplane/sweep_budget", 20), ("dataplane/sweep_budget", "20"),
    ("dataplane/stay_hot", "2"), ("dataplane/idle_sleep", "off"),
    ("billing", None), ("billing", []), ("billing", {"path": "/x"}), ("billing", {"directory": 1}),
    ("billing", {"directory": "ledger"}), ("billing", {"directory": "/a/../b"}),
    ("billing", {"directory": "/"}), ("billing", {"directory": "/" + "x" * 1024}),
    ("billing", {"interval": 60}), ("billing", {"interval": "60"}),
    ("billing", {"interval": "1min"}),
    ("process", None), ("process", {"user": ""}), ("process", {"user": 0}),
    ("process", {"user": "a:b"}), ("process", {"group": "b"}), ("process", {"uid": 1}),
    ("process", {"system_call_filter": True}), ("sockets", []), ("sockets", {"guest": {}}),
    ("sockets", {"guests": {"permissions": 660}}), ("sockets", {"guests": {"permissions": "660"}}),
    ("sockets", {"guests": {"permissions": "1660"}}), ("sockets", {"control": {"owner": "a b"}}),
    ("sockets", {"guests": {"permissions": "0460"}}), ("sockets", {"control": {"mode": "0600"}}),
    ("sockets", {"control": {"permissions": "0680"}}), ("tenants/acme/sockets", {"guests": {}}),
    ("tenants/acme/sockets", {"group": "x" * 33}), (VM1 + "/sockets", {}),
    ("dataplane/control_socket", ""), ("tariff/per_frame", -1), ("tariff/per_frame", 1000001),
    ("tariff/per_64_bytes", 0.5), ("tariff/per_byte", 1), ("classes/gold", None),
    ("classes/gold/bid", GONE), ("classes/gold/bid", 1), ("classes/gold/bid", 1000.01),
    ("classes/gold/bid", "16"), ("classes/gold/weight", 0), ("classes/gold/weight", 1001),
    ("classes/gold/weight", 1.5), ("classes/gold/pinned", 1), ("classes/gold/rate", 2000000),
    ("classes/gold/rate", "2000000"), ("classes/gold/rate", "2Gb/s"),
    ("classes/gold/rate", "-2Gbit/s"), ("classes/gold/rate", "2.Gbit/s"),
    ("classes/gold/rate", ".5Gbit/s"), ("classes/gold/rate", "2  Gbit/s"),
    ("classes/gold/rate", "2kframe/s"), ("classes/gold/rate", "2Gpps"),
    ("classes/bronze/burst", 65536), ("classes/bronze/burst", "64kB"),
    ("classes/bronze/burst", "64"), ("classes/bronze/rate_layer", 1),
    ("classes/bronze/rate_layer", "l3"), (VM1 + "/rate", 5), (VM1 + "/rate_layer", "l1"),
    ("classes/gold/rate", " 2Gbit/s"), ("classes/gold/on_full", "hold"),
    ("classes/gold/on_full", {}), ("classes/gold/on_full", {"hold": 100}),
    ("classes/gold/on_full", {"hold": "100"}), ("classes/gold/on_full", {"hold": "100min"}),
    ("classes/gold/on_full", {"hold": "1us", "drop": True}), ("classes/gold/price", 1),
    ("classes/" + "x" * 33, {"bid": 2}), ("classes/", {"bid": 2}), ("classes/a b", {"bid": 2}),
    ("tenants/a:b", {}), ("tenants/acme", []), ("tenants/acme/budget", {}),
    ("tenants/acme/budget/burst", GONE), ("tenants/acme/budget/burst", 0),
    ("tenants/acme/budget/burst", 10**15 + 1), ("tenants/acme/budget/credits_per_second", 1.5),
    ("tenants/acme/mac_learning", "yes"), ("tenants/acme/unknown_unicast", "hold"),
    ("tenants/acme/interfaces", []), ("tenants/acme/interfaces/a b", demo["tenants"]["acme"]
     ["interfaces"]["vm1"]), (VM1 + "/mac", GONE), (VM1 + "/class", GONE),
    (VM1 + "/socket", GONE), (VM1 + "/mac", "02:00:00:00:00"),
    (VM1 + "/mac", "02-00-00-00-00-01"), (VM1 + "/mac", "03:00:00:00:00:01"),
    (VM1 + "/mac", "00:00:00:00:00:00"), (VM1 + "/mac", "02:00:00:00:00:0g"),
    (VM1 + "/class", ""), (VM1 + "/socket", "vm1.sock"), (VM1 + "/socket", "/run//s"),
    (VM1 + "/socket", "/run/./s"), (VM1 + "/socket", "/run/../s"), (VM1 + "/socket", "/run/"),
    (VM1 + "/socket", LONG + "x"), (VM1 + "/socket", "/run/%d"), (VM1 + "/mode", "both"),
    (VM1 + "/queue_pairs", 0), (VM1 + "/queue_pairs", 9), (VM1 + "/source_mac_check", 0),
    (VM1 + "/count", 2), (VM1 + "/vlan", 1), (POD + "/count", 0), (POD + "/count", 65537),
    (POD + "/socket", "/pod"), (POD + "/socket", "/%d/%d"),
]

# (path, value, words of the message): a schema cannot express it
PARSER_ONLY = [
    (VM1 + "/class", "silver", "accepted: the name of a class: realtime, gold, bronze"),
    (VM1 + "/mac", "02:00:00:00:00:02", "which interface vm1 has too"),
    (VM1 + "/socket", "/run/turnpike/umbra/phone1.sock", "which interface"),
    (VM1 + "/socket", "/run/turnpike/control.sock", "the control socket"),
    (VM1 + "/socket", "/" + "\u00e9" * 54, "at most 107 bytes"),
    (POD + "/socket", LONG[:-3] + "%d", "at most 107 bytes with the number 1999"),
    (POD + "/mac", "02:ff:ff:ff:ff:ff", "keeps the last MAC a unicast one"),
    ("tenants/acme/interfaces/pod1", {"mac": "02:00:00:00:09:09", "class": "gold",
     "socket": "/s"}, "found this name twice"),
    (POD + "/count", 65536, "at most 65536 interfaces in all"),
    ("dataplane/hot_contexts", 1, "queue pairs of pinned classes"),
    ("dataplane/uplink_nap", "11ms", "uplink_nap: found \"11ms\""),
    (NETWORK, {"uplink": "wan1"}, "network.uplink: found \"wan1\" (string); accepted: the name "
     "of an uplink: wan0"),
    (NETWORK, {**TUNNEL, "remotes": [{"address": "192.0.2.1"}]}, "which is this appliance"),
    (NETWORK, {**TUNNEL, "remotes": [{"address": "::7"}]}, "accepted: addresses of one family"),
    (NETWORK, {**TUNNEL, "remotes": [{"address": "198.51.100.7"}]}, "which is not in 192.0.2.1/24"),
    (NETWORK, {**TUNNEL, "mtu": 1451}, "network.mtu: found packets of 1451 bytes"),
    (NETWORK, {"uplink": "wan0", "vlan": 9}, "vlan: found 9, which its \"vxlan\" has on uplink"),
    (NETWORK, {"uplink": "wan0", "trunk": ["9-8"]}, "network.trunk[0]: found \"9-8\""),
    (NETWORK, {**TUNNEL, "remotes": [{**PEER, "macs": ["02:00:00:00:00:01"]}]},
     "remotes[0].macs: found 02:00:00:00:00:01 twice, an interface of the tenant has it too"),
    ("uplinks", {"a": WAN0, "b": {"device": "net_tap0,iface=x"}},
     "$.uplinks.b.device: found net_tap0, which uplink a has too"),
    ("uplinks", {"a": {"device": "0a:00.0"}, "b": {"device": "0000:0A:00.0"}},
     "$.uplinks.b.device: found 0000:0a:00.0, which uplink a has too"),
    ("dataplane/stay_hot", "11s", "stay_hot: found \"11s\""),
    ("dataplane/sweep_budget", "11ms", "sweep_budget: found \"11ms\""),
    ("classes/gold/rate", "0bit/s", "accepted: one frame of 1518 bytes a second or more"),
    ("classes/gold/rate", "1kbit/s", "12144bit/s to 100Tbit/s, or 1pps to 1000Mpps"),
    ("classes/gold/rate", "101Tbit/s", "12144bit/s to 100Tbit/s"),
    ("classes/gold/burst", "64KiB", "only together with a \"rate\""),
    ("classes/gold/rate_layer", "l1", "only together with a \"rate\" in bits"),
    ("classes/bronze/burst", "1KiB", "one frame or more: 1518B"),
    (VM1 + "/burst", "5ms", "only together with a \"rate\""),
    ("billing", {"interval": "3601s"}, "interval: found \"3601s\""),
    ("billing", {"interval": "999ms"}, "accepted: 1000000000ns to"),
    ("billing", {"directory": "/" + "\u00e9" * 600}, "at most 1024 bytes"),
    ("classes/gold/rate", "99999999999999999999Tbit/s", "more than 64 bits hold"),
    ("classes/gold/on_full", {"hold": "11s"}, "on_full.hold: found \"11s\""),
    ("classes/gold/on_full", {"hold": "0.5ns"}, "less than the smallest unit"),
]


def changed(path, value):
    config = copy.deepcopy(demo)
    if path == POD + "/socket" and value.startswith(LONG[:-3]):
        config["tenants"]["acme"]["interfaces"]["pod"]["count"] = 2000
    if path == NETWORK:
        config["uplinks"] = {"wan0": {**WAN0, "vxlan": {"address": "192.0.2.1/24", "vlan": 9}}}
    place = config
    *way, last = path.split("/", path.count("/"))
    for key in way:
        place = place[key]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return config


def schema_accepts(config):
    return jsonschema.Draft202012Validator(schema).is_valid(config)


def parser_says(config, directory):
    path = pathlib.Path(directory) / "test.json"
    path.write_text(json.dumps(config))
    ran = subprocess.run([turnpike, "check", path], capture_output=True, text=True, timeout=60)
    assert ran.returncode in (0, 1), ran
    return "" if ran.returncode == 0 else ran.stderr


def main():
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema_accepts(demo)
    wrong = []
    with tempfile.TemporaryDirectory() as directory:
        assert parser_says(demo, directory) == ""
        for path, value in GOOD:
            config = changed(path, value)
            if not schema_accepts(config) or parser_says(config, directory) != "":
                wrong.append(("must be accepted", path, value, schema_accepts(config),
                              parser_says(config, directory)))
        for path, value in BAD:
            config = changed(path, value)
            if schema_accepts(config) or parser_says(config, directory) == "":
                wrong.append(("must be refused", path, value, schema_accepts(config),
                              parser_says(config, directory)))
        for path, value, words in PARSER_ONLY:
            config = changed(path, value)
            if not schema_accepts(config) or words not in parser_says(config, directory):
                wrong.append(("only the parser refuses", path, value, schema_accepts(config),
                              parser_says(config, directory)))
    for line in wrong:
        print(*line)
    print(f"{len(GOOD)} good, {len(BAD)} bad, {len(PARSER_ONLY)} for the parser only: "
          f"{len(wrong)} wrong")
    return 1 if wrong else 0


sys.exit(main())
