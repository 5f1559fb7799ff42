#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Devices that deal frames out to several workers. They are in a machine in QEMU: a NIC on its PCI
bus, with RSS, behind an IOMMU and bound to vfio-pci as docs/deploy.md has it; and a TAP interface,
whose kernel takes flow rules. The NIC is unplugged while it works, and plugged in again."""

import json
import re
import unittest

import harness
from linux_guest import build_image
from machine import Machine, build_disk
from network import Namespace

PROGRAMS = ("app/turnpiked/turnpiked", "app/turnpike/turnpike",
            "app/turnpike-guest/turnpike-guest", "tests/smoke/ask")
DRIVERS = ("bus_pci", "bus_vdev", "mempool_ring", "net_tap", "net_virtio")
MODULES = ("irqbypass", "vfio", "vfio_virqfd", "vfio_iommu_type1", "vfio-pci-core", "vfio-pci",
           "tun", "sch_multiq", "sch_ingress", "act_skbedit")
FLOWER = "cls_flower"  # without which the kernel takes no rule
NIC = "0000:01:00.0"
NIC_WORDS = ("virtio-net-pci,id=nic0,bus=port0,netdev=net0,mq=on,vectors=6,rss=on,hash=on,"
             "disable-legacy=on,iommu_platform=on,ats=on,romfile=")
WIRE = "wire0"  # QEMU's end of the NIC, and ours
HARDWARE = ["-smp", "3", "-m", "768M", "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-netdev", f"tap,id=net0,ifname={WIRE},script=no,downscript=no,vhost=off,queues=2",
            "-device", "pcie-root-port,id=port0,chassis=1", "-device", NIC_WORDS]
FLOWS = 16
VLANS = {"first": 100, "second": 200, "third": 300}


def config(device, networks, **uplink):
    """Two workers, which sleep for long, since three CPUs in emulation are less than one."""
    return {
        "dataplane": {"worker_cores": [1, 2], "control_core": 0, "uplink_nap": "1ms",
                      "control_socket": "/tmp/control"},
        "classes": {"gold": {"bid": 16, "on_full": {"hold": "1s"}}},
        "uplinks": {"wan0": {"device": device, **uplink}},
        # Dealt out to the workers in order.
        "tenants": {name: {"network": {"uplink": "wan0", **network}, "interfaces": {"vm": {
            "mac": f"02:00:00:00:00:{number:02x}", "class": "gold", "socket": f"/tmp/{name}"}}}
            for number, (name, network) in enumerate(networks.items(), 1)}}


def tap_config(vlans=None, **uplink):
    vlans = vlans or VLANS
    return config("net_tap0,iface=tap0", {name: {"vlan": vlan} for name, vlan in vlans.items()},
                  **uplink)


def with_user(file):
    return {**file, "process": {"user": "switch"}}


SWAPPED = {**VLANS, "first": 200, "second": 100}  # the first two have each other's VLANs
FILES = {
    "tap.json": tap_config(),
    "swapped.json": tap_config(SWAPPED),
    "user.json": with_user(tap_config()),
    "user-swapped.json": with_user(tap_config(SWAPPED)),
    "off.json": tap_config(steering="off"),
    "nic.json": config(NIC, {"plain": {}, "tagged": {"vlan": 5}}),
}


class Steering(harness.Scenario):
    def setUp(self):
        super().setUp()
        build_image()
        self.outside = Namespace(self, "outside")
        self.outside.ip("tuntap", "add", WIRE, "mode", "tap", "multi_queue")
        disk = build_disk(self.directory, PROGRAMS, DRIVERS, (*MODULES, FLOWER),
                          {**{name: json.dumps(file) for name, file in FILES.items()},
                           "etc/passwd": "switch:x:900:900::/:/bin/false\n",
                           "etc/group": "switch:x:900:\n"})
        self.machine = Machine(self, disk, HARDWARE, "intel_iommu=on iommu=pt",
                               self.outside).ready()
        self.machine.run("mkdir -p /dev/hugepages /var/run && mount -t hugetlbfs huge /dev/hugepages && "
                         "echo 160 >/proc/sys/vm/nr_hugepages && "
                         "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; "
                         + "; ".join(f"insmod /modules/{name}.ko" for name in MODULES))

    def wishes(self, file):
        text = self.machine.try_run(f"turnpike plan {file}")[1]
        rows = [line for line in text.splitlines() if line.startswith("wan0 ")]
        found = {name: re.split("  +", row, 3)[1:] for row in rows
                 for name in [re.split("  +", row)[1]]}
        return {name: words[1] for name, words in found.items()}, text

    def uplink(self):
        return self.machine.show("uplinks")[0]

    def received(self):
        """By queue."""
        return [queue["rx_frames"] for queue in self.uplink()["per_queue"]]

    def steering(self):
        return {row["tenant"]: (row["done_by"], row["queue"]) for row in
                self.uplink()["steering"]}

    def guests(self, *tenants):
        """Each answers echo requests to any address; their MACs are those of the configuration."""
        sockets = " ".join(f"--socket /tmp/{name}" for name in tenants)
        self.machine.run(f"taskset 1 turnpike-guest {sockets} -- --forward-mode=icmpecho "
                         ">/tmp/guests.log 2>&1 &")
        self.machine.wait_for("[ $(turnpike -s /tmp/control show interfaces | grep -c running) = "
                              f"{len(tenants)} ]", "/tmp/log")

    # --- a TAP interface: rules ---

    def echoes(self, vlan):
        """Many flows of a VLAN at once. How many answered, and how many frames came in by each
        queue?"""
        before = self.received()
        answered = self.machine.run(
            f"ip link add link tap0 name tag{vlan} type vlan id {vlan} 2>/dev/null; "
            f"ip link set tag{vlan} up; ip addr flush dev tag{vlan}; "
            f"ip addr add 10.0.0.254/24 dev tag{vlan}; "
            f"for i in $(seq {FLOWS}); do ping -c 1 -W 9 10.0.0.$i & done | grep -c 'bytes from'; "
            f"ip link del tag{vlan}")
        return int(answered), [now - was for now, was in zip(self.received(), before)]

    def check_steered(self, vlan, queue):
        answered, frames = self.echoes(vlan)
        self.assertEqual(answered, FLOWS)
        self.assertGreaterEqual(frames[queue], 2 * FLOWS, "requests, and questions of ARP")
        self.assertEqual(frames[1 - queue], 0, frames)

    def check_spread(self, vlan):
        answered, frames = self.echoes(vlan)
        self.assertEqual(answered, FLOWS)
        self.assertGreater(min(frames), 0, frames)

    def check_rules(self):
        self.assertEqual(self.wishes("/tap.json")[0]["VLANs to their worker"], "software")
        self.machine.run(f"insmod /modules/{FLOWER}.ko")
        wishes, text = self.wishes("/tap.json")
        self.assertEqual(wishes["VLANs to their worker"], "hardware", text)
        self.assertEqual(self.wishes("/off.json")[0]["VLANs to their worker"], "software")
        self.machine.serve("/tap.json")
        self.guests(*VLANS)
        # The driver does not tell VLAN 300 from 44.
        self.assertEqual(self.steering(), {"first": ("hardware", 0), "second": ("hardware", 1),
                                           "third": ("software", None)})
        # Who asks what the interface could do leaves it as it is.
        self.assertIn("tap0 is there and may be in use", self.wishes("/tap.json")[1])
        self.check_steered(100, 0)
        self.check_steered(200, 1)
        self.check_spread(300)
        self.apply("/swapped.json")
        self.check_steered(100, 1)
        self.check_steered(200, 0)
        self.check_moved()
        self.apply("/off.json")
        self.assertEqual(self.uplink()["steering"], [])
        self.check_spread(100)
        self.leave()

    def check_moved(self):
        """Rules follow a tenant to another worker; one of several workers has none."""
        self.machine.ask(command="move", tenant="first", worker=1)
        harness.wait_for("the rule follows", lambda: self.steering()["first"] == ("hardware", 1))
        self.check_steered(200, 1)
        self.machine.ask(command="move", tenant="first", interface="vm", worker=0)
        harness.wait_for("the rule ends", lambda: {
            "tenant": "first", "match": "vlan 200", "done_by": "software", "queue": None,
            "why": "several workers serve it"} in self.uplink()["steering"])

    def check_rights_given_up(self):
        """The kernel's rules stay as they were at the start; frames arrive all the same."""
        self.assertIn("stay as they were at the start", self.wishes("/user.json")[1])
        self.machine.serve("/user.json")
        self.guests(*VLANS)
        self.assertEqual(self.steering()["first"], ("hardware", 0))
        self.apply("/user-swapped.json")
        row = self.uplink()["steering"][0]
        self.assertEqual((row["tenant"], row["match"], row["queue"]), ("second", "vlan 100", 0))
        self.assertIn("needs CAP_NET_ADMIN", row["why"])
        self.check_steered(100, 0)
        self.leave()

    def leave(self):
        self.machine.run("kill $(pidof turnpike-guest)")
        self.machine.stop()

    def apply(self, file):
        self.machine.run(f"turnpike -s /tmp/control apply {file}")

    # --- a NIC on the PCI bus: RSS ---

    def bind(self):
        """What dpdk-devbind.py does, with nothing but a shell."""
        self.machine.wait_for(f"[ -e /sys/bus/pci/devices/{NIC} ]")
        self.machine.run(
            f"cd /sys/bus/pci/devices/{NIC}; echo vfio-pci >driver_override; "
            f"[ ! -e driver ] || echo {NIC} >driver/unbind; echo {NIC} >/sys/bus/pci/drivers_probe;"
            "[ $(basename $(readlink driver)) = vfio-pci ]")

    def hear(self):
        """Many flows from the namespace at once. How many answered?"""
        return int(self.outside.run("sh", "-c", f"""
            for i in $(seq {FLOWS}); do busybox ping -c 3 -W 5 10.0.0.$i & done | grep -c seq=2
            """, check=False).stdout)

    def check_rss(self):
        self.outside.up(WIRE, "10.0.0.254")
        self.bind()
        wishes, text = self.wishes("/nic.json")
        self.assertEqual((wishes["frames to several workers"], wishes["VLANs to their worker"]),
                         ("hardware", "software"), text)
        self.machine.serve("/nic.json")
        self.guests("plain", "tagged")
        uplink = self.uplink()
        self.assertEqual((uplink["driver"], uplink["queues"], uplink["state"]),
                         ("net_virtio", 2, "up"))
        self.assertIn("rss", uplink["offloads"])
        self.assertEqual({row["tenant"]: row["done_by"] for row in uplink["steering"]},
                         {"plain": "software", "tagged": "software"})
        self.assertEqual(self.hear(), FLOWS)
        self.assertGreater(min(self.received()), FLOWS // 4, "both queues had some of the flows")

    def check_unplugging(self):
        self.machine.monitor("device_del", id="nic0")
        harness.wait_for("the uplink is away", lambda: self.uplink()["state"] == "away")
        self.machine.wait_for(f"[ ! -e /sys/bus/pci/devices/{NIC} ]")
        words = dict(word.split("=") for word in NIC_WORDS.split(",")[1:])
        given = {name: int(value) if value.isdigit() else {"on": True, "off": False}.get(
            value, value) for name, value in words.items()}
        self.machine.monitor("device_add", driver="virtio-net-pci", **given)
        self.bind()
        harness.wait_for("the uplink is back", lambda: self.uplink()["state"] == "up")
        harness.wait_for("all flows are answered", lambda: self.hear() == FLOWS)
        self.machine.stop()

    def test_devices(self):
        self.check_rules()
        self.check_rights_given_up()
        self.check_rss()
        self.check_unplugging()


if __name__ == "__main__":
    unittest.main(verbosity=2)
