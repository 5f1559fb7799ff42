#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-guest drives real switches, and what is lost is in their own counters."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import types
import unittest

from harness import BUILD, ROOT, SWITCH
from load_harness import BACKEND, GUEST, LoadScenario

sys.path.insert(0, str(ROOT / "bench"))
from candidates import OpenVSwitch, Testpmd  # noqa: E402
from machine import PACKAGES, HugePages  # noqa: E402

SHAPES = {
    "plain": [], "not mergeable": ["--no-mergeable"], "indirect": ["--indirect"],
    "event index": ["--event-index", "--interrupts"], "interrupts": ["--interrupts"],
    "in order": ["--in-order"], "two regions": ["--two-regions", "--frame-offset", 64],
    "segments": ["--", "--txpkts=64,200,300"], "imix": ["--size", "imix"],
    "small ring": ["--", "--rxd=64", "--txd=64"], "large": ["--", "--rxd=32768", "--txd=32768"],
}
LIGHT = ("--rate", "50kpps", "--seconds", 0.5, "--verify", "payload")


class Shapes(LoadScenario):
    """Every shape of ring through a switch; `dropped` is the switch's own count."""

    def shapes(self, dropped, shapes, **options):
        for name, arguments in shapes.items():
            with self.subTest(name):
                before = dropped()
                run = self.run_of(*LIGHT, *arguments, **options)
                self.assertGreater(run["order"]["received"], 10000)
                self.assertLessEqual(run["order"]["lost"], dropped() - before)
                for fault in ("corrupt", "wrong"):
                    self.assertEqual(run[fault], 0, run)
                for fault in ("duplicates", "reordered", "late"):
                    self.assertEqual(run["order"][fault], 0, run)


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Turnpike(Shapes):
    def test_shapes(self):
        guests = [self.interface("acme", f"g{number}", number + 1) for number in range(4)]
        for number, guest in enumerate(guests):
            guest.socket = f"{self.directory}/g{number}.sock"
            guest.more["queue_pairs"] = 2
        appliance = self.appliance(guests)
        self.sockets = f"{self.directory}/g%d.sock"

        def dropped():
            return sum(one["frames"] for one in appliance.show("drops"))
        self.shapes(dropped, {**SHAPES, "queue pairs": ["--", "--rxq=2", "--txq=2"],
                              "all": ["--count", 4, "--talk", "all"],
                              "leaving": ["--reconnect", "--leave", "1:0.1,0.1"]})
        # The same by the names of the configuration.
        run = self.run_of(*LIGHT, "--config", appliance.config, to=False)
        self.expect_clean(run)
        self.assertEqual([group["name"] for group in run["groups"]], ["gold"])
        appliance.stop()


HUGE_PAGES = 700  # of 2 MiB, for OVS


class Rivals(Shapes):
    """The benchmark's own way to start them."""

    def rival(self, kind, sockets, huge=False):
        cores = sorted(os.sched_getaffinity(0))
        if huge:
            pages = HugePages()
            self.addCleanup(pages.give_back)
            if not pages.reserve(HUGE_PAGES):
                self.skipTest("no huge pages, which OVS-DPDK needs")
        options = types.SimpleNamespace(switch_core=cores[-1], load_core=cores[0], huge=huge,
                                        build=BUILD)
        rival = kind(options, pathlib.Path(self.directory), 2, None)
        self.addCleanup(rival.stop)
        rival.start_switch()
        self.sockets = sockets or rival.socket()
        return rival

    def test_testpmd(self):
        rival = self.rival(Testpmd, None)
        self.shapes(rival.dropped, {**SHAPES, "packed": ["--packed"],
                                    "packed, in order": ["--packed", "--in-order"],
                                    "packed, indirect": ["--packed", "--indirect"],
                                    "packed, segments": ["--packed", "--", "--txpkts=64,64"]})

    @unittest.skipUnless(os.path.exists(PACKAGES["openvswitch-switch-dpdk"]), "no Open vSwitch")
    def test_ovs_connects_to_us(self):
        rival = self.rival(OpenVSwitch, None, huge=True)
        self.settle("--server")
        self.shapes(rival.dropped, {name: ["--server", *arguments] for name, arguments in
                                    SHAPES.items() if name in ("plain", "indirect", "imix")})

    @unittest.skipUnless(os.path.exists(PACKAGES["openvswitch-switch-dpdk"]), "no Open vSwitch")
    def test_we_connect_to_ovs(self):
        class Serving(OpenVSwitch):
            def ports(self):
                return [(f"guest{guest}.sock", ["type=dpdkvhostuser"])
                        for guest in range(self.guests)]
        rival = self.rival(Serving, f"{self.directory}/ovs/guest%d.sock", huge=True)
        self.settle()
        self.shapes(rival.dropped, {name: SHAPES[name] for name in ("plain", "segments", "imix")})

    def settle(self, *arguments):
        """OVS sets its ports up anew when guests come: until it has, frames go nowhere."""
        for _ in range(10):
            if self.run_of(*arguments, "--rate", "10kpps", "--seconds", 1)["rx_frames"] > 0:
                return
        self.fail("no frame goes through")


class Manual(LoadScenario):
    """The commands of docs/turnpike-guest.md and bench/README.md do what stands beside them."""

    def commands(self, page, pattern):
        words = [shlex.split(line.replace("\\\n", " "))
                 for line in re.findall(pattern, (ROOT / page).read_text(), re.M)]
        self.assertEqual(len(words), 2, page)
        return words

    def in_directory(self, words):
        return [word.replace("/tmp", str(self.directory)) for word in words]

    def run_command(self, words):
        done = subprocess.run(words, cwd=ROOT, timeout=60, text=True, check=False,
                              capture_output=True, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_the_manual(self):
        demo, sockets = self.commands("docs/turnpike-guest.md", r"^(turnpike-guest .*)$")
        switch = self.start("switch", [BUILD / "app/turnpiked/turnpiked", "--no-shconf",
                                       f"--file-prefix=manual{os.getpid()}", "--no-telemetry",
                                       "--", "--config", ROOT / "config/demo.json"])
        switch.wait_text("ready")
        text = self.run_command([GUEST, *demo[1:]])
        for words in ("6 of 6 devices connected", "own stalls", "class realtime"):
            self.assertIn(words, text)
        self.assertEqual(switch.stop(), 0)
        own = self.in_directory(sockets[1:])
        backend = self.start("backend", [BACKEND, "--socket", f"{self.directory}/guest%d.sock"])
        backend.wait_text("ready")
        self.assertIn("lost 0 (", self.run_command([GUEST, *own]))

    def test_the_load_generator_by_itself(self):
        backend, guest = self.commands("bench/README.md", r"^    (build/(?:.*\\\n)?.*)$")
        words = self.in_directory(backend[:-1])  # without its "&"
        started = self.start("backend", [BUILD.parent / words[0], *words[1:]])
        started.wait_text("ready")
        words = self.in_directory(guest)
        text = self.run_command([BUILD.parent / words[0], *words[1:]])
        sent = re.search(r"sent ([0-9.]+) Mpps", text)
        self.assertGreater(float(sent.group(1)), 1)


class Comparison(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_runs(self):
        """A short one, of all candidates; what is lost is counted by who lost it."""
        output = BUILD / "compare-test.json"
        subprocess.run([ROOT / "bench/compare", "--quick", "--sizes", "64", "imix", "--rounds", "1",
                        "--seconds", "0.2", "--trial", "0.05", "--build", BUILD, "--output", output,
                        "--no-install", "--no-real-time"], check=True, timeout=300)
        found = json.loads(output.read_text())
        runs, searches = found["runs"], found["searches"]
        for rows in (runs, searches):
            self.assertEqual({row["candidate"] for row in rows},
                             {"bare", "turnpike", "ovs", "testpmd"})
        for search in searches:
            self.assertTrue(search["trials"], search)
        for run in runs:
            self.assertGreater(run["mpps"], 0.01)
            self.assertLessEqual(run["lost"], run["explained"], run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
