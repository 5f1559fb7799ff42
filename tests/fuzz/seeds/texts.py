# SPDX-License-Identifier: BSD-3-Clause
"""Configurations, requests, records and values as people and the appliance write them."""
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[3]

EVERYTHING = {
    "dataplane": {"worker_cores": [1, 3], "control_core": 0, "hot_cache": "on", "hot_contexts": 64,
                  "stay_hot": "1.5ms", "idle_sleep": False, "sweep_budget": "20us", "control_socket": "/run/t/c.sock"},
    "tariff": {"per_frame": 16, "per_64_bytes": 1},
    "billing": {"directory": "/var/lib/t", "interval": "60s"},
    "classes": {
        "a": {"bid": 1000, "weight": 3, "pinned": True, "rate": "1Mpps", "burst": "1ms"},
        "b": {"bid": 1.5, "rate": "2.5Gbit/s", "rate_layer": "l1", "burst": "64KiB", "on_full": {"hold": "100us"}},
        "c": {"bid": 2, "on_full": "drop"},
    },
    "tenants": {
        "t": {
            "budget": {"credits_per_second": 5000, "burst": 10000}, "mac_learning": True, "unknown_unicast": "flood",
            "interfaces": {
                "x": {"mac": "02:00:00:00:00:01", "class": "a", "socket": "/s/x", "mode": "client", "queue_pairs": 8,
                      "source_mac_check": False},
                "y": {"count": 3, "mac": "02:00:00:00:ff:fe", "class": "b", "socket": "/s/%d.y", "rate": "1Gbit/s"},
            },
        },
        "u": {"interfaces": {"x": {"mac": "02:00:00:00:00:01", "class": "c", "socket": "/u/x", "rate": "1Gbit/s",
                                   "burst": "2000B"}}},
    },
}


def changed(**changes):
    """The whole configuration with some values replaced: PART_KEY=value of the first that has it."""
    text = json.dumps(EVERYTHING)
    for old, new in changes.values():
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.encode()


LEAST = b'{"classes":{"g":{"bid":2}},"tenants":{"a":{"interfaces":{"v":{"mac":"02:00:00:00:00:01",' \
        b'"class":"g","socket":"/v"}}}}}'
NETWORKS = b'{"classes":{"g":{"bid":2,"flood_rate":"100pps"}},"uplinks":{"w":{"device":"net_tap0,iface=w","queues":2,' \
           b'"mtu":9000,"rx_descriptors":64},"p":{"device":"0000:03:00.0"}},"tenants":{"a":{"network":{"uplink":"w",' \
           b'"vlan":100},"mac_learning":{"age":"10s","per_interface":3,"per_tenant":5},"interfaces":{"v":{' \
           b'"mac":"02:00:00:00:00:01","macs":["02:00:00:00:00:50"],"class":"g","socket":"/v"}}},' \
           b'"b":{"network":{"uplink":"w","vlan":7}},"c":{"network":{"uplink":"p"}}}}'
EDITS = (
    [{"edit": "add", "kind": "interface", "name": "t/z",
      "fields": {"mac": "02:00:00:00:00:77", "class": "a", "socket": "/s/z"}}],
    [{"edit": "set", "kind": "interface", "name": "t/y1", "fields": {"class": "c"}}],
    [{"edit": "remove", "kind": "interface", "name": "t/y2"}, {"edit": "remove", "kind": "tenant", "name": "u"}],
    [{"edit": "set", "kind": "class", "name": "a", "fields": {"weight": None, "bid": 3}}],
    [{"edit": "set", "kind": "tariff", "fields": {"per_frame": 1}}],
    [{"edit": "remove", "kind": "class", "name": "nobody's"}], [{"edit": 7}], {}, [],
)


def config_seeds():
    yield "demo", (ROOT / "config/demo.json").read_bytes()
    yield "everything", json.dumps(EVERYTHING).encode()
    yield "least", LEAST
    yield "no_interfaces", b'{"classes":{"g":{"bid":2}},"tenants":{"a":{"interfaces":{}}}}'
    yield "uplinks", b'{"classes":{"g":{"bid":2}},"uplinks":{"w":{"device":"x"}},"tenants":{}}'
    yield "networks", NETWORKS
    yield "vlan_twice", NETWORKS.replace(b'"vlan":7', b'"vlan":100')
    yield "changed", changed() + b"\0" + changed(a=('"weight": 3', '"weight": 4'),
                                                 b=('"queue_pairs": 8', '"queue_pairs": 2'),
                                                 c=('"100us"', '"5ms"'), d=('"class": "c"', '"class": "a"'))
    yield "changed_to_less", changed() + b"\0" + LEAST
    yield "changed_to_more", LEAST + b"\0" + NETWORKS
    for number, edits in enumerate(EDITS):
        yield f"edited_{number}", changed() + b"\0" + json.dumps(edits).encode()
    yield "same_socket", changed(a=('"/u/x"', '"/s/x"'))
    yield "same_mac", changed(a=("ff:fe", "00:00"))
    yield "same_name", changed(a=('"x": {"mac"', '"y1": {"mac"'))
    yield "control_socket_twice", changed(a=('"/u/x"', '"/run/t/c.sock"'))
    yield "too_many_pins", changed(a=('"hot_contexts": 64', '"hot_contexts": 7'))
    yield "last_mac", changed(a=("02:00:00:00:ff:fe", "fe:ff:ff:ff:ff:fe"), b=('"count": 3', '"count": 2'))
    yield "many", changed(a=('"count": 3', '"count": 300'))
    yield "burst_too_small", changed(a=('"2000B"', '"1517B"'))
    yield "unknown_key", changed(a=('"weight"', '"gravity"'))
    yield "unknown_class", changed(a=('"class": "c"', '"class": "\\u001b[31m"'))
    yield "missing_key", changed(a=('"class": "c", ', ""))
    yield "wrong_type", changed(a=('"l1"', "1"))
    yield "wrong_unit", changed(a=('"1.5ms"', '"1.5 parsec"'))
    yield "not_utf8", changed(a=('"t"', '"T"'))[:40] + b"\xff\xfe"
    yield "nul", b'{"classes":{"a\\u0000b":{}}}'
    yield "overflow", b'{"tariff":{"per_frame":99999999999999999999}}'
    yield "duplicate", b'{"classes":{},"classes":{}}'
    yield "deep", b"[" * 3000
    yield "empty", b""
    yield "long_key", b'{"' + b"k\xc2\x80" * 90 + b'":1}'


REQUESTS = [
    {"command": "show", "what": "interfaces"}, {"command": "stop"}, {"command": "echo", "a": [1, 2.5, None, True]},
    {"command": "move", "tenant": "acme", "worker": 1, "interface": "vm1", "queue_pair": 0},
    {"command": "bill", "from": "2026-11-01", "to": "-1h"}, {"command": "promise", "what": "x"},
]


def request_seeds():
    for request in REQUESTS:
        yield request["command"], json.dumps(request).encode()
    yield "no_command", b'{"what":"interfaces"}'
    yield "array", b'["command"]'
    yield "number", b'{"command":7}'
    yield "text", b"show interfaces"
    yield "twice", b'{"command":"echo","command":"echo"}'
    yield "controls", b'{"command":"\\u001b[2J\\u0000"}'
    yield "not_utf8", b'{"command":"\xff"}'
    yield "long", b'{"command":"' + b"\xc3\xa4" * 300 + b'"}'
    yield "surrogate", b'{"command":"echo","x":"\\ud800"}'
    yield "cut_character", b'{"command":"' + b"a" + b"\xe2\x82\xac" * 200 + b'"}'


def stream_seeds():
    lines = b"".join(json.dumps(request).encode() + b"\n" for request in REQUESTS)
    for name, how, cuts in (("whole", 0, [255] * 8), ("bytes", 0, [0] * 8), ("parts", 3, [1, 5, 9, 40, 0, 2, 200, 7]),
                            ("late_reader", 1, [80] * 8)):
        yield name, bytes([how, *cuts]) + lines
    yield "cut_off", bytes([0, *[30] * 8]) + lines[:-9]
    yield "empty_lines", bytes([2, *[3] * 8]) + b"\n\n{}\n[]\n" + b"\n" * 50
    yield "promises", bytes([2, *[20] * 8]) + b'{"command":"promise"}\n' * 6
    yield "silent", bytes(9)


RECORD = '{"run":"5-77","number":3,"begin":"2026-11-03T14:30:00Z","end":"2026-11-03T14:31:00.250Z","charges":' \
         '[["acme","vm1","gold",16016,1001,64064],["umbra","a.b-c_9","bronze",9223372036854775807,0,7]]}'
QUIET = '{"run":"5-77","number":4,"begin":"2026-12-03T14:30:00Z","end":"2026-12-03T14:30:00Z","charges":[]}'


def record_seeds():
    yield "whole", RECORD.encode() + b"\n"
    yield "quiet", QUIET.encode()
    yield "same_twice", RECORD.replace("umbra", "acme").replace("a.b-c_9", "vm1").replace("bronze", "gold").encode()
    for name, old, new in (("backwards", "14:31", "14:29"), ("negative", "16016", "-1"), ("real", "1001", "1.5"),
                           ("name", "vm1", "v/m"), ("long_run", "5-77", "5" * 60), ("number", ":3,", ":-3,"),
                           ("short", ',7]', "]"), ("last", "2026-11-03T14:31:00.250Z", "9999-12-31T23:59:59.999Z")):
        yield name, RECORD.replace(old, new, 1).encode()
    yield "torn", RECORD[:100].encode()


LEDGER_11, LEDGER_12, CURRENT, OTHER_CURRENT, LEDGER_1970, CURRENT_UNNAMED, LEDGER_UNNAMED, NEW = range(8)


def files(*named):
    return b"".join(struct.pack("<BH", which, len(data)) + data for which, data in
                    ((which, text.encode()) for which, text in named))


def ledger_seeds():
    line = RECORD + "\n"
    another = line.replace("number\":3", "number\":9")
    yield "empty", b""
    yield "ledger", files((LEDGER_11, line + another), (LEDGER_12, QUIET + "\n"))
    yield "left_over", files((LEDGER_11, another), (CURRENT, line), (NEW, line[:50]))
    yield "left_over_twice", files((LEDGER_11, line), (CURRENT, line), (OTHER_CURRENT, another))
    yield "torn", files((LEDGER_11, line + line[:70]))
    yield "torn_but_whole", files((LEDGER_11, line + RECORD), (CURRENT, another))
    yield "damaged", files((LEDGER_11, "\n\n{}\n" + line + "x\n"), (CURRENT_UNNAMED, "rubbish"),
                          (LEDGER_UNNAMED, line))
    yield "no_end", files((CURRENT, RECORD))
    yield "over_two_lines", files((CURRENT, line.replace(',"end"', '\n,"end"')))
    yield "quiet_left_over", files((CURRENT, QUIET), (LEDGER_1970, QUIET))
    yield "before", files((CURRENT, line.replace("2026", "1970")), (LEDGER_1970, line))


def text_seeds():
    yield "values", "\n".join((
            "2Gbit/s", "12.5 Mbit/s", "1000kpps", "100us", "1.5ms", "0s", "64KiB", "1.5MiB", "18446744073709551615B",
            "18446744073709551616ns", "99999999Tbit/s", "1.", ".5s", "0.1B", "0.000000001s", "2 parsec", "5",
            "2026-11-03",
            "2026-11-03T14:30:05.250Z", "2024-02-29 23:59", "2026-02-29", "-90s", "-7d", "-999999999999d",
            "9999-12-31T23:59:59.999Z", "64", "64,128,1024", "60-9018", "imix", "1,1,1,1,1,1,1,60,1", "full", "none",
            "1Mpps/total", "10Gbit/s/device", "1e400pps", "on-off:10ms,1s", "poisson", "random:zipf",
            "random:zipf:1.1",
            "pairs", "macswap", "payload")).encode()


DICTIONARY_WORDS = ["{", "}", "[", "]", ":", ",", '"', "true", "false", "null", "-1", "1.5", "0", "\\u0000", "\\u001b",
                    "02:00:00:00:00:01", "%d", "ns", "us", "ms", "bit/s", "pps", "KiB", "drop", "hold", "flood",
                    "client"]


def keys(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)


def config_words():
    return [f'"{key}":' for key in dict.fromkeys(keys(EVERYTHING))] + DICTIONARY_WORDS


def control_words():
    return [f'"{word}"' for word in ("command", "echo", "promise", "show", "what")] + DICTIONARY_WORDS[:15] + ["\n"]


def ledger_words():
    return ['"run":', '"number":', '"begin":', '"end":', '"charges":', "2026-11-03T14:30:00Z",
            '["acme","vm1","gold",1,2,3]',
            "1970-01-01T00:00:00Z", "9223372036854775807", "\n", RECORD[:40]] + DICTIONARY_WORDS[:9]


def text_words():
    return ["bit/s", "kbit/s", "Gbit/s", "Tbit/s", "pps", "Mpps", "ns", "us", "ms", "s", "B", "KiB", "GiB", "imix",
            "full",
            "none", "/total", "/device", "on-off:", "poisson", "constant", "random:", "zipf", "star", "wheel", "all",
            "2026-11-03T14:30:05.250Z", "-1h", "4294967295", "18446744073709551615", "0.000", ","]
