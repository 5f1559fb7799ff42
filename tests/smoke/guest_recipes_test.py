#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The recipes of docs/guests.md attach guests: each command runs as it stands there, but for what
this machine does not have (KVM, a disk image) and for the place of the socket."""

import re
import shlex
import unittest
import xml.etree.ElementTree

import harness
from linux_guest import IMAGE, build_image

RECIPES = (harness.ROOT / "docs/guests.md").read_text()
DEMO_SOCKET = "/run/turnpike/acme/vm1.sock"
DEMO_MAC = "02:00:00:00:00:01"


def command(program):
    """The words of the recipe that starts with this program."""
    for block in re.findall(r"^```sh\n(.*?)^```", RECIPES, re.S | re.M):
        if block.startswith(program):
            return shlex.split(block.replace("\\\n", " "))
    raise AssertionError(f"docs/guests.md has no recipe for {program}")


def replace(words, *pairs):
    """Each old run of words must be there; it becomes the new one."""
    text = "\0".join(words)
    for old, new in pairs:
        if "\0".join(old) not in text:
            raise AssertionError(f"the recipe has no {shlex.join(old)}")
        text = text.replace("\0".join(old), "\0".join(new))
    return text.split("\0")


class Recipes(harness.Scenario):
    def attach(self, words):
        """Run a recipe against an appliance until the interface runs."""
        interface = self.interface("acme", "vm1", 1)
        self.assertEqual(interface.mac, DEMO_MAC)
        switch = self.appliance([interface])
        self.start("guest", [word.replace(DEMO_SOCKET, interface.socket) for word in words])
        harness.wait_for("the guest runs",
                         lambda: switch.counters()["acme/vm1"]["state"] == "running")

    def test_qemu(self):
        build_image()
        self.attach(replace(
            command("qemu-system-x86_64"),
            (["-enable-kvm", "-cpu", "host"], ["-accel", "tcg", "-cpu", "max", "-display", "none"]),
            (["virtio-net-pci,netdev=net0,"], ["virtio-net-pci,netdev=net0,vectors=0,"]),
            (["-drive", "file=vm1.qcow2,if=virtio"],
             ["-kernel", str(IMAGE / "vmlinuz"), "-initrd", str(IMAGE / "initramfs"),
              "-append", "quiet panic=-1"])))

    def test_testpmd(self):
        self.attach(command("dpdk-testpmd"))

    def test_libvirt(self):
        """libvirt turns this XML into the options of the QEMU recipe; here only the XML is read."""
        text = re.search(r"^```xml\n(.*?)^```", RECIPES, re.S | re.M).group(1)
        domain = xml.etree.ElementTree.fromstring(text)
        self.assertEqual(domain.find("memoryBacking/access").get("mode"), "shared")
        interface = domain.find("devices/interface")
        self.assertEqual(interface.get("type"), "vhostuser")
        self.assertEqual(interface.find("source").get("path"), DEMO_SOCKET)
        self.assertEqual(interface.find("mac").get("address"), DEMO_MAC)


if __name__ == "__main__":
    unittest.main(verbosity=2)
