#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Unmodified Linux guests talk to each other, and only to those of their own tenant."""

import time
import unittest

import harness
from linux_guest import LinuxGuest, build_image

SIZE = 64 << 20


def setUpModule():
    build_image()


class LinuxGuests(harness.Scenario):
    def check_cell(self, **device):
        """Ping, 64 MiB of TCP each way, and a stranger that sees none of it."""
        alice, bob, stranger, idle = (
            self.interface("acme", "alice", 1), self.interface("acme", "bob", 2),
            self.interface("other", "stranger", 3), self.interface("other", "idle", 4))
        appliance = self.appliance([alice, bob, stranger, idle])
        a = LinuxGuest(self, "alice", alice, "10.0.0.1", device)
        b = LinuxGuest(self, "bob", bob, "10.0.0.2", device)
        # The stranger's address is bob's: were there a way to it, it would answer in his place.
        c = LinuxGuest(self, "stranger", stranger, "10.0.0.2", device)
        for guest in (a, b, c):
            guest.ready()
        self.check_features(a, device)
        c.run("sniff eth0 600 -v >/tmp/seen 2>&1 & echo $! >/tmp/sniff; sleep 0.2")
        self.assertIn("3 packets received", a.run(f"ping -c 3 -i 0.2 -W 5 {b.address}"))
        self.assertIn("3 packets received", b.run(f"ping -c 3 -i 0.2 -W 5 {a.address}"))
        sums = self.prepare(a, b)
        self.transfer(a, b, sums[0])
        self.transfer(b, a, sums[1])
        self.check_unseen(c, (a, b))
        self.check_counters(appliance)

    def check_features(self, guest, device):
        """The cell is what it says: the driver took what was left on, and nothing turned off."""
        features = guest.driver()
        self.assertEqual(features[32], "1", "VIRTIO_F_VERSION_1")
        for bit, key in ((29, "event_idx"), (15, "mrg_rxbuf")):
            self.assertEqual(features[bit], "1" if device[key] == "on" else "0", key)

    def prepare(self, *guests, size=SIZE):
        """Random data in each, all at the same time. @return their checksums"""
        for guest in guests:
            guest.send(f"dd if=/dev/urandom of=/tmp/data bs=1M count={size >> 20} 2>/dev/null; "
                       "sha256sum /tmp/data")
        answers = [guest.answer() for guest in guests]
        for guest, (code, _) in zip(guests, answers):
            self.assertEqual(code, 0, guest.name)
        return [text.split()[0] for _, text in answers]

    def transfer(self, source, sink, checksum, size=SIZE):
        """What was prepared, once. @return how long it took, in seconds."""
        # busybox nc ends with its own input, so a program reads the connection instead.
        sink.run("nc -l -p 5000 -e sh -c 'sha256sum >/tmp/sum' >/dev/null 2>&1 & "
                 "until netstat -ltn | grep -q :5000; do usleep 20000; done")
        start = time.monotonic()
        source.run(f"nc -w 10 {sink.address} 5000 </tmp/data", 300)
        seconds = time.monotonic() - start
        received = sink.run("while pidof nc; do usleep 20000; done >/dev/null; cat /tmp/sum")
        source.run("rm /tmp/data")
        self.assertEqual(received.split()[0], checksum, "checksum of what arrived")
        self.progress(f"{source.name} to {sink.name}: {size >> 20} MiB in {seconds:.1f} s")
        return seconds

    def check_unseen(self, stranger, guests):
        seen = stranger.run("kill $(cat /tmp/sniff); usleep 300000; cat /tmp/seen")
        self.assertIn("total", seen, "the capture ran to its end")
        for guest in guests:
            self.assertNotIn(guest.interface.mac.replace(":", ""), seen)
            self.assertNotIn(guest.interface.mac, seen)

    def check_counters(self, appliance):
        counters = appliance.counters()
        for name in ("acme/alice", "acme/bob") if counters else ():
            self.assertGreater(counters[name]["rx_bytes"], SIZE)
            self.assertGreater(counters[name]["tx_bytes"], SIZE)
        if counters:
            self.assertEqual(counters["other/stranger"]["rx_frames"], 0)

    def test_pings_a_load_generator(self):
        """turnpike-guest in the mode icmpecho answers a Linux guest's ARP and pings."""
        alice, echo = self.interface("acme", "alice", 1), self.interface("acme", "echo", 2)
        self.appliance([alice, echo])
        guest = LinuxGuest(self, "alice", alice, "10.0.0.1", {"event_idx": "on", "mrg_rxbuf": "on"})
        answerer = self.start("echo", [harness.BUILD / "app/turnpike-guest/turnpike-guest",
                                       "--socket", echo.socket, "--mac", echo.mac, "--",
                                       "--forward-mode=icmpecho"])
        guest.ready()
        self.assertIn("3 packets received", guest.run("ping -c 3 -i 0.2 -W 5 10.0.0.2"))
        self.assertIn("2 packets received",
                      guest.run("ping -c 2 -i 0.2 -W 5 -s 1400 10.0.0.77"))
        self.assertEqual(answerer.stop(harness.signal.SIGINT), 0)
        self.assertIn("RX-packets: ", answerer.text())

    def test_tcp_keeps_to_the_rate(self):
        """A guest's TCP through an interface with a rate: as fast as that, no faster, nothing
        lost."""
        rate, size = 10e6, 8 << 20
        alice = self.interface("acme", "alice", 1, rate="10Mbit/s")
        bob = self.interface("acme", "bob", 2)
        appliance = self.appliance([alice, bob])
        device = {"event_idx": "on", "mrg_rxbuf": "on"}
        a = LinuxGuest(self, "alice", alice, "10.0.0.1", device)
        b = LinuxGuest(self, "bob", bob, "10.0.0.2", device)
        a.ready()
        b.ready()
        few = 1 << 20
        self.transfer(a, b, *self.prepare(a, size=few), few)  # caches of both are warm
        checksum, = self.prepare(a, size=size)
        sent = appliance.counters()["acme/alice"]["tx_bytes"]
        seconds = self.transfer(a, b, checksum, size)
        sent = appliance.counters()["acme/alice"]["tx_bytes"] - sent
        error = sent * 8 / seconds / rate - 1
        self.progress(f"{sent * 8 / seconds / 1e6:.2f} Mbit/s of 10: {100 * error:+.2f} %")
        self.assertLess(error, 0.01)
        self.assertGreater(error, -0.2)  # emulated guests may be slower now and then
        self.assertEqual(sum(row["frames"] for row in appliance.show("drops")), 0)

    def test_event_index_mergeable(self):
        self.check_cell(event_idx="on", mrg_rxbuf="on")

    def test_event_index_not_mergeable(self):
        self.check_cell(event_idx="on", mrg_rxbuf="off")

    def test_no_event_index_mergeable(self):
        self.check_cell(event_idx="off", mrg_rxbuf="on")

    def test_no_event_index_not_mergeable(self):
        self.check_cell(event_idx="off", mrg_rxbuf="off")


if __name__ == "__main__":
    unittest.main(verbosity=2)
