#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Command lines of turnpiked, good and bad, and the figures that its telemetry socket tells.

usage: commands_test.py PATH_OF_TURNPIKED PATH_OF_TURNPIKE
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

turnpiked, turnpike = (str(pathlib.Path(p).resolve()) for p in sys.argv[1:3])
HEAP = ["--no-huge", "-m", "160"]


class Commands(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="commands.")
        self.addCleanup(holder.cleanup)
        self.directory = pathlib.Path(holder.name)
        self.prefix = "--file-prefix=" + self.directory.name
        self.config = self.write()

    def write(self, sockets=None, **dataplane):
        sockets = sockets or self.directory
        dataplane["control_socket"] = f"{self.directory}/control.sock"
        path = self.directory / "config.json"
        path.write_text(json.dumps({
            "dataplane": dataplane, "classes": {"gold": {"bid": 16}},
            "tenants": {"acme": {"interfaces": {"vm": {
                "count": 2, "mac": "02:00:00:00:00:01", "class": "gold",
                "socket": f"{sockets}/vm%d.sock"}}}}}))
        return path

    def refused(self, *arguments):
        """The text of a run that must end by itself and badly, and leave no socket."""
        run = subprocess.run([turnpiked, *arguments], capture_output=True, text=True, timeout=60,
                             stdin=subprocess.DEVNULL, check=False)
        self.assertGreater(run.returncode, 0, run.stderr)
        self.assertEqual(list(self.directory.glob("*.sock")), [])
        return run.stderr

    def start(self, *eal, options=()):
        log = (self.directory / "log").open("w+")
        process = subprocess.Popen(
            [turnpiked, self.prefix, *eal, "--", "--config", str(self.config), *options],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(log.close)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        deadline = time.monotonic() + 30
        while "ready:" not in (self.directory / "log").read_text():
            self.assertIsNone(process.poll(), (self.directory / "log").read_text())
            self.assertLess(time.monotonic(), deadline, "not ready")
            time.sleep(0.02)
        return process

    def ended_well(self, process):
        self.assertEqual(process.wait(20), 0)
        self.assertEqual(list(self.directory.glob("*.sock")), [])

    def test_bad_command_lines(self):
        self.assertIn("--config FILE", self.refused())
        self.assertIn("/nowhere.json", self.refused("--config", "/nowhere.json"))
        self.assertIn("--nonsense", self.refused("--config", str(self.config), "--nonsense"))
        self.assertIn("Too many", self.refused("--config", str(self.config), "stray"))
        self.assertIn("EAL:", self.refused("--nonsense", self.prefix, "--", "--config",
                                           str(self.config)))
        self.assertIn("name more lcores", self.refused(
            self.prefix, *HEAP, "--lcores=0@0", "--", "--config", str(self.config)))
        self.assertIn("accepted: avx512, avx2, sse", self.refused(
            self.prefix, *HEAP, "--", "--config", str(self.config), "--vector", "nonsense"))

    def test_bad_configurations(self):
        self.write(worker_cores=[1000])
        self.assertIn("CPU 1000", self.refused("--config", str(self.config)))
        self.config.write_text('{"classes": {"gold": {"bid": "high"}}, "tenants": {}}')
        self.assertIn("$.classes.gold.bid", self.refused("--config", str(self.config)))
        self.write(sockets="/proc/nowhere")
        self.assertIn("/proc/nowhere", self.refused(
            self.prefix, *HEAP, "--", "--config", str(self.config)))

    def test_help_and_version(self):
        for option, text in (("--help", "EAL options"), ("--version", "turnpiked ")):
            run = subprocess.run([turnpiked, option], capture_output=True, text=True, timeout=20,
                                 check=True)
            self.assertIn(text, run.stdout)

    def test_ends_without_a_trace(self):
        for vector in ((), ("--vector", "sse")):
            process = self.start(*HEAP, options=vector)
            process.send_signal(signal.SIGTERM)
            self.ended_well(process)
        process = self.start(*HEAP)
        subprocess.run([turnpike, "--socket", f"{self.directory}/control.sock", "stop"],
                       check=True, timeout=20, capture_output=True)
        self.ended_well(process)

    def ask(self, client, command):
        client.send(command.encode())
        return json.loads(client.recv(65536))[command.split(",")[0]]

    def show(self, what):
        run = subprocess.run([turnpike, "--socket", f"{self.directory}/control.sock", "show", what,
                              "-j"], check=True, timeout=20, capture_output=True)
        return json.loads(run.stdout)

    def test_telemetry_tells_the_same(self):
        process = self.start(*HEAP)
        runtime = pathlib.Path("/var/run/dpdk") / self.directory.name
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(10)
            client.connect(str(runtime / "dpdk_telemetry.v2"))
            client.recv(65536)
            shown = self.show("interfaces")
            self.assertEqual(self.ask(client, "/turnpike/interfaces"),
                             [f"{i['tenant']}/{i['name']}" for i in shown])
            for interface in shown:
                name = f"{interface['tenant']}/{interface['name']}"
                self.assertEqual(self.ask(client, f"/turnpike/interface,{name}"),
                                 interface["counters"])
            self.assertEqual(self.ask(client, "/turnpike/tenants"), ["acme"])
            self.assertEqual(self.ask(client, "/turnpike/classes"), ["gold"])
            self.assertEqual(self.ask(client, "/turnpike/drops"),
                             {d["name"]: d["frames"] for d in self.show("drops")})
            self.assertEqual(self.ask(client, "/turnpike/workers")["worker0_core"],
                             self.show("workers")[0]["core"])
        process.send_signal(signal.SIGTERM)
        self.ended_well(process)


if __name__ == "__main__":
    os.environ.pop("XDG_RUNTIME_DIR", None)
    unittest.main(argv=sys.argv[:1])
