#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests are killed (SIGKILL) at random points, from before their first message to full traffic, by
the hundred: neighbours lose nothing, the appliance gets every descriptor and byte back.

    guest_kills_test.py [--kills N] [--seed N]     1000 and 60 s at most; 300 without a number
"""
import random
import subprocess
import sys
import time
import unittest

import harness
from fault_harness import FaultScenario, Neighbours, descriptors, mappings, memory
from harness import SWITCH, WITH_US
from load_harness import GUEST

AT_ONCE = 4     # victims that live at a time
DEVICES = 4     # interfaces of each
LONGEST = 0.12  # life in seconds
LIMIT = 60      # seconds for all kills
KILLS, SEED = 300, 1


class Victim:
    """A guest with some interfaces at full rate, and the time of its death."""

    def __init__(self, scenario, place, chance):
        first = place * DEVICES
        self.process = subprocess.Popen(
            [*WITH_US, str(GUEST), "--socket", scenario.sockets, "--first", str(first),
             "--count", str(DEVICES), "--mac", f"02:00:00:00:01:{first:02x}", "--warm-up", "0.01",
             *chance.choice(((), ("--indirect",), ("--interrupts", "--event-index"),
                             ("--no-mergeable",), ("--two-regions",)))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.end = time.monotonic() + chance.uniform(0, LONGEST)

    def kill(self):
        self.process.kill()
        self.process.wait()


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class GuestKills(FaultScenario):
    def serve(self):
        """The victims are of the neighbours' tenant, on the same worker."""
        crowd = self.crowd(AT_ONCE * DEVICES, tenant="acme")
        crowd.mac = "02:00:00:00:01:00"
        return self.limited([*Neighbours.interfaces(self), crowd]).start()

    def kill_many(self, count, chance):
        end = time.monotonic() + LIMIT
        victims = [Victim(self, place, chance) for place in range(AT_ONCE)]
        killed = 0
        while killed < count:
            place = min(range(AT_ONCE), key=lambda one: victims[one].end)
            time.sleep(max(0, victims[place].end - time.monotonic()))
            victims[place].kill()
            killed += 1
            if time.monotonic() > end:
                break
            victims[place] = Victim(self, place, chance)
        for victim in victims:
            victim.kill()
        return killed + AT_ONCE

    def alone(self, appliance, before):
        """Nobody is left but the neighbours."""
        harness.wait_for("descriptors come back", lambda: descriptors(appliance.pid) == before, 10)
        return {"descriptors": descriptors(appliance.pid), "mappings": mappings(appliance.pid),
                "bytes": memory(appliance.pid)}

    def test_kills(self):
        chance = random.Random(SEED)
        appliance = self.serve()
        neighbours = Neighbours(self)
        before = descriptors(appliance.pid)
        killed = self.kill_many(KILLS // 5, chance)  # until all that is kept is there
        first = self.alone(appliance, before)
        begin = time.monotonic()
        killed += self.kill_many(KILLS - KILLS // 5, chance)
        last = self.alone(appliance, before)
        attached = sum(one["connections"] for one in appliance.show() if "pod" in one["name"])
        self.progress(f"{killed} kills (seed {SEED}), {attached} connections, the last "
                      f"{KILLS - KILLS // 5} in {time.monotonic() - begin:.0f} s: {first} {last}")
        self.assertGreater(attached, killed)  # most of them came as far as that
        self.assertGreaterEqual(killed, KILLS, f"only so many within {2 * LIMIT} s")
        self.assertLessEqual(last["mappings"], first["mappings"] + 2)
        self.assertLess(last["bytes"], first["bytes"] + (1 << 20))
        neighbours.end_well()
        self.expect_balance(appliance)
        # The dead leave nothing behind that a new guest would meet.
        self.expect_served(self.run_of("--count", AT_ONCE * DEVICES, "--mac", "02:00:00:00:01:00",
                                      "--rate", "1kpps", "--seconds", 0.5))
        appliance.stop()


if __name__ == "__main__":
    arguments = sys.argv[:1]
    rest = iter(sys.argv[1:])
    for argument in rest:
        if argument == "--kills":
            KILLS = int(next(rest, 1000))
        elif argument == "--seed":
            SEED = int(next(rest))
        else:
            arguments.append(argument)
    unittest.main(argv=arguments, verbosity=2)
