#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd as guest over virtio-user: every path that its driver has for split rings, our
socket or its own, frames of 64 to 9000 bytes; what arrives is compared byte for byte.

A guest bridges a capture file and its interface: one sends the frames of a file, the other writes
what it receives to a file. Nothing may be missing, doubled, changed or out of order.
"""

import os
import unittest

import harness
import pcap

# Options of virtio-user, and the words by which the driver names the path it has chosen.
PATHS = {
    "mergeable": ("mrg_rxbuf=1,in_order=0", "standard Tx path", "mergeable buffer Rx path"),
    "not mergeable": ("mrg_rxbuf=0,in_order=0", "standard Tx path", "standard Rx path"),
    "in order, mergeable": ("mrg_rxbuf=1,in_order=1", "inorder Tx path", "inorder Rx path"),
    "in order": ("mrg_rxbuf=0,in_order=1", "inorder Tx path", "inorder Rx path"),
    "vectorized": ("mrg_rxbuf=0,in_order=0,vectorized=1", "standard Tx path",
                   "vectorized Rx path"),
}
# Frames of each size, one size after the other: a ring is full of each. The last does not fit one
# of the small buffers of a mergeable guest.
SIZES = {64: 4000, 128: 3000, 1500: 2000, 9000: 500}
# The other way only what the rings hold: a guest that waits for room forwards nothing meanwhile,
# so two that both wait for each other would wait for ever.
ANSWERS = {64: 10, 128: 10, 1500: 10, 9000: 10}


class TestpmdGuest:
    """One dpdk-testpmd: interface 1 of DPDK is the switch's, interface 0 a pair of files."""

    def __init__(self, scenario, name, interface, options, frames):
        self.scenario, self.name, self.interface = scenario, name, interface
        self.source = scenario.directory / f"{name}-sends.pcap"
        self.sink = scenario.directory / f"{name}-got.pcap"
        pcap.write(self.source, frames)
        server = int(interface.mode == "client")
        self.mergeable = "mrg_rxbuf=1" in options
        # Without mergeable buffers a frame must fit one buffer.
        buffer = 2176 if self.mergeable else 9728
        self.process = scenario.start(name, [
            "stdbuf", "-oL", "dpdk-testpmd", *harness.memory_arguments(256),
            "--file-prefix", f"{name}{os.getpid()}", "--no-shconf", "--lcores=0@0,1@0",
            "--log-level=pmd.net.virtio.init:debug",
            "--vdev", f"net_pcap0,rx_pcap={self.source},tx_pcap={self.sink}",
            "--vdev", f"net_virtio_user0,path={interface.socket},server={server},"
                      f"mac={interface.mac},queue_size=256,{options}",
            "--", "-i", "--forward-mode=io", "--nb-cores=1", f"--mbuf-size={buffer}",
            "--max-pkt-len=9100", "--total-num-mbufs=4096", "--disable-device-start",
            "--no-flush-rx", "--no-lsc-interrupt"])

    def ready(self):
        self.process.wait_text("testpmd>")
        # The interface, and not the pair of files, may spread a frame over several buffers.
        if self.mergeable:
            self.process.say("port config 1 rx_offload scatter on")
        self.process.say("port start all")
        self.process.wait_text("Checking link statuses")
        # A full ring is waited for, not dropped on.
        self.process.say("set fwd io retry")
        self.process.say("set burst tx delay 10 retry 100000")
        return self

    def forward(self):
        """Send the file's frames, and begin to write what comes."""
        self.process.say("start")

    def received(self):
        return pcap.read(self.sink)

    def finish(self):
        """End it in order, so that the file is complete; what it has written."""
        self.process.say("stop")
        self.process.say("quit")
        self.process.wait()
        return self.received()


def frames_between(one, two, sizes, seed):
    return [frame for size, count in sizes.items()
            for frame in pcap.make_frames(one.mac, two.mac, size, count, seed + size)]


class TestpmdGuests(harness.Scenario):
    def exchange(self, mode, options):
        """Guest one sends frames of all sizes, guest two a few; both compare."""
        for file in self.directory.iterdir():
            file.unlink()
        one = self.interface("acme", "one", 1, mode)
        two = self.interface("acme", "two", 2, mode)
        appliance = None if mode == "client" else self.appliance([one, two])
        sent = {"one": frames_between(one, two, SIZES, 1),
                "two": frames_between(two, one, ANSWERS, 2)}
        guests = [TestpmdGuest(self, "one", one, options, sent["one"]),
                  TestpmdGuest(self, "two", two, options, sent["two"])]
        if appliance is None:
            appliance = self.appliance([one, two])
        for guest in guests:
            guest.ready()
        self.wait_running(appliance)
        for guest in guests:
            guest.forward()
        # The last part of a file is written only at the end.
        expected = guests[0].source.stat().st_size // 4096 * 4096
        harness.wait_for(f"{len(sent['one'])} frames at guest two",
                         lambda: guests[1].sink.stat().st_size >= expected)
        got = {guest.name: guest.finish() for guest in guests}
        self.compare(sent["one"], got["two"])
        self.compare(sent["two"], got["one"])
        self.check_counters(appliance, len(sent["one"]), len(sent["two"]))
        appliance.stop()
        return guests

    def wait_running(self, appliance):
        if appliance.counters():
            harness.wait_for("both interfaces run", lambda: all(
                one["state"] == "running" for one in appliance.counters().values()))

    def compare(self, sent, got):
        self.assertEqual(len(got), len(sent), "number of frames that arrived")
        for number, (frame, arrived) in enumerate(zip(sent, got)):
            if frame != arrived:
                self.fail(f"frame {number}: sent {frame.hex()}\narrived {arrived.hex()}")

    def check_counters(self, appliance, count, answers):
        counters = appliance.counters()
        for name, *expected in (("one", answers, count), ("two", count, answers)):
            if counters:
                one = counters[f"acme/{name}"]
                self.assertEqual([one["rx_frames"], one["tx_frames"]], expected, name)
                self.assertEqual(one["drops"], 0, name)

    def check_path(self, guests, wanted):
        for guest in guests:
            for words in wanted:
                self.assertIn(words, guest.process.text(), "the path that the driver chose")

    def every_path(self, mode):
        for name, (options, *wanted) in PATHS.items():
            # The first failure ends the test: its logs are what is kept.
            self.progress(f"{mode}: {name}")
            self.check_path(self.exchange(mode, options), wanted)

    def test_our_socket(self):
        self.every_path("server")

    def test_the_guests_socket(self):
        self.every_path("client")


if __name__ == "__main__":
    unittest.main(verbosity=2)
