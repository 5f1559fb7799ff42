#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The disk of bills or of the log is full: traffic and commands go on, it is said once, bills are
made up for when there is room, and what is lost at an end without room is said to the frame.

Disks are small and in memory, in a mount namespace of the test's own."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from fault_harness import FaultScenario, Limited, Neighbours, memory
from harness import SWITCH

DISK_BYTES = 256 * 1024
FULL_SECONDS = 3


class LoggingToDisk(Limited):
    """Its log is on the small disk."""

    def start(self):
        self.process = self.scenario.start("switch", self._turnpiked())
        self.process.log = self.scenario.disk / "log"
        self.process.log.touch()
        self.process.wait_text("ready")
        return self

    def _turnpiked(self):
        return ["sh", "-c", 'log=$1; shift; exec "$@" 2>>"$log"', "sh", self.scenario.disk / "log",
                *super()._turnpiked()]


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class FullDisk(FaultScenario):
    def setUp(self):
        super().setUp()
        self.disk = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-disk-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", self.disk],
                       check=True)
        self.addCleanup(self.remove_disk)
        (self.directory / "disk").symlink_to(self.disk)  # what is kept of a test that failed

    def remove_disk(self):
        subprocess.run(["umount", self.disk], check=True)
        self.disk.rmdir()

    def serve(self, kind=Limited, interval="1s"):
        appliance = kind(self, [*Neighbours.interfaces(self), self.crowd(20)], billing={
            "directory": str(self.disk / "ledger"), "interval": interval})
        self.switches.append(appliance)
        return appliance.start()

    def fill(self):
        with open(self.disk / "filler", "ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def make_room(self):
        (self.disk / "filler").unlink()

    def ledger_lines(self):
        return sum(len(file.read_text().splitlines())
                   for file in (self.disk / "ledger").glob("ledger-*"))

    def bill(self, appliance):
        text, _ = self.turnpike(appliance, "bill", "-j")
        return json.loads(text)

    def sent(self, appliance):
        return sum(one["tx_frames"] for one in appliance.show())

    def guests_come_and_go(self):
        """What makes lines of the log, and charges."""
        end = time.monotonic() + FULL_SECONDS
        while time.monotonic() < end:
            self.expect_served(self.run_of("--count", 20, "--rate", "1kpps", "--seconds", 0.3))

    def test_bills(self):
        appliance = self.serve()
        neighbours = Neighbours(self)
        harness.wait_for("an interval is in the ledger", self.ledger_lines)
        self.fill()
        # The last page of the ledger may have room for a while.
        appliance.process.wait_text("warning: billing: ", 20)
        self.guests_come_and_go()
        lines = self.ledger_lines()
        begin = memory(appliance.pid)
        self.guests_come_and_go()
        self.assertEqual(self.ledger_lines(), lines)
        said = re.findall(r"warning: billing: .*", appliance.process.text())
        self.assertEqual(len(said), 1, said)
        self.assertIn("cannot be written: No space left on device; nothing is lost while the "
                      "appliance runs, it is tried again", said[0])
        bill = self.bill(appliance)
        self.assertIn("cannot be written at present", str(bill["notes"]))
        self.assertLess(memory(appliance.pid), begin + (4 << 20))
        self.make_room()
        harness.wait_for("bills are written again", lambda: self.ledger_lines() > lines, 10)
        appliance.process.wait_text(": written again", 10)
        neighbours.end_well()
        self.expect_balance(appliance)
        self.assertEqual(self.bill(appliance)["total"]["frames"], self.sent(appliance))
        self.assertEqual(len(re.findall(" billing: ", appliance.process.text())), 2)
        appliance.stop()

    def test_end_without_room(self):
        """What is lost is said, and that and no more is missing after the next start."""
        appliance = self.serve(interval="3600s")
        neighbours = Neighbours(self)
        harness.wait_for("the interval is kept", lambda: list(
            (self.disk / "ledger").glob("current-*.json")))
        self.fill()
        time.sleep(2)
        neighbours.end_well()
        self.expect_balance(appliance)
        sent = self.sent(appliance)
        appliance.stop()
        self.progress(appliance.process.text().splitlines()[-2])
        lost = re.search(r"error: billing: .* lost is what was charged since 20\S+: [\d.]+ "
                         r"credits, (\d+) frames, \d+ bytes", appliance.process.text())
        self.assertIsNotNone(lost, appliance.process.text())
        self.assertGreater(int(lost.group(1)), 1000)
        self.make_room()
        appliance.start()
        billed = self.bill(appliance)["total"]["frames"]
        self.assertEqual(billed + int(lost.group(1)), sent)
        self.assertGreater(billed, 0)
        appliance.stop()

    def test_log(self):
        appliance = self.serve(LoggingToDisk)
        neighbours = Neighbours(self)
        self.fill()
        before = appliance.process.text()
        self.guests_come_and_go()
        self.assertEqual(appliance.process.text().rstrip("\0")[:len(before)], before)
        self.assertLess(self.turnpike(appliance, "show", "interfaces")[1], 5)
        self.make_room()
        self.expect_served(self.run_of("--count", 20, "--rate", "1kpps", "--seconds", 0.3))
        found = re.search(r"warning: log: lines missing here: (\d+): No space left on device\n",
                          appliance.process.text())
        self.assertIsNotNone(found, appliance.process.text()[-2000:])
        self.assertGreater(int(found.group(1)), 10)
        self.progress(found.group(0).strip())
        neighbours.end_well()
        self.expect_balance(appliance)
        harness.wait_for("all is billed", lambda: self.bill(appliance)["total"]["frames"] ==
                         self.sent(appliance), 10)
        appliance.stop()


if __name__ == "__main__":
    if os.environ.get("TURNPIKE_MOUNTS") != "own":
        os.environ["TURNPIKE_MOUNTS"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--", sys.executable, *sys.argv])
    unittest.main(verbosity=2)
