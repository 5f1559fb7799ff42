#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests and the switch come and go; traffic comes back by itself within two seconds."""

import time
import unittest

import harness
from linux_guest import LinuxGuest, build_image

BACK_WITHIN = 2.0


def setUpModule():
    build_image()


class Lifecycle(harness.Scenario):
    def two_guests(self, mode):
        """A switch and two guests that talk; the switch serves ("server") or connects."""
        self.alice = self.interface("acme", "alice", 1, mode)
        self.bob = self.interface("acme", "bob", 2, mode)
        if mode == "server":
            self.switch = self.appliance([self.alice, self.bob])
        self.a = LinuxGuest(self, "alice", self.alice, "10.0.0.1")
        self.b = LinuxGuest(self, "bob", self.bob, "10.0.0.2")
        if mode == "client":
            self.switch = self.appliance([self.alice, self.bob])
        self.a.ready()
        self.b.ready()
        self.assertTrue(self.a.hears(self.b, 10), "the guests talk at first")

    def check_back(self, what, source, target):
        """An echo comes back within two seconds of now, and the other way as well."""
        begin = time.monotonic()
        self.assertTrue(source.hears(target, 5), f"no traffic after: {what}")
        seconds = time.monotonic() - begin
        self.assertLessEqual(seconds, BACK_WITHIN, f"seconds without traffic after: {what}")
        self.assertTrue(target.hears(source, 5), f"the other way after: {what}")
        self.progress(f"{what}: back after {seconds:.2f} s")

    def wait_attached(self):
        """Wait for QEMU, which tries once a second: before that the guests have no network card
        to be ready with."""
        if self.switch.counters():
            harness.wait_for("both interfaces run", lambda: all(
                one["state"] == "running" for one in self.switch.counters().values()), 5)

    def guests_come_and_go(self, mode):
        self.two_guests(mode)
        for turn in ("once", "twice"):
            self.b.reboot()
            self.b.ready()
            self.check_back(f"{mode}: reboot of a guest, {turn}", self.b, self.a)
        self.b.kill()
        self.b.boot()
        self.b.ready()
        self.check_back(f"{mode}: kill of a guest", self.b, self.a)

    def switch_comes_and_goes(self, mode):
        self.two_guests(mode)
        self.switch.stop()
        self.assertFalse(self.a.hears(self.b, 1), "no switch, no traffic")
        self.switch.start()
        self.wait_attached()
        self.check_back(f"{mode}: stop and start of the switch", self.a, self.b)
        self.switch.kill()
        self.assertFalse(self.a.hears(self.b, 1), "no switch, no traffic")
        self.switch.start()
        self.wait_attached()
        self.check_back(f"{mode}: kill and start of the switch", self.a, self.b)

    def test_guests_on_our_socket(self):
        self.guests_come_and_go("server")

    def test_guests_on_their_own_socket(self):
        self.guests_come_and_go("client")

    def test_switch_on_our_socket(self):
        self.switch_comes_and_goes("server")

    def test_switch_on_the_guests_socket(self):
        self.switch_comes_and_goes("client")


if __name__ == "__main__":
    unittest.main(verbosity=2)
