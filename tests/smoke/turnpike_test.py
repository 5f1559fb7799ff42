#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The operator's command against an appliance that is played here, good and bad.

usage: turnpike_test.py PATH_OF_TURNPIKE SOURCE_ROOT
"""
import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

turnpike, root = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])

START = time.monotonic()
TRAFFIC = {"rx_frames": 1000, "rx_bytes": 64000, "tx_frames": 2000, "tx_bytes": 128000, "drops": 5}
ANSWERS = {
    "interfaces": [
        {"tenant": "acme", "name": "vm1", "class": "gold", "mac": "02:00:00:00:00:01",
         "socket": "/run/vm1.sock", "mode": "server", "state": "running", "reason": "",
         "queue_pairs": 1, "worker": 0, "residence": "hot", "memory_node": None,
         "counters": {"no_route": 5}, "colour": "red", **TRAFFIC},
        {"tenant": "acme", "name": "vm2", "class": "gold", "state": "listening",
         "reason": "bad \x1b[31m\u009b thing", **TRAFFIC}],
    "tenants": [{"name": "acme", "interfaces": 2, "running": 1, "learned_macs": 77,
                 "credit_sixteenths": -25, "demoted": True, **TRAFFIC},
                {"name": "umbra", "interfaces": 0, **TRAFFIC}],
    "classes": [{"name": "gold", "bid": 1.5, "weight": 8, "pinned": True,
                 "rate_bits_per_second": 2500000000, "rate_frames_per_second": 1500,
                 "on_full": "hold", "hold_ns": 100000,
                 "interfaces": 2, "running": 1, **TRAFFIC}],
    "drops": [{"name": "no_route", "help": "No such MAC.", "frames": 5,
               "uplink_frames": 7}],
    "workers": [{"worker": 0, "core": 1, "node": 3, "interfaces": 2, "sweeps": 9, "busy_sweeps": 3,
                 "busy_ns": 3, "hot": 2, "sleeps": 4, "frames": 3000, "busy_percent": 33.25}],
    "cache": [{"name": "gold", "pinned": 0, "hot": 2, "draining": 1, "waiting": 3, "cold": 7,
               "hits": 9, "misses": 8, "loads": 6, "write_backs": 5, "evictions": 4, "waits": 12}],
    "macs": [{"tenant": "acme", "mac": "02:00:00:00:00:50", "interface": "vm1", "kind": "learned",
              "age_seconds": 12}],
    "latency": [{"what": "frames", "name": "gold", "count": 5, "p50_ns": 950, "p90_ns": 1900,
                 "p99_ns": 2500, "p999_ns": 0, "most_ns": 3000000, "counts": [[950, 5]]}],
    "uplinks": [{"name": "wan0", "device": "net_null0", "driver": "net_null", "state": "up",
                 "reason": "", "mac": "02:00:00:00:00:09", "speed_bits_per_second": 10**10,
                 "mtu": 1500, "queues": 2, "steered": 6, "waiting": 3,
                 "counters": {"tagged": 4}, **TRAFFIC}],
    "summary": {"version": "0.1.0", "uptime_seconds": 3725, "vector": "avx2",
                "config": "/etc/demo.json"},
}

BILL = {
    "from": None, "to": None, "begin": "2026-11-03T14:30:00Z", "end": "2026-11-03T14:32:00.250Z",
    "intervals": 2, "interval_seconds": 60.0, "directory": "/var/lib/turnpike",
    "notes": ["something to \x1b[31m know"],
    "charges": [
        {"tenant": tenant, "interface": interface, "class": kind, "frames": frames,
         "bytes": 64 * frames, "sixteenths": sixteenths}
        for tenant, interface, kind, frames, sixteenths in (
            ("umbra", "vm1", "bronze", 4, 15), ("acme", "pod10", "bronze", 10, 160),
            ("acme", "pod2", "bronze", 7, 1), ("acme", "vm1", "gold", 100, 1609),
            ("acme", "vm1", "bronze", 1, 2**60))]}


def answer(request):
    if request["command"] == "bill":
        return {"ok": True, "result": BILL}
    if request["command"] == "stop":
        return {"ok": True, "result": {}}
    return {"ok": True, "result": ANSWERS[request["what"]]}


class Appliance(threading.Thread):
    """Serves one socket; `reply` makes the bytes to send from a request, None: stay silent."""

    def __init__(self, path, reply=lambda request: json.dumps(answer(request)).encode() + b"\n"):
        super().__init__(daemon=True)
        self.reply, self.requests, self.held = reply, [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.requests.append(json.loads(client.makefile().readline()))
            reply = self.reply(self.requests[-1])
            if reply is None:
                self.held.append(client)
                continue
            try:
                client.sendall(reply)
            except OSError:
                pass
            client.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()
        for client in self.held:
            client.close()


class Command(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = self.directory.name + "/control.sock"

    def serve(self, *reply):
        appliance = Appliance(self.path, *reply)
        self.addCleanup(appliance.close)
        return appliance

    def run_command(self, *arguments):
        return subprocess.run([turnpike, *arguments, "-s", self.path], capture_output=True,
                              text=True, timeout=30)

    def says(self, words, *arguments):
        ran = self.run_command(*arguments)
        self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran)
        self.assertIn(words, ran.stderr)

    def table(self, what):
        ran = self.run_command("show", what)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)
        return [re.split(r"  +", line) for line in ran.stdout.splitlines()]

    def test_check(self):
        demo = str(root / "config/demo.json")
        ran = self.run_command("check", demo)
        self.assertEqual((ran.returncode, ran.stdout),
                         (0, demo + ": 2 tenants, 6 interfaces, 3 classes: ok\n"))
        self.says("/nowhere: cannot be opened: No such file or directory", "check", "/nowhere")

    def test_plan(self):
        """The demo, and one that asks for more than any machine has."""
        demo = json.loads((root / "config/demo.json").read_text())
        demo["dataplane"] = {"worker_cores": [0]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(demo, file)
            file.flush()
            ran = self.run_command("plan", file.name)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)
            self.assertRegex(ran.stdout, r"(?m)^worker CPUs +1 +1 +yes ")
            self.assertRegex(ran.stdout, r"(?m)^descriptors +142 +\d+ +yes ")
            self.assertIn(": 6 interfaces on 1 worker: ", ran.stdout)
        demo["dataplane"] = {"worker_cores": [0, 1023]}
        pod = demo["tenants"]["acme"]["interfaces"]["pod"]
        pod.update(count=60000, queue_pairs=8)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(demo, file)
            file.flush()
            ran = self.run_command("plan", file.name, "-j")
            self.assertEqual((ran.returncode, ran.stderr), (1, ""), ran)
            rows = {row["resource"]: row for row in json.loads(ran.stdout)}
            self.assertEqual((rows["worker CPUs"]["needed"], rows["worker CPUs"]["here"]), (2, 1))
            self.assertFalse(rows["worker CPUs"]["enough"])
            self.assertGreater(rows["descriptors"]["needed"], 60000 * 26)
        self.says("/nowhere: cannot be opened: No such file or directory", "plan", "/nowhere")

    def test_usage(self):
        for arguments in ((), ("fly",), ("check",), ("plan",), ("show",),
                          ("show", "cars"), ("stop", "now"),
                          ("top", "-n", "0"), ("top", "-n", "x"), ("top", "-d", "0"),
                          ("top", "-d", "nan"), ("stop", "-j"), ("show", "drops", "-n", "2"),
                          ("check", "a", "b"), ("--fly",), ("bill", "now"), ("bill", "-n", "1"),
                          ("bill", "-j", "--csv"), ("show", "drops", "--csv"),
                          ("top", "--from", "-1h"), ("stop", "--by", "class")):
            ran = self.run_command(*arguments)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran)
            self.assertIn("turnpike: ", ran.stderr)

    def test_interfaces(self):
        self.serve()
        titles, first, second = self.table("interfaces")
        self.assertEqual(dict(zip(titles, first)), {
            "TENANT": "acme", "INTERFACE": "vm1", "CLASS": "gold", "MAC": "02:00:00:00:00:01",
            "STATE": "running", "WORKER": "0", "RESIDENCE": "hot",
            "RX-FRAMES": "1000", "RX-BYTES": "64000",
            "TX-FRAMES": "2000", "TX-BYTES": "128000", "DROPS": "5", "SOCKET": "/run/vm1.sock",
            "REASON": "-"})
        self.assertEqual(second[3], "-")
        self.assertNotIn("\x1b", second[-1])
        self.assertNotIn("\u009b", second[-1])

    def test_other_tables(self):
        self.serve()
        self.assertEqual(self.table("tenants")[1][:6], ["acme", "2", "1", "77", "-1.56", "yes"])
        self.assertEqual(self.table("tenants")[2][:6], ["umbra", "0", "-", "-", "-", "-"])
        self.assertEqual(
            self.table("classes")[1][:8],
            ["gold", "1.5", "8", "yes", "2.5 Gbit/s", "1.5 kpps", "hold", "100 us"])
        self.assertEqual(self.table("drops")[1], ["no_route", "5", "7", "No such MAC."])
        titles, worker = self.table("workers")
        self.assertEqual((titles[:3], worker[1:4]), (["WORKER", "CORE", "NODE"], ["0", "1", "3"]))
        self.assertIn("33.2%", " ".join(worker))
        self.assertEqual(self.table("cache")[1],
                         ["gold", "0", "2", "1", "3", "7", "9", "8", "6", "5", "4", "12"])
        self.assertEqual(self.table("macs")[1],
                         ["acme", "02:00:00:00:00:50", "vm1", "learned", "12"])
        self.assertEqual(self.table("latency")[1],
                         ["frames", "gold", "5", "950 ns", "1.9 us", "2.5 us", "-", "3 ms"])
        self.assertEqual(self.table("uplinks")[1],
                         ["wan0", "net_null0", "net_null", "up", "10 Gbit/s", "02:00:00:00:00:09",
                          "1500", "2", "6", "3", "1000", "64000", "2000", "128000", "5", "-"])
        self.assertIn(["uptime_seconds: 3725"], self.table("summary"))

    def test_json(self):
        self.serve()
        for what, expected in ANSWERS.items():
            ran = self.run_command("show", what, "-j")
            self.assertEqual(json.loads(ran.stdout), expected)

    def bill(self, *arguments):
        ran = self.run_command("bill", *arguments)
        self.assertEqual(ran.returncode, 0, ran)
        return ran

    def bill_rows(self, *arguments):
        lines = self.bill(*arguments).stdout.splitlines()
        return [re.split(r"  +", line.strip()) for line in lines[:-2]]

    def test_bill_by_tenant(self):
        self.serve()
        self.assertEqual(self.bill_rows(), [
            ["TENANT", "INTERFACES", "FRAMES", "BYTES", "CREDITS"],
            ["acme", "3", "118", "7552", "72057594037928046.63"],
            ["umbra", "1", "4", "256", "0.94"],
            ["total", "4", "122", "7808", "72057594037928047.56"]])
        self.assertEqual(self.bill_rows("--by", "tenant"), self.bill_rows())
        lines = self.bill().stdout.splitlines()
        self.assertEqual(lines[-2],
                         "from 2026-11-03T14:30:00Z to 2026-11-03T14:32:00.250Z, intervals: 2")
        self.assertEqual(lines[-1], "note: something to ?[31m know")

    def test_bill_by_class(self):
        self.serve()
        self.assertEqual(self.bill_rows("--by", "class"), [
            ["CLASS", "INTERFACES", "FRAMES", "BYTES", "CREDITS"],
            ["bronze", "4", "22", "1408", "72057594037927947.00"],
            ["gold", "1", "100", "6400", "100.56"],
            ["total", "4", "122", "7808", "72057594037928047.56"]])

    def test_bill_by_interface(self):
        self.serve()
        self.assertEqual([row[:4] for row in self.bill_rows("--by=interface")], [
            ["TENANT", "INTERFACE", "CLASS", "FRAMES"], ["acme", "pod2", "bronze", "7"],
            ["acme", "pod10", "bronze", "10"], ["acme", "vm1", "bronze", "1"],
            ["acme", "vm1", "gold", "100"], ["umbra", "vm1", "bronze", "4"],
            ["total", "-", "-", "122"]])

    def test_bill_as_csv(self):
        self.serve()
        ran = self.bill("--csv", "--by", "interface")
        self.assertEqual(ran.stdout.splitlines(), [
            "tenant,interface,class,frames,bytes,sixteenths,credits",
            "acme,pod2,bronze,7,448,1,0.0625", "acme,pod10,bronze,10,640,160,10.0000",
            f"acme,vm1,bronze,1,64,{2**60},{2**56}.0000",
            "acme,vm1,gold,100,6400,1609,100.5625", "umbra,vm1,bronze,4,256,15,0.9375"])
        self.assertEqual(ran.stderr, "note: something to ?[31m know\n")
        self.assertEqual(self.bill("--csv").stdout.splitlines()[2],
                         "umbra,1,4,256,15,0.9375")

    def test_bill_as_json(self):
        self.serve()
        bill = json.loads(self.bill("-j", "--by", "class").stdout)
        self.assertEqual(bill["by"], "class")
        self.assertEqual(bill["rows"][1], {"class": "gold", "interfaces": 1, "frames": 100,
                                           "bytes": 6400, "sixteenths": 1609})
        self.assertEqual(bill["total"], {"interfaces": 4, "frames": 122, "bytes": 7808,
                                         "sixteenths": 2**60 + 1785})
        for key in set(BILL) - {"charges"}:
            self.assertEqual(bill[key], BILL[key])

    def test_bill_of_nothing(self):
        empty = {**BILL, "begin": None, "end": None, "notes": [], "charges": [], "intervals": 0}
        self.serve(lambda request: json.dumps({"ok": True, "result": empty}).encode() + b"\n")
        self.assertEqual(self.bill().stdout.splitlines()[1:], [
            "total            0       0      0     0.00", "nothing was charged in that time"])
        self.assertEqual(self.bill("--csv").stdout,
                         "tenant,interfaces,frames,bytes,sixteenths,credits\n")

    def test_bill_of_a_time(self):
        appliance = self.serve()
        for arguments in (("--from", "-1h"), ("--to", "2026-11-03"),
                          ("--from", "2026-11-03T14:30", "--to", "2026-11-03T14:30:01Z")):
            self.bill(*arguments)
        self.assertEqual(appliance.requests, [
            {"command": "bill", "from": "-1h"}, {"command": "bill", "to": "2026-11-03"},
            {"command": "bill", "from": "2026-11-03T14:30", "to": "2026-11-03T14:30:01Z"}])

    def test_bill_of_a_bad_time(self):
        for words, arguments in (
                ('--from: found "yesterday"; accepted: a date or a date and time in UTC, '
                 '"2026-11-03"', ("--from", "yesterday")),
                ('--to: found "2026-02-30"; accepted: ', ("--to=2026-02-30",)),
                ('--to: found "-2h", which is not after "-1h"; accepted: a time after --from',
                 ("--from", "-1h", "--to", "-2h")),
                ('--by: found "guest"; accepted: tenant, class, interface', ("--by", "guest"))):
            ran = self.run_command("bill", *arguments)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran)
            self.assertIn(words, ran.stderr)

    def test_flush(self):
        appliance = self.serve(lambda request: b'{"ok":true,"result":{"forgotten":3}}\n')
        for words, asked in (([], {}), (["acme"], {"tenant": "acme"}),
                             (["acme/vm1"], {"tenant": "acme", "interface": "vm1"})):
            ran = self.run_command("flush", *words)
            self.assertEqual((ran.returncode, ran.stdout), (0, "forgotten: 3 learned MACs\n"))
            self.assertEqual(appliance.requests[-1], {"command": "flush", **asked})

    def test_stop(self):
        appliance = self.serve()
        self.assertEqual(self.run_command("stop").returncode, 0)
        self.assertEqual(appliance.requests, [{"command": "stop"}])

    def test_no_appliance(self):
        self.says(f"no appliance answers on {self.path}: No such file", "show", "drops")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.path)
        stale.close()
        self.says(f"no appliance answers on {self.path}: Connection refused", "stop")
        self.says(f"no appliance answers on {self.path}: ", "top")

    def test_refusal(self):
        self.serve(lambda request: b'{"ok":false,"error":"found nothing to show"}\n')
        self.says("turnpike: found nothing to show\n", "show", "drops")

    def test_bad_answers(self):
        replies = {b"": "hung up without an answer",
                   b'{"ok":true,"res': "hung up in the middle of its answer",
                   b"hello\n": "is not JSON", b"{}\n": "has neither a result nor an error",
                   b'{"ok":true}\n': "has neither a result nor an error"}
        current = []
        self.serve(lambda request: current[0])
        for reply, words in replies.items():
            current[:] = [reply]
            self.says(words, "show", "drops")
            self.says(words, "top")

    def test_odd_results(self):
        current = []
        self.serve(lambda request: b'{"ok":true,"result":' + current[0] + b"}\n")
        for result in (b"7", b"null", b"[]", b"[7]", b'[{"name":7,"rx_frames":"x"}]', b"{}",
                       b'{"charges":[7,{},{"tenant":7,"frames":"x"}],"notes":[7],"begin":7}'):
            current[:] = [result]
            for arguments in (("show", "drops"), ("show", "summary"), ("bill",),
                              ("bill", "--csv"), ("bill", "-j"),
                              ("top", "-n", "1", "-d", "0.1")):
                self.assertEqual(self.run_command(*arguments).returncode, 0, result)

    def test_silence(self):
        self.serve(lambda request: None)
        start = time.monotonic()
        self.says(f"the appliance on {self.path} did not answer within 5 s", "show", "drops")
        self.assertLess(time.monotonic() - start, 10)

    def test_long_answer(self):
        rows = [{"tenant": "acme", "name": f"pod{i}", **TRAFFIC} for i in range(20000)]
        self.serve(lambda request: json.dumps({"ok": True, "result": rows}).encode() + b"\n")
        self.assertEqual(len(self.table("interfaces")), 20001)

    def test_full_disk(self):
        self.serve()
        with open("/dev/full", "w", encoding="utf-8") as full:
            ran = subprocess.run([turnpike, "show", "drops", "-s", self.path], stdout=full,
                                 stderr=subprocess.PIPE, text=True, timeout=30)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("cannot be written", ran.stderr)

    def moving(self, request):
        """vm2 receives 1000 frames of 125 bytes, 1 Mbit, a second; vm1 nothing. The worker is
        busy a quarter of the time from now on."""
        reply = json.loads(json.dumps(answer(request)))
        if request["what"] == "interfaces":
            reply["result"][1]["rx_frames"] = int(time.monotonic() * 1000)
            reply["result"][1]["rx_bytes"] = int(time.monotonic() * 125000)
        if request["what"] == "workers":
            reply["result"][0]["busy_ns"] = 3 + int((time.monotonic() - START) * 25e7)
        return json.dumps(reply).encode() + b"\n"

    def test_top_in_a_pipe(self):
        self.serve(self.moving)
        ran = self.run_command("top", "-n", "2", "-d", "0.5")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)
        self.assertNotIn("\x1b", ran.stdout)
        self.assertEqual(ran.stdout.count("turnpike 0.1.0, /etc/demo.json, up 1:02:05"), 2)
        lines = ran.stdout.splitlines()
        self.assertEqual(len(re.findall(r"^ +0 +1 +2 +0  2[45]\.\d%$", ran.stdout, re.M)), 2)
        tables = [i for i, line in enumerate(lines) if line.startswith("TENANT")]
        self.assertEqual(len(tables), 2)
        for i in tables:
            busiest = re.split(r"  +", lines[i + 1])
            self.assertEqual(busiest[1], "vm2")
            scale = {"": 1, "k": 1000}[busiest[4].partition(" ")[2]]
            self.assertAlmostEqual(float(busiest[4].split()[0]) * scale, 1000, delta=200)
            self.assertRegex(busiest[5], r"^(\d\.?\d* M|\d+ k)bit/s$")
            self.assertEqual(re.split(r"  +", lines[i + 2])[1:5],
                             ["vm1", "gold", "running", "0"])

    def test_top_on_a_terminal(self):
        self.serve(self.moving)
        parent, child = pty.openpty()
        ran = subprocess.Popen([turnpike, "top", "-d", "0.2", "-s", self.path], stdout=child,
                               stderr=child)
        os.close(child)
        shown = b""
        try:
            while shown.count(b"\x1b[H") < 2:
                shown += os.read(parent, 65536)
            ran.send_signal(signal.SIGINT)
            self.assertEqual(ran.wait(10), 0)
            while True:
                try:
                    shown += os.read(parent, 65536)
                except OSError:
                    break
        finally:
            ran.kill()
            ran.wait()
            os.close(parent)
        self.assertTrue(shown.startswith(b"\x1b[?25l"))
        self.assertTrue(shown.endswith(b"\x1b[?25h"))
        self.assertNotIn(b"turnpike: ", shown)

    def test_top_ends_with_its_appliance(self):
        appliance = Appliance(self.path)
        ran = subprocess.Popen([turnpike, "top", "-d", "0.2", "-s", self.path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        appliance.close()
        os.unlink(self.path)
        _, said = ran.communicate(timeout=10)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no appliance answers on", said)


unittest.main(argv=sys.argv[:1])
