#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Interfaces of one tenant, and queue pairs of one interface, on several workers: many of them write
to one destination at full rate while rings move between them. Nothing is lost, doubled or
reordered."""
import os
import random
import sys
import time
import unittest

from harness import SWITCH
from load_harness import GUEST, LoadScenario, lines_of

SENDERS = 6
HOG = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    until = time.monotonic() + 0.02
    while time.monotonic() < until:
        pass
    time.sleep(0.02)
"""
SECONDS = 3


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Spread(LoadScenario):
    worker_cores = sorted(os.sched_getaffinity(0))[:2]

    def start_all(self, queue_pairs=1, count=SENDERS + 1):
        pod = self.interface("acme", "pod", 1)
        pod.socket = f"{self.directory}/pod%d.sock"
        pod.more["count"] = count
        pod.more["queue_pairs"] = queue_pairs
        self.sockets = pod.socket
        return self.appliance([pod])

    def load(self, count, *arguments):
        return self.start("guest", [GUEST, "--socket", self.sockets, "--json", "--count", count,
                                    "--seconds", SECONDS, "--timeout", 30, *arguments])

    def workers_of(self, appliance):
        return [one.get("workers", [one["worker"]]) for one in appliance.show()]

    def expect_balance(self, appliance):
        counted = [one["counters"] for one in appliance.show()]
        drops = {row["name"]: row["frames"] for row in appliance.show("drops")}
        sent = sum(one["tx_frames"] for one in counted)
        self.assertEqual(sent, sum(one["delivered"] for one in counted) + sum(drops.values()))
        self.assertEqual(sum(one["rx_frames"] for one in counted),
                         sum(one["delivered"] for one in counted))
        self.assertEqual(sum(drops.values()), 0, drops)
        return counted

    def move_about(self, appliance, guest, pairs, seed):
        """Rings go to random workers until the guests are done, and all together now and then."""
        chance = random.Random(seed)
        moves = 0
        while guest.alive():
            request = {"command": "move", "tenant": "acme", "worker": chance.randrange(2)}
            if chance.random() < 0.9:
                request["interface"] = f"pod{chance.randrange(SENDERS + 1)}"
            if chance.random() < 0.5 and "interface" in request:
                request["queue_pair"] = chance.randrange(pairs)
            appliance.ask(**request)
            moves += 1
            time.sleep(0.01)
        return moves

    def run_moving(self, pairs, *arguments):
        appliance = self.start_all(pairs)
        guest = self.load(SENDERS + 1, *arguments)
        moves = self.move_about(appliance, guest, pairs, seed=pairs)
        self.assertEqual(guest.wait(60), 0, guest.text())
        self.assertGreater(moves, 20)
        self.expect_clean(lines_of(guest.text())[-1]["run"])
        counted = self.expect_balance(appliance)
        appliance.stop()
        return counted

    def test_star_at_full_rate_while_rings_move(self):
        self.run_moving(1, "--talk", "star")

    def test_all_to_all_while_queue_pairs_move(self):
        self.run_moving(3, "--talk", "all", "--", "--rxq=3", "--txq=3")

    def test_two_workers_write_to_one_ring(self):
        """Half of the senders each: they do meet, and nobody loses by it."""
        appliance = self.start_all()
        for number in range(1, SENDERS + 1, 2):
            appliance.ask(command="move", tenant="acme", worker=1, interface=f"pod{number}")
        self.assertEqual(self.workers_of(appliance), [[n % 2] for n in range(SENDERS + 1)])
        guest = self.load(SENDERS + 1, "--talk", "star")
        self.assertEqual(guest.wait(60), 0, guest.text())
        self.expect_clean(lines_of(guest.text())[-1]["run"])
        counted = self.expect_balance(appliance)
        self.assertGreater(sum(one["retries"] for one in counted), 0)
        appliance.stop()

    def test_a_worker_that_loses_its_cpu_stops_no_other(self):
        """Worker 1 stands still for 20 ms at a time, wherever it is. The other one goes on, and
        all frames arrive."""
        appliance = self.start_all()
        for number in range(1, SENDERS + 1, 2):
            appliance.ask(command="move", tenant="acme", worker=1, interface=f"pod{number}")
        guest = self.load(SENDERS + 1, "--talk", "all", "--cores", self.worker_cores[0])
        hog = self.start("hog", ["chrt", "-f", "50", "taskset", "-c", str(self.worker_cores[1]),
                                 sys.executable, "-c", HOG, str(SECONDS)])
        self.assertEqual(guest.wait(60), 0, guest.text())
        self.assertEqual(hog.wait(60), 0, hog.text())
        self.expect_clean(lines_of(guest.text())[-1]["run"])
        self.expect_balance(appliance)
        frames = [worker["frames"] for worker in appliance.show("workers")]
        self.assertGreater(min(frames), 1000, frames)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
