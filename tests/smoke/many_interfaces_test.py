#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Thousands of interfaces: attached at once and again, quiet ones cold, those that wake served."""
import os
import time
import unittest

from harness import SWITCH
from load_harness import GUEST, LoadScenario, lines_of

COUNT = 4000


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class ManyInterfaces(LoadScenario):
    def many(self, count):
        pod = self.interface("acme", "pod", 1)
        pod.socket = f"{self.directory}/pod%d.sock"
        pod.more["count"] = count
        self.sockets = pod.socket
        return self.appliance([pod])

    def standing(self, appliance):
        """Rings of each state, hits and so on, of all classes."""
        table = appliance.show("cache")
        return {key: sum(row[key] for row in table) for key in table[0] if key != "name"}

    def wait_until(self, what, happened, seconds=30):
        end = time.monotonic() + seconds
        while not happened():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.05)

    def test_storms(self):
        """Attached and gone, three times; those that talk change every 20 ms."""
        appliance = self.many(COUNT)
        descriptors = f"/proc/{appliance.process.child.pid}/fd"
        before = len(os.listdir(descriptors))
        for _ in range(3):
            run = self.run_of("--count", COUNT, "--talking", 64, "--churn", 0.02, "--rate",
                              "200kpps/total", "--seconds", 1, "--timeout", 60, timeout=120)
            self.expect_clean(run)
            self.wait_until("descriptors come back",
                            lambda: len(os.listdir(descriptors)) == before)
        found = self.standing(appliance)
        self.assertGreater(found["misses"], 1000, found)
        self.assertGreater(found["write_backs"], 1000, found)
        self.assertEqual(found["hot"] + found["cold"] + found["draining"], 0, found)
        appliance.stop()

    def test_quiet_ones_are_cold_and_the_worker_sleeps(self):
        appliance = self.many(500)
        guest = self.start("guest", [GUEST, "--socket", self.sockets, "--json", "--count", 500,
                                     "--talking", 2, "--rate", "4pps/total", "--seconds", 6])
        self.wait_until("all cold", lambda: self.standing(appliance)["cold"] == 500)
        sleeps = appliance.show("workers")[0]["sleeps"]
        self.wait_until("sleeps", lambda: appliance.show("workers")[0]["sleeps"] > sleeps + 10)
        self.assertEqual(guest.wait(60), 0)
        self.expect_clean(lines_of(guest.text())[-1]["run"])
        appliance.stop()

    def test_quiet_ones_cost_next_to_nothing(self):
        """Of one core, over all threads. The least of some looks: a busy machine costs more."""
        appliance = self.many(COUNT)
        guest = self.start("guest", [GUEST, "--socket", self.sockets, "--json", "--count", COUNT,
                                     "--timeout", 60, "--", "-i"])
        guest.wait_text('"attached"')
        self.wait_until("all cold", lambda: self.standing(appliance)["cold"] == COUNT)
        clock = ~appliance.process.child.pid << 3 | 2  # as clock_getcpuclockid(3) makes it
        shares = []
        while len(shares) < 10 and min(shares, default=1) >= 0.005:
            before, start = time.clock_gettime(clock), time.monotonic()
            time.sleep(2)
            shares.append((time.clock_gettime(clock) - before) / (time.monotonic() - start))
        self.assertLess(min(shares), 0.005, shares)
        self.assertEqual(guest.stop(), 0)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
