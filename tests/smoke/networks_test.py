#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tenants reach hosts beyond an uplink in VXLAN: against the kernel's own vxlan device, over IPv4 and
IPv6, and between two appliances. Forged frames of the network below are dropped by name."""

import concurrent.futures
import json
import os
import subprocess
import time
import unittest

import harness
import network
import vxlan
from network import Namespace, TapGuest, Veth, transfer

MIB = 1 << 20
VNI = 5000
ROUNDS = 5  # a configuration is replaced so often, there and back
GUEST, HOST = "10.0.0.1", "10.0.0.100"
# On the network below: we, and the others.
FAMILIES = {
    4: {"prefix": 24, "us": "192.0.2.1", "them": "192.0.2.7", "overhead": 50},
    6: {"prefix": 64, "us": "2001:db8::1", "them": "2001:db8::7", "overhead": 70},
}


# Tags that guests of a network without any may not send.
TAGS = ("810000c8", "88a8000a", "8100000a81000014", "91000001", "81000000", "8100138888a81388")


class FarAppliance(harness.Appliance):
    """The one at the other end of the wire, in the namespace there."""

    def __init__(self, scenario, interfaces, **beyond):
        super().__init__(scenario, interfaces, **beyond)
        self.control = scenario.directory / "far.sock"
        self.config = scenario.directory / "far.json"
        self.config.write_text(json.dumps(self.configuration(), indent=4))

    def start(self):
        arguments = [f"{word}far" if str(word).startswith("--file-prefix") else word
                     for word in self._turnpiked()]
        self.process = self.scenario.start(
            f"far{len(self.scenario.switches)}", self.scenario.outside.within(*arguments))
        self.process.wait_text("ready")
        return self


class Beyond(harness.Scenario):
    """A wire to a namespace that is the network below."""

    def setUp(self):
        super().setUp()
        self.outside = Namespace(self, "outside")
        self.veth = Veth(self, self.outside)

    def below(self, family):
        """The far end of the wire, as the network below: an address of the kernel's."""
        them = f'{family["them"]}/{family["prefix"]}'
        self.outside.ip("addr", "add", them, "dev", self.veth.there, "nodad")

    def vxlan(self, family, name="vx0", vni=VNI, address=HOST):
        """The kernel's own end of a tunnel, with a host's address."""
        self.outside.ip("link", "add", name, "type", "vxlan", "id", vni, "dstport", 4789, "local",
                        family["them"], "remote", family["us"], "dev", self.veth.there)
        self.outside.python("plain", name)
        self.outside.up(name, address, mtu=1500 - family["overhead"])
        return name

    def uplink(self, family, **more):
        return {"device": f"net_af_packet0,iface={self.veth.here}",
                "vxlan": {"address": f'{family["us"]}/{family["prefix"]}'}, **more}

    def tunnel(self, family, vni=VNI, **more):
        return {"uplink": "wan0", "vni": vni,
                "remotes": [{"address": family["them"], **more}]}

    def drops(self):
        """Of guests and of the wire together."""
        return {row["name"]: row["frames"] + row["uplink_frames"]
                for row in self.switches[-1].show("drops")}

    def dropped(self, before, wanted):
        """Wait until so many more frames are dropped by each of these names."""
        def more():
            return {name: self.drops()[name] - before[name] for name in wanted}
        try:
            harness.wait_for("frames are dropped by name", lambda: more() == wanted, 10)
        except AssertionError:
            self.assertEqual(more(), wanted)

    def neighbours(self, switch=None):
        return (switch or self.switches[-1]).show("neighbours")

    def known(self, switch=None):
        harness.wait_for("the neighbour is known", lambda: all(
            row["state"] == "known" for row in self.neighbours(switch)), 15)


class Networks(Beyond):
    # --- the kernel as the peer ---

    def check_kernel(self, number, **uplink):
        family = FAMILIES[number]
        self.below(family)
        self.vxlan(family)
        one, two = self.interface("acme", "one", 1), self.interface("acme", "two", 2)
        self.appliance([one, two], uplinks={"wan0": self.uplink(family, **uplink)},
                       networks={"acme": self.tunnel(family)})
        mtu = 1500 - family["overhead"]
        guest = TapGuest(self, "one", one, GUEST)
        other = TapGuest(self, "two", two, "10.0.0.2")
        for each in (guest, other):
            each.ip("link", "set", "eth0", "mtu", mtu)
        self.known()
        self.assertEqual(guest.hears(HOST), 3)
        self.assertEqual(other.hears(HOST), 3)
        self.assertEqual(guest.hears("10.0.0.2"), 3, "between guests")
        self.assertEqual(self.outside.hears(GUEST), 3)
        # The last byte that fits, both ways.
        self.assertEqual(guest.hears(HOST, size=mtu - 28), 3)
        self.assertEqual(self.outside.hears(GUEST, size=mtu - 28), 3)
        self.assertTrue(transfer(self.outside, guest.namespace, GUEST, 8 * MIB))
        self.assertTrue(transfer(guest.namespace, self.outside, HOST, 8 * MIB))
        # One more does not.
        self.assertEqual(self.drops().get("over_mtu", 0), 0)
        guest.ip("link", "set", "eth0", "mtu", mtu + 1)
        self.assertEqual(guest.hears(HOST, size=mtu - 27, count=2), 0)
        self.assertEqual(self.drops()["over_mtu"], 2)
        # One that has come from another host is announced in the tunnel, and at home.
        sniffers = [namespace.start(f"sniff {device}", network.PYTHON, network.__file__, "sniff",
                                    device, network.announcement(one.mac))
                    for namespace, device in ((self.outside, "vx0"), (other.namespace, "eth0"))]
        for sniffer in sniffers:
            sniffer.wait_text("listening")
        guest.announce(one.mac)
        for sniffer in sniffers:
            sniffer.wait_text("seen")
        # Our own address answers.
        self.assertEqual(self.outside.hears(family["us"]), 3)
        return guest

    def test_kernel_ipv4(self):
        self.check_kernel(4)

    def test_kernel_ipv6(self):
        self.check_kernel(6)

    def test_a_neighbour_that_goes_and_comes_back(self):
        family = FAMILIES[4]
        one = self.interface("acme", "one", 1)
        self.appliance([one], uplinks={"wan0": self.uplink(family)},
                       networks={"acme": self.tunnel(family)})
        guest = TapGuest(self, "one", one, GUEST)
        guest.ip("neigh", "add", HOST, "lladdr", "02:00:00:00:01:00", "dev", "eth0")
        self.assertEqual(guest.hears(HOST, count=2), 0)
        self.assertEqual(self.drops()["tunnel_unresolved"], 2)
        self.below(family)
        device = self.vxlan(family)
        self.outside.ip("link", "set", device, "address", "02:00:00:00:01:00")
        self.known()
        self.assertEqual(guest.hears(HOST), 3)
        questions = self.neighbours()[0]["questions"]
        self.assertEqual(questions, 0)

    def test_a_network_that_goes_while_frames_are_sent(self):
        """What was learned behind a tunnel must not lead anywhere once the tunnel is not there."""
        family = FAMILIES[4]
        self.below(family)
        self.vxlan(family)
        one = self.interface("acme", "one", 1)
        networks = {"acme": self.tunnel(family)}
        switch = self.appliance(
            [one], uplinks={"wan0": self.uplink(family)}, networks=networks,
            change=lambda config: config["tenants"]["acme"].update(mac_learning=True))
        guest = TapGuest(self, "one", one, GUEST)
        self.known()
        self.assertEqual(guest.hears(HOST, count=1), 1)
        host = guest.ip("neigh", "show", HOST).stdout.split()
        host = host[host.index("lladdr") + 1].replace(":", "")
        sender = guest.start("sender", network.PYTHON, network.__file__, "frames", "eth0",
                             host + "020000000001" + "88b5" + "00" * 46)
        sender.wait_text("sending")

        def learned():
            return [row for row in switch.show("macs") if row["kind"] == "learned"]

        def apply(beyond):
            switch.networks = {"acme": beyond} if beyond else {}
            switch.write_configuration()
            switch.ask(command="apply", text=switch.config.read_text())
        for round_number in range(ROUNDS):
            # The host behind the tunnel says where it is.
            self.outside.hears(GUEST, count=1)
            harness.wait_for("its MAC is learned", learned, 10)
            # What others change is none of its business, nor is another remote.
            switch.interfaces = [one, self.interface("umbra", f"vm{round_number}", 2)]
            two = self.tunnel(family)
            two["remotes"] = [*two["remotes"], {"address": "192.0.2.9"}]
            for other in (self.tunnel(family), two):
                apply(other)
                self.assertEqual(len(learned()), 1)
            for other in ({**two, "remotes": two["remotes"][1:]}, None):
                apply(other)
                self.assertEqual(learned(), [])
            apply(self.tunnel(family))
            self.known()
        self.assertGreater(switch.counters()["acme/one"]["tx_frames"], 1000)

    def test_isolation(self):
        """Two tenants with equal addresses and two VNIs; frames of the network below are forged."""
        family = FAMILIES[4]
        self.below(family)
        interfaces = [self.interface(name, "vm", 1) for name in ("acme", "umbra", "local")]
        self.appliance(interfaces, uplinks={"wan0": self.uplink(family)}, networks={
            "acme": self.tunnel(family), "umbra": self.tunnel(family, vni=6000)})
        guests = {one.tenant: TapGuest(self, one.tenant, one, GUEST) for one in interfaces}
        self.vxlan(family)
        self.known()
        self.assertEqual(guests["acme"].hears(HOST), 3)
        self.assertEqual(guests["umbra"].hears(HOST, count=2), 0)
        self.assertEqual(guests["local"].hears(HOST, count=2), 0)
        mark = "deadbeef1badcafe"
        sniffers = {name: guest.start(f"sniff {name}", network.PYTHON, network.__file__, "sniff",
                                      "eth0", mark) for name, guest in guests.items()}
        outside = self.outside.start("sniff outside", network.PYTHON, network.__file__, "sniff",
                                     self.veth.there, mark)
        for sniffer in (*sniffers.values(), outside):
            sniffer.wait_text("listening")
        before = self.drops()
        self.forge(family, mark, guests["acme"])
        wanted = {"vxlan_vni": 1, "vxlan_remote": 2, "vxlan_flags": 1, "outer_checksum": 1,
                  "outer_malformed": 1, "tagged": 7, "source_mac": 1}
        self.dropped(before, wanted)
        # One sound frame for umbra: it alone sees it.
        self.wire(family, mark)
        sniffers["umbra"].wait_text("seen")
        time.sleep(0.2)
        self.assertEqual(sniffers["umbra"].text().count("seen"), 1)
        self.assertNotIn("seen", sniffers["local"].text())
        # A guest that writes outer headers itself sends them in its own tunnel.
        seen = outside.text().count("seen")
        guests["umbra"].python("frame", "eth0", vxlan.outer(
            family["us"], family["them"], VNI, vxlan.inner(mark), to="ff" * 6,
            mac="020000000001").hex())
        harness.wait_for("it is wrapped", lambda: outside.text().count("seen") > seen, 10)
        time.sleep(0.2)
        self.assertEqual(sniffers["acme"].text().count("seen"), len(TAGS))
        for one in self.switches[-1].show():
            self.assertEqual(one["tx_frames"], one["counters"]["delivered"] + one["drops"])

    def forge(self, family, mark, guest):
        """From the wire one frame that is wrong in each way, from a guest each kind of tag. (Packet
        sockets join fragments before we see them; unit tests have those.)"""
        self.outside.hears(family["us"], count=1)
        row = self.outside.ip("neigh", "show", family["us"]).stdout.split()
        self.our_mac = row[row.index("lladdr") + 1].replace(":", "")
        for bent in ({"vni": 7}, {"source": "192.0.2.8"}, {"source": "198.51.100.1"},
                     {"flags": 0xf7}, {"checksum": 0x1234}, {"udp_length": 9}, {"frame": vxlan.inner(mark, tag="81000005")},
                     {"frame": vxlan.inner(mark, source="020000000001")}):
            self.wire(family, mark, **bent)
        for tag in TAGS:
            guest.python("frame", "eth0", vxlan.inner(
                mark, "020000000001", tag, to="020000000100").hex())

    def wire(self, family, mark, **bent):
        """A frame of the network below comes in, for umbra unless it is bent."""
        words = {"source": family["them"], "destination": family["us"], "vni": 6000,
                 "frame": vxlan.inner(mark), "to": self.our_mac, **bent}
        self.outside.python("frame", self.veth.there, vxlan.outer(**words).hex())

    # --- who does the work ---

    def sent_through(self, number, offloads):
        """What the kernel gets from a TAP whose driver can compute sums, bytes of some frames."""
        family, name = FAMILIES[number], f"tp{os.getpid()}t"
        one = self.interface("acme", "one", 1)
        # Its driver asks the kernel for the interface, which must be where the appliance is.
        self.switches.append(FarAppliance(
            self, [one], networks={"acme": self.tunnel(family)}, uplinks={"wan0": {
                **self.uplink(family), "device": f"net_tap0,iface={name},mac=fixed",
                "offloads": offloads}}).start())
        self.outside.ip("link", "set", name, "address", "02:00:00:00:01:01", "up")
        self.outside.ip("addr", "add", f'{family["them"]}/{family["prefix"]}', "dev", name, "nodad")
        self.outside.ip("link", "add", "vx0", "type", "vxlan", "id", VNI, "dstport", 4789, "local",
                        family["them"], "remote", family["us"], "dev", name)
        self.outside.up("vx0", HOST, mtu=1500 - family["overhead"])
        guest = TapGuest(self, f"guest{len(self.switches)}", one, GUEST)
        self.known()
        self.assertEqual(guest.hears(HOST), 3, "the kernel takes our checksums")
        done = self.switches[-1].show("uplinks")[0]["offloads"]
        wanted = ("ipv4_checksum" if number == 4 else "udp_checksum") if offloads != "none" else None
        if (number, offloads) != (4, "auto"):
            self.assertEqual(wanted in done, wanted is not None, done)
        mark = "0ffbeef00ffbeef0"
        listener = self.outside.start(f"capture{len(self.switches)}", network.PYTHON, vxlan.__file__,
                                      "capture", name, mark, 4)
        listener.wait_text("listening")
        for more in (0, 1, 500, 1301):
            guest.python("frame", "eth0", vxlan.inner(mark, "020000000001").hex() + "5a" * more)
        listener.wait()
        guest.process.kill()
        self.switches[-1].stop()
        return listener.text().splitlines()[-4:]

    def test_the_wire_is_the_same_whoever_does_the_work(self):
        for number, lists in ((4, ("none", "auto", ["ipv4_checksum"])),
                              (6, ("none", "auto", ["udp_checksum"]))):
            software, *others = [self.sent_through(number, offloads) for offloads in lists]
            self.assertEqual(len(software), 4)
            for other in others:
                self.assertEqual(other, software)

    def test_plan(self):
        """What the devices of this machine can, and what is a worker's."""
        family = FAMILIES[6]
        config = self.directory / "plan.json"
        config.write_text(json.dumps({
            "dataplane": {"worker_cores": [0]}, "classes": {"gold": {"bid": 16}},
            "uplinks": {"wan0": self.uplink(family),
                        "tap": {**self.uplink(family), "device": f"net_tap0,iface=tp{os.getpid()}t"},
                        "away": {"device": "net_af_packet9,iface=nowhere"}},
            "tenants": {"acme": {"network": {**self.tunnel(family), "uplink": "tap"}},
                        "umbra": {"network": {"uplink": "wan0", "vlan": 5}}}}))
        ran = subprocess.run([harness.BUILD / "app/turnpike/turnpike", "plan", config, "-j"],
                             capture_output=True, text=True, timeout=60, check=True)
        rows = json.loads(ran.stdout)
        done = {(row["uplink"], row["wish"]): row["done_by"] for row in rows if "wish" in row}
        self.assertEqual(done["tap", "outer UDP checksum"], "hardware")
        self.assertEqual(done["tap", "segmentation (TSO)"], "refused")
        self.assertEqual(done["wan0", "frames to several workers"], "software")
        self.assertEqual(done["away", "what the device can"], "unknown")
        mtu = {row["tenant"]: row["guest_mtu"] for row in rows if "guest_mtu" in row}
        self.assertEqual(mtu, {"acme": 1430, "umbra": 1500})

    # --- two of us ---

    def check_two(self, number):
        family = FAMILIES[number]
        first, second = self.interface("acme", "one", 1), self.interface("acme", "two", 2)
        swapped = {**family, "us": family["them"], "them": family["us"]}
        self.appliance([first], uplinks={"wan0": self.uplink(family)}, networks={
            "acme": self.tunnel(family, macs=[second.mac], flood=True)})
        far = FarAppliance(self, [second], uplinks={"wan0": {
            **self.uplink(swapped), "device": f"net_af_packet0,iface={self.veth.there}"}},
            networks={"acme": self.tunnel(swapped, macs=[first.mac])})
        self.switches.append(far.start())
        here = TapGuest(self, "one", first, GUEST)
        there = TapGuest(self, "two", second, "10.0.0.2")
        for guest in (here, there):
            guest.ip("link", "set", "eth0", "mtu", 1500 - family["overhead"])
        self.known(self.switches[0])
        self.known(far)
        self.assertEqual(here.hears("10.0.0.2"), 3)
        self.assertEqual(there.hears(GUEST, size=1500 - family["overhead"] - 28), 3)
        self.assertTrue(transfer(here.namespace, there.namespace, "10.0.0.2", 8 * MIB))
        self.assertTrue(transfer(there.namespace, here.namespace, GUEST, 8 * MIB))

    def test_two_appliances_ipv4(self):
        self.check_two(4)

    def test_two_appliances_ipv6(self):
        self.check_two(6)


class TwoWorkers(Beyond):
    """The uplink is one worker's, the tenants are dealt out: whoever receives a frame delivers it."""

    worker_cores = sorted(os.sched_getaffinity(0))[:2]

    def test_frames_of_another_workers_tenant(self):
        family = FAMILIES[4]
        self.below(family)
        self.vxlan(family)
        first = self.interface("acme", "vm", 1)
        interfaces = [self.interface("umbra", name, number)
                      for number, name in enumerate(("vm", "peer"), 2)]
        self.appliance([first, *interfaces], uplinks={"wan0": self.uplink(family)},
                       networks={"acme": self.tunnel(family, vni=1), "umbra": self.tunnel(family)})
        self.known()
        here, peer = (TapGuest(self, one.name, one, address)
                      for one, address in zip(interfaces, (GUEST, "10.0.0.2")))
        for guest in (here, peer):
            guest.ip("link", "set", "eth0", "mtu", 1450)
        size = 8 * MIB
        # Two workers write to one ring at the same time: one from the wire, one from a guest.
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            done = [pool.submit(transfer, source, here.namespace, GUEST, size, port)
                    for source, port in ((self.outside, 5001), (peer.namespace, 5002))]
            done.append(pool.submit(transfer, here.namespace, self.outside, HOST, size, 5003))
            self.assertEqual([one.result() for one in done], [True] * 3)
        workers = {row["worker"]: row for row in self.switches[-1].show("workers")}
        self.assertEqual(len(workers), 2)
        for row in workers.values():
            self.assertGreater(row["frames"], 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
