#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Everything at once, for long: 500 guests that come and go, are killed and started again, operators
that ask, a tenant whose network beyond the host comes, changes and goes, and the configuration
replaced meanwhile. Two guests among them must lose nothing; at the end every frame is accounted
for, and nothing has grown.

    soak_test.py [--seconds N | --minutes N] [--seed N]     20 s without a number; tests/soak: 10 min
"""
import os
import random
import signal
import subprocess
import sys
import time
import unittest

import harness
from fault_harness import TURNPIKE, FaultScenario, Neighbours, descriptors, mappings, memory
from harness import SWITCH
from load_harness import FAULTS, GUEST, lines_of
from network import Namespace, TapGuest, Veth

SECONDS, SEED = 20, 1
TENANTS = 6
GUESTS = 83  # of each tenant; with the neighbours' two, 500
MACS = "02:00:00:00:01:00"
MANNERS = ((), ("--indirect",), ("--interrupts", "--event-index"), ("--no-mergeable",),
           ("--two-regions",), ("--in-order",))
TALKS = ("pairs", "random", "wheel", "star")
CLASSES = {
    "silver": {"bid": 4, "weight": 2, "rate": "50Mbit/s"},
    "bronze": {"bid": 2, "weight": 1, "on_full": "drop"},
}
# They poll, and would leave operators nothing of a small machine.
GENTLY = ("nice", "-n", "10")
# What may be there at the end that was not there before, in bytes.
GROWTH = 2 << 20
LOG_AT_ONCE, LOG_A_SECOND = 5500 * 160, 25 * 160


def can_apply():
    """Does this version replace the configuration at run time?"""
    done = subprocess.run([str(TURNPIKE), "--help"], capture_output=True, text=True, check=False)
    return "apply FILE" in done.stdout


class Crowd:
    """The guests of one tenant, in one process: all talk, a third of them comes and goes."""

    def __init__(self, scenario, tenant, chance):
        self.scenario, self.tenant, self.chance = scenario, tenant, chance
        self.lives = 0
        self.start()

    def start(self):
        self.lives += 1
        away = f"0-{GUESTS - 1}/3:{self.chance.uniform(0.5, 3):.2f},0.2"
        self.process = self.scenario.start(f"{self.tenant}-{self.lives}", [
            *GENTLY, GUEST, "--socket", f"{self.scenario.directory}/{self.tenant}-%d.sock", "--count",
            GUESTS, "--mac", MACS, "--json", "--reconnect", "--leave", away, "--rate",
            f"{self.chance.choice((2, 5, 10))}kpps/total", "--size", "imix", "--timeout", 30,
            "--talk", self.chance.choice(TALKS), *self.chance.choice(MANNERS)])

    def kill(self):
        """And away with its output, of which there may be thousands."""
        self.process.kill()
        self.process.log.unlink()
        self.scenario.processes.remove(self.process)

    def end_well(self):
        """Nothing that has arrived was damaged, doubled or somebody else's."""
        scenario = self.scenario
        scenario.assertEqual(self.process.wait(60), 0, self.process.text())
        run = lines_of(self.process.text())[-1]["run"]
        for name in FAULTS:
            scenario.assertEqual(run[name], 0, run)
        scenario.assertEqual(run["order"]["duplicates"], 0, run)


class Beyond:
    """A guest and a host behind an uplink that talk to each other whenever their tenant's network
    is the right one; and a tenant with a VLAN of its own that comes and goes."""

    NETWORKS = ({"uplink": "wan0"}, {"uplink": "wan0"}, {"uplink": "wan0", "vlan": 100}, None)

    def __init__(self, scenario):
        self.scenario = scenario
        self.outside = Namespace(scenario, "outside")
        self.veth = Veth(scenario, self.outside)
        self.outside.up(self.veth.there, "10.0.0.100")
        self.interface = scenario.interface("outer", "tap", 1)
        self.passing = scenario.interface("passing", "vm", 1)
        self.uplinks = {"wan0": {"device": f"net_af_packet0,iface={self.veth.here}"}}
        self.appliance, self.pings = None, []

    def begin(self):
        guest = TapGuest(self.scenario, "outer", self.interface, "10.0.0.1")
        for sender, address in ((guest.namespace, "10.0.0.100"), (self.outside, "10.0.0.1")):
            self.pings.append(sender.start(f"ping-{address}", *GENTLY, "busybox", "ping", "-q",
                                           "-i", "0.003", "-s", "1000", address))

    def become(self, network, passing):
        """Another network of the one tenant; the other tenant, or not."""
        self.appliance.networks = {"outer": network} if network else {}
        self.appliance.interfaces = [one for one in self.appliance.interfaces
                                     if one is not self.passing]
        if passing:
            self.appliance.interfaces.append(self.passing)
            self.appliance.networks["passing"] = {"uplink": "wan0", "vlan": 200}

    def as_at_first(self):
        self.become(self.NETWORKS[0], False)

    def change(self, chance):
        self.become(chance.choice(self.NETWORKS), chance.random() < 0.5)

    def end(self):
        """What went by the uplink, both ways."""
        for ping in self.pings:
            ping.stop()
        counted = self.appliance.show("uplinks")[0]["counters"]
        self.scenario.progress(f'uplink: {counted["received"]} frames came, '
                               f'{counted["delivered"]} of them delivered; {counted["sent"]} sent')
        for name in ("delivered", "sent"):
            self.scenario.assertGreater(counted[name], 10 * SECONDS, counted)


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Soak(FaultScenario):
    def serve(self):
        pods = [self.interface(f"tenant{number}", "pod", 1, count=GUESTS,
                               **{"class": ("gold", "silver", "bronze")[number % 3]})
                for number in range(TENANTS)]
        for pod in pods:
            pod.socket, pod.mac = f"{self.directory}/{pod.tenant}-%d.sock", MACS
        self.beyond = Beyond(self)
        billing = {"directory": f"{self.directory}/ledger", "interval": "1s"}
        appliance = self.limited([*Neighbours.interfaces(self), *pods, self.beyond.interface],
                                 billing=billing, classes=CLASSES, uplinks=self.beyond.uplinks)
        self.beyond.appliance = appliance
        self.beyond.as_at_first()
        appliance.write_configuration()
        return appliance.start()

    def has(self, appliance):
        return {"descriptors": descriptors(appliance.pid), "mappings": mappings(appliance.pid),
                "memory": memory(appliance.pid),
                "log": os.path.getsize(appliance.process.log)}

    def alone(self, appliance, count):
        self.beyond.as_at_first()
        self.apply(appliance)
        harness.wait_for(f"{count} descriptors again",
                         lambda: descriptors(appliance.pid) <= count, 20)
        return self.has(appliance)

    def disturb(self, appliance, crowds, chance):
        """One of the things that happen."""
        what = chance.random()
        if what < 0.4:
            crowd = chance.choice(crowds)
            crowd.kill()
            crowd.start()
            self.kills += 1
        elif what < 0.9:
            command = chance.choice((("show", "interfaces"), ("show", "cache"), ("bill",),
                                     ("show", "latency"), ("show", "tenants")))
            # One that is not answered within 5 s fails.
            self.longest = max(self.longest, self.turnpike(appliance, *command)[1])
            self.commands += 1
        else:
            self.change(appliance, chance)

    def change(self, appliance, chance):
        """Other weights, rates and networks, while everything goes on."""
        if not self.applies:
            return
        classes = appliance.sections["classes"]
        classes["silver"]["rate"] = chance.choice(("20Mbit/s", "50Mbit/s", "1Gbit/s"))
        classes["bronze"]["weight"] = chance.choice((1, 2, 4))
        self.beyond.change(chance)
        self.apply(appliance)
        self.changes += 1

    def apply(self, appliance):
        appliance.write_configuration()
        if self.applies:
            self.turnpike(appliance, "apply", str(appliance.config))

    def tell(self, begin, appliance):
        found = self.has(appliance)
        rows = appliance.show("tenants")
        running = sum(one["running"] for one in rows)
        frames = sum(one["tx_frames"] for one in rows)
        self.progress(f"{time.monotonic() - begin:4.0f} s: {running} guests, {frames} frames, "
                      f"{self.kills} kills, {self.commands} commands (longest "
                      f"{self.longest:.2f} s), {self.changes} changes; {found['descriptors']} "
                      f"descriptors, {found['memory'] >> 10} KiB, log {found['log'] >> 10} KiB")

    def go_on(self, appliance, crowds, chance, seconds):
        begin = time.monotonic()
        told = 0
        while time.monotonic() < begin + seconds:
            self.disturb(appliance, crowds, chance)
            time.sleep(chance.uniform(0, 0.5))
            if time.monotonic() - told > min(30, SECONDS / 5):
                told = time.monotonic()
                self.tell(begin, appliance)
                self.assertTrue(appliance.process.alive())
        self.tell(begin, appliance)

    def test_soak(self):
        chance = random.Random(SEED)
        self.kills = self.commands = self.changes = self.longest = 0
        self.applies = can_apply()
        appliance = self.serve()
        neighbours = Neighbours(self, rate="2kpps")
        self.beyond.begin()
        self.beyond.become(self.beyond.NETWORKS[2], True)  # whatever chance brings later
        self.apply(appliance)
        self.beyond.as_at_first()
        self.apply(appliance)
        before = descriptors(appliance.pid)
        crowds = [Crowd(self, f"tenant{number}", chance) for number in range(TENANTS)]
        # All that is kept for the next time is there after a tenth of it.
        self.go_on(appliance, crowds, chance, max(5, SECONDS / 10))
        for crowd in crowds:
            crowd.kill()
        first = self.alone(appliance, before)
        for crowd in crowds:
            crowd.start()
        self.go_on(appliance, crowds, chance, SECONDS)
        for crowd in crowds:
            crowd.process.child.send_signal(signal.SIGINT)
        for crowd in crowds:
            crowd.end_well()
        last = self.alone(appliance, before)
        self.progress(f"alone before: {first}")
        self.progress(f"alone after:  {last}")
        neighbours.end_well()
        self.beyond.end()
        interfaces = self.expect_balance(appliance)
        completed = sum(one["tx_frames"] for one in interfaces)
        dropped = sum(one["drops"] for one in interfaces)
        self.progress(f"{len(interfaces)} interfaces: completed {completed} = delivered "
                      f"{completed - dropped} + named drops {dropped}, each of them and in all")
        self.assertEqual(last["descriptors"], before)
        self.assertLessEqual(last["mappings"], first["mappings"] + 4)
        self.assertLess(last["memory"], first["memory"] + GROWTH)
        self.assertLess(last["log"], LOG_AT_ONCE + 1.2 * SECONDS * LOG_A_SECOND)
        self.expect_bill(appliance, completed)
        appliance.stop()
        self.assertIn("info: stopped", appliance.process.text())

    def expect_bill(self, appliance, frames):
        text, _ = self.turnpike(appliance, "bill", "--csv")
        billed = sum(int(line.split(",")[2]) for line in text.splitlines()[1:])
        self.assertEqual(billed, frames, "frames in bills")


if __name__ == "__main__":
    arguments = sys.argv[:1]
    rest = iter(sys.argv[1:])
    for argument in rest:
        if argument in ("--seconds", "--minutes"):
            SECONDS = float(next(rest)) * (60 if argument == "--minutes" else 1)
        elif argument == "--seed":
            SEED = int(next(rest))
        else:
            arguments.append(argument)
    unittest.main(argv=arguments, verbosity=2)
