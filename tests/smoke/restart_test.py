#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance is killed (SIGKILL) or ended (SIGTERM) under traffic and started again on the same
sockets: guests come back and traffic goes on; the time without traffic is measured, bills lose a
second at most, frames are not lost."""
import json
import os
import re
import time
import unittest

import harness
from fault_harness import FaultScenario, Limited, Neighbours
from harness import SWITCH
from linux_guest import LinuxGuest, build_image

BURST = 64  # frames that a worker may have delivered and not yet given back
CYCLES = 2
PING = 0.1  # seconds from one to the next
# Longest time without traffic: the appliance's own start, which a busy machine makes longer, and
# what a guest takes to try again.
GUESTS_BACK = 5.0
QEMU_BACK = 8.0
TESTPMD_BACK = 20.0  # its own start among it, where it has to be started again


class Testpmd:
    """dpdk-testpmd that only sends, or only takes, over virtio-user."""

    def __init__(self, scenario, interface, peer, mode):
        self.scenario, self.interface = scenario, interface
        server = int(interface.mode == "client")
        self.command = [
            "stdbuf", "-oL", "dpdk-testpmd", *harness.memory_arguments(256),
            "--file-prefix", f"{interface.name}{os.getpid()}", "--no-shconf", "--lcores=0@0,1@0",
            "--vdev", f"net_virtio_user0,path={interface.socket},mac={interface.mac},"
                      f"queue_size=256,server={server}",
            "--", "-i", f"--forward-mode={mode}", "--nb-cores=1", "--total-num-mbufs=4096",
            f"--eth-peer=0,{peer.mac}", "--no-flush-rx"]
        self.process = scenario.start(interface.name, self.command)

    def run(self):
        self.process.wait_text("testpmd>")
        self.process.say("start")
        return self

    def start_again(self):
        """What its driver needs that does not serve the socket (docs/guests.md)."""
        self.process.kill()
        self.process = self.scenario.start(f"{self.interface.name}-again", self.command)
        self.run()


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Restart(FaultScenario):
    def serve(self, interfaces):
        return self.limited(interfaces, billing={"directory": f"{self.directory}/ledger"})

    def frames_billed(self, appliance):
        return json.loads(self.turnpike(appliance, "bill", "-j")[0])["total"]["frames"]

    def sent(self, appliance):
        return sum(one["tx_frames"] for one in appliance.show())

    def kill_and_start(self, appliance, end=Limited.kill):
        """@return when it was ended; bills that are older than a second are all there."""
        counted = self.sent(appliance)
        time.sleep(1)
        begin = time.monotonic()
        end(appliance)
        appliance.start()
        self.assertGreaterEqual(self.frames_billed(appliance), counted)
        self.assertLess(self.sent(appliance), self.frames_billed(appliance), "counters begin anew")
        return begin

    def traffic_again(self, appliance, begin, name, receiver, most):
        """Wait until frames arrive there. @return seconds without."""
        def arrives():
            return appliance.counters()[receiver]["rx_frames"] > 0
        harness.wait_for(f"{receiver} receives", arrives, 30)
        seconds = time.monotonic() - begin
        self.progress(f"{name}: traffic after {seconds:.2f} s")
        self.assertLess(seconds, most, name)

    def guests_survive(self, mode):
        """Killed and ended in turn."""
        appliance = self.serve(Neighbours.interfaces(self, mode))
        more = ["--reconnect"] + (["--server"] if mode == "client" else [])
        if mode == "server":
            appliance.start()
        neighbours = Neighbours(self, *more) if mode == "server" else None
        if mode == "client":
            neighbours = Neighbours(self, *more, ready=appliance.start)
        dropped = 0
        for end in (Limited.kill, Limited.stop) * CYCLES:
            dropped += self.drops(appliance)
            begin = self.kill_and_start(appliance, end)
            self.traffic_again(appliance, begin, f"{mode}, {end.__name__}", "acme/b", GUESTS_BACK)
        run = neighbours.end()
        order = run["order"]
        self.progress(f'{order["received"]} frames, {order["lost"]} lost, {order["duplicates"]} '
                      f'twice, {run["reconnects"]} reconnects')
        self.assertEqual(run["reconnects"], 2 * 2 * CYCLES)
        # Who is back first loses what it sends to who is not: named drops, and nothing else.
        self.assertEqual(order["lost"], dropped + self.drops(appliance), run)
        # What was delivered by a burst that a kill has cut off comes once more; an end cuts none.
        self.assertLessEqual(order["duplicates"], CYCLES * 2 * BURST, run)
        for name in ("corrupt", "wrong", "strays"):
            self.assertEqual(run[name], 0, run)
        self.expect_balance(appliance)
        appliance.stop()

    def test_guests_on_our_socket(self):
        self.guests_survive("server")

    def test_guests_on_their_own_socket(self):
        self.guests_survive("client")

    def test_an_end_loses_and_repeats_nothing(self):
        """SIGTERM: what was accepted is delivered and given back, the rest waits in the guests'
        rings for the next start."""
        appliance = self.serve(Neighbours.interfaces(self)).start()
        neighbours = Neighbours(self, "--reconnect", rate="200kpps")
        dropped = 0
        for _ in range(5):
            time.sleep(0.3)
            dropped += self.drops(appliance)
            appliance.stop()
            self.assertIn("info: stopped", appliance.process.text())
            appliance.start()
            harness.wait_for("traffic", lambda: appliance.counters()["acme/b"]["rx_frames"] > 1000)
        run = neighbours.end()
        self.assertEqual(run["reconnects"], 10)
        # Who is back first loses what it sends to who is not: named drops, and nothing else.
        self.assertEqual(run["order"]["lost"], dropped + self.drops(appliance))
        for name in ("duplicates", "reordered", "late"):
            self.assertEqual(run["order"][name], 0, run)
        self.expect_balance(appliance)
        appliance.stop()

    def drops(self, appliance):
        return sum(one["drops"] for one in appliance.show())

    def survive_as_testpmd(self, mode):
        one, two = Neighbours.interfaces(self, mode)
        appliance = self.serve([one, two])
        if mode == "server":
            appliance.start()
        sender = Testpmd(self, one, two, "txonly")
        receiver = Testpmd(self, two, one, "rxonly")
        if mode == "client":
            appliance.start()
        guests = [receiver.run(), sender.run()]
        harness.wait_for("traffic", lambda: appliance.counters()["acme/b"]["rx_frames"] > 0)
        begin = self.kill_and_start(appliance)
        if mode == "server":
            for guest in guests:
                guest.start_again()
        self.traffic_again(appliance, begin, f"testpmd, {mode}", "acme/b", TESTPMD_BACK)
        for guest in guests:
            self.assertTrue(guest.process.alive(), guest.process.text())
        appliance.stop()

    def test_testpmd_that_serves(self):
        self.survive_as_testpmd("client")

    def test_testpmd_that_connects(self):
        self.survive_as_testpmd("server")

    def test_linux_guests(self):
        """What they see: pings that are missing."""
        build_image()
        one, two = Neighbours.interfaces(self)
        appliance = self.serve([one, two]).start()
        a = LinuxGuest(self, "a", one, "10.0.0.1")
        b = LinuxGuest(self, "b", two, "10.0.0.2").ready()
        a.ready()
        self.assertTrue(a.hears(b, 10))
        a.run(f"ping -i {PING} -c 150 -W 1 {b.address} >/tmp/pings 2>&1 &")
        time.sleep(1)
        begin = self.kill_and_start(appliance)
        self.traffic_again(appliance, begin, "QEMU", "acme/b", QEMU_BACK)
        time.sleep(2)
        a.run("killall -INT ping; sleep 0.5")
        numbers = [int(one) for one in re.findall(r"seq=(\d+)", a.run("cat /tmp/pings"))]
        self.assertEqual(sorted(set(numbers)), numbers, "each echo once, in order")
        gap = max(after - before for before, after in zip(numbers, numbers[1:]))
        self.progress(f"QEMU: {len(numbers)} echoes of {numbers[-1] + 1}: requests that met no "
                      "switch waited in their ring")
        self.assertLess(gap * PING, QEMU_BACK)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
