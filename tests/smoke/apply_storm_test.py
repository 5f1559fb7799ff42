#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The configuration is replaced again and again while 4,000 guests attach: all of them are served,
nobody's frames are lost, and what a change takes is told."""
import json
import time
import unittest

import harness
from fault_harness import FaultScenario, Neighbours, descriptors, memory
from harness import SWITCH
from load_harness import GUEST, lines_of

COUNT = 4000
EXTRA = 100  # interfaces that come and go with every change
CLASSES = {"silver": {"bid": 4, "weight": 2}}


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class ApplyStorm(FaultScenario):
    def change(self, appliance, number):
        """Another weight, and interfaces that were not there or are there no more."""
        config = appliance.configuration()
        config["classes"]["silver"]["weight"] = 1 + number % 7
        if number % 2 == 0:
            config["tenants"]["extra"] = {"interfaces": {"pod": {
                "count": EXTRA, "mac": "02:00:00:00:00:01", "class": "silver",
                "socket": f"{self.directory}/extra%d.sock"}}}
        path = self.directory / "next.json"
        path.write_text(json.dumps(config))
        said, seconds = self.turnpike(appliance, "apply", str(path))
        self.assertIn("applied, ", said)
        return seconds

    def test_storm(self):
        crowd = self.crowd(COUNT, **{"class": "silver"})
        appliance = self.limited([*Neighbours.interfaces(self), crowd], classes=CLASSES).start()
        neighbours = Neighbours(self, rate="5kpps")
        before, size = descriptors(appliance.pid), memory(appliance.pid)
        begin = time.monotonic()
        guests = self.start("guests", [
            "nice", "-n", "5", GUEST, "--socket", self.sockets, "--count", COUNT, "--json",
            "--talking", 64, "--rate", "20kpps/total", "--seconds", 2, "--timeout", 60])
        times = []
        while '"attached"' not in guests.text() or len(times) < 10:
            times.append(self.change(appliance, len(times)))
            self.assertTrue(guests.alive() or len(times) >= 10, guests.text()[-2000:])
            self.assertLess(time.monotonic(), begin + 90)
        attached = lines_of(guests.text())[0]["attach_seconds"]
        self.progress(f"{COUNT} guests attached within {attached:.1f} s; {len(times)} changes in "
                      f"{time.monotonic() - begin:.1f} s, the longest {max(times):.2f} s")
        self.assertEqual(guests.wait(90), 0, guests.text()[-2000:])
        self.expect_served(lines_of(guests.text())[-1]["run"])
        self.change(appliance, 1)
        harness.wait_for("descriptors come back", lambda: descriptors(appliance.pid) == before, 30)
        self.progress(f"memory {size >> 10} KiB before, {memory(appliance.pid) >> 10} KiB after")
        neighbours.end_well()
        self.expect_balance(appliance)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
