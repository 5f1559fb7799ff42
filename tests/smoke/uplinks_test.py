#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Guests reach hosts behind an uplink, a veth whose far end is in a namespace of the test's own:
untagged and in VLANs of the kernel's own driver, each tenant its own and nothing else; the link
goes down and comes back, the device goes away and comes back."""

import json
import os
import signal
import subprocess
import time
import unittest

import harness
import network
from linux_guest import LinuxGuest, build_image
from network import Namespace, TapGuest, announcement, transfer
from wired import Wired

HOST = "10.0.0.100"
NETWORK = harness.ROOT / "tests/smoke/network.py"
MIB = 1 << 20
UNFILTERED = {"system_call_filter": "off"}  # XDP's driver loads a program into the kernel


def unfiltered(configuration):
    configuration["process"] = UNFILTERED


def setUpModule():
    build_image()


class Uplinks(Wired):
    def check_reach(self, beyond, host):
        """Two kinds of guests and a host: ping, full frames, TCP both ways."""
        alice, tap = self.interface("acme", "alice", 1), self.interface("acme", "tap", 2)
        self.appliance([alice, tap], **beyond)
        linux = LinuxGuest(self, "alice", alice, "10.0.0.1",
                           {"event_idx": "on", "guest_announce": "off"})
        guest = TapGuest(self, "tap", tap, "10.0.0.2")
        harness.wait_for("an echo", lambda: host.hears("10.0.0.2", count=1))
        for sender, address in ((host, "10.0.0.2"), (guest, HOST)):
            self.assertEqual(sender.hears(address), 3, address)
            self.assertEqual(sender.hears(address, size=1472), 3, f"{address}, full frames")
        self.assertTrue(transfer(host, guest.namespace, "10.0.0.2", 16 * MIB))
        self.assertTrue(transfer(guest.namespace, host, HOST, 16 * MIB))
        linux.ready()
        self.assertIn("3 packets received", linux.run(f"ping -c 3 -i 0.2 -W 5 {HOST}"))
        self.assertIn("3 packets received", linux.run(f"ping -c 3 -i 0.2 -W 5 -s 1472 {HOST}"))
        self.assertEqual(guest.hears("10.0.0.1"), 3, "between guests")
        self.check_linux_tcp(linux, host)
        # What does not fit the uplink is dropped by its name.
        guest.ip("link", "set", "eth0", "mtu", 1600)
        self.assertEqual(guest.hears(HOST, size=1500, count=2), 0)
        self.assertGreater(self.switches[-1].counters()["acme/tap"]["counters"]["over_mtu"], 0)
        counted = self.check_sums()
        self.assertGreater(counted["received_bytes"], 16 * MIB)
        self.assertGreater(counted["sent_bytes"], 16 * MIB)
        return linux

    def check_linux_tcp(self, linux, host):
        """An unmodified Linux guest sends 4 MiB: every checksum is right at the far end."""
        server = host.start("linux-serve", "/usr/bin/python3", NETWORK, "serve", 5001, 4 * MIB)
        server.wait_text("listening")
        linux.run("dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null")
        linux.run(f"nc -w 10 {HOST} 5001 </tmp/data", 120)
        server.wait()
        self.assertEqual(linux.run("sha256sum /tmp/data").split()[0], server.text().split()[-1])

    def test_untagged(self):
        beyond = self.wire(acme={"uplink": "wan0"})
        self.outside.up(self.veth.there, HOST)
        self.check_reach(beyond, self.outside)

    def test_a_load_generator_answers(self):
        """turnpike-guest in the mode icmpecho, for any address."""
        beyond = self.wire(acme={"uplink": "wan0"})
        self.outside.up(self.veth.there, HOST)
        echo = self.interface("acme", "echo", 1)
        self.appliance([echo], **beyond)
        self.start("echo", [harness.BUILD / "app/turnpike-guest/turnpike-guest", "--socket",
                            echo.socket, "--mac", echo.mac, "--", "--forward-mode=icmpecho"])
        harness.wait_for("an echo", lambda: self.outside.hears("10.0.0.3", count=1))
        self.assertEqual(self.outside.hears("10.0.0.77"), 3)
        self.assertEqual(self.outside.hears("10.0.0.77", size=1472), 3)
        # The packet socket's driver has the kernel join fragments: they are too long then.
        self.assertEqual(self.outside.hears("10.0.0.77", size=2000, count=1), 0)
        self.assertEqual(self.check_sums()["over_mtu"], 1)

    def test_strangers_do_not_take_what_guests_may_learn(self):
        """More MACs come from the wire than a tenant learns: guests have their share all the same."""
        beyond = self.wire(acme={"uplink": "wan0"})
        vm = self.interface("acme", "vm", 1)

        def learn(config):
            acme = config["tenants"]["acme"]
            acme["mac_learning"] = {"per_interface": 8, "per_tenant": 40}
            acme["interfaces"]["vm"]["source_mac_check"] = False
        self.appliance([vm], learn, **beyond)
        guest = TapGuest(self, "vm", vm, "10.0.0.2")

        def learned(interface):
            return sum(row["kind"] == "learned" and row["interface"] == interface
                       for row in self.switches[-1].show("macs"))
        for _ in range(2):
            self.outside.python("strangers", self.veth.there, 200)
            harness.wait_for("strangers are learned", lambda: learned("wan0") >= 32)
            guest.python("strangers", "eth0", 20, "0abb")
            harness.wait_for("a guest's MACs are learned", lambda: learned("vm") == 8, 10)
            self.assertEqual(learned("wan0"), 32)
        self.check_sums()

    def test_vlan(self):
        beyond = self.wire(acme={"uplink": "wan0", "vlan": 100})
        self.outside.up(self.veth.vlan(100), HOST)
        linux = self.check_reach(beyond, self.outside)
        # QEMU's own announcement, as after a migration.
        sniffer = self.outside.start("sniff vlan100", "/usr/bin/python3", NETWORK, "sniff", "vlan100",
                                     announcement(linux.interface.mac))
        sniffer.wait_text("listening")
        linux.command("announce_self")
        sniffer.wait_text("seen")
        self.check_sums()

    def two_hosts(self):
        """A guest of a tenant in a VLAN, whose host is in the namespace `inside`, and of one without
        a tag, whose host is outside. What lies beyond, the guests' interfaces, `inside`."""
        beyond = self.wire(acme={"uplink": "wan0", "vlan": 100}, umbra={"uplink": "wan0"})
        inside = Namespace(self, "inside")
        inside.up(self.veth.vlan(100, inside), HOST)
        self.outside.up(self.veth.there, HOST)
        return beyond, [self.interface(name, "vm", 1) for name in ("acme", "umbra")], inside

    def test_two_workers(self):
        """Frames come in at one worker for guests of another; rings move while TCP runs."""
        self.worker_cores = sorted(os.sched_getaffinity(0))[:2]
        beyond, interfaces, inside = self.two_hosts()
        switch = self.appliance(interfaces, **beyond)
        self.assertEqual({one["worker"] for one in switch.show()}, {0, 1})
        acme, umbra = (TapGuest(self, one.tenant, one, "10.0.0.1") for one in interfaces)
        for guest, host in ((acme, inside), (umbra, self.outside)):
            harness.wait_for("an echo", lambda guest=guest: guest.hears(HOST, count=1))
            flood = host.start(f"flood-{guest.name}", "busybox", "ping", "-i", "0.001", "-s", "1000",
                               "10.0.0.1")
            for number in range(6):
                for tenant in ("acme", "umbra"):
                    switch.ask(command="move", tenant=tenant, worker=number % 2)
                self.assertEqual(guest.echoes(HOST), 1)
            self.assertTrue(transfer(guest.namespace, host, HOST, 8 * MIB))
            self.assertTrue(transfer(host, guest.namespace, "10.0.0.1", 8 * MIB))
            flood.stop()
        self.check_sums()

    def test_workers_come_and_go(self):
        """One worker becomes two and two become one, under traffic; queues stay, and have other
        owners; rings that one worker wrote to are several workers'."""
        first, second = sorted(os.sched_getaffinity(0))[:2]
        beyond, interfaces, inside = self.two_hosts()
        device = beyond["uplinks"]["wan0"]["device"]
        for start in ([first], [first, second]):
            self.worker_cores = start
            beyond["uplinks"]["wan0"]["device"] = f"{device},qpairs={len(start)}"
            switch = self.appliance(interfaces, **beyond)
            guests = [TapGuest(self, f"{one.tenant}{len(start)}", one, "10.0.0.1")
                      for one in interfaces]
            pairs = list(zip(guests, (inside, self.outside)))
            for guest, _ in pairs:
                harness.wait_for("an echo", lambda guest=guest: guest.hears(HOST, count=1))
            floods = [host.start(f"flood{len(start)}-{guest.name}", "busybox", "ping", "-i",
                                 "0.001", "-s", "1000", "10.0.0.1") for guest, host in pairs]
            config = json.loads(switch.config.read_text())
            for cores in [[first, second], [second], [second, first], [first]] * 2:
                config["dataplane"]["worker_cores"] = cores
                switch.ask(command="apply", config=config)
                owners = self.uplink()["workers"]
                self.assertEqual(len(owners), len(start))
                self.assertEqual(set(owners), set(range(min(len(cores), len(start)))))
                if len(cores) == 2:
                    switch.ask(command="move", tenant="umbra", worker=0)
                    switch.ask(command="move", tenant="acme", worker=1)
                for guest, host in pairs:
                    self.assertEqual(guest.echoes(HOST), 1)
                    self.assertTrue(transfer(guest.namespace, host, HOST, MIB))
                    self.assertTrue(transfer(host, guest.namespace, "10.0.0.1", MIB))
            for flood in floods:
                flood.stop()
            config["dataplane"]["worker_cores"] = list(range(5))
            with self.assertRaisesRegex(AssertionError, "mbufs for 4 workers at most"):
                switch.ask(command="apply", config=config)
            self.check_sums()
            for guest in guests:
                guest.process.stop()
            switch.stop()

    def test_the_stand_in_for_vlan_interfaces(self):
        """What stands in for the kernel's VLAN interfaces loses nothing while it gets no CPU."""
        self.wire()
        inside = Namespace(self, "inside")
        vlan = self.veth.vlan(100, inside)
        inside.up(vlan, HOST)
        stand_in = self.processes[-1].child
        stand_in.send_signal(signal.SIGSTOP)
        for tag, count in (("", 2000), ("81000064", 1000), ("81000065", 2000), ("81002064", 1000)):
            network.frame(self.veth.here, "ff" * 6 + "020000000099" + tag + "88b5" + "00" * 1400,
                          count)
        stand_in.send_signal(signal.SIGCONT)
        rx = f"/sys/class/net/{vlan}/statistics/rx_packets"
        harness.wait_for("all 2000 of the VLAN",
                         lambda: int(inside.run("cat", rx).stdout) == 2000, 20)

    # --- isolation ---

    def two_tenants(self):
        """Two tenants with the same MAC and address in two VLANs, each with a host; and what
        has no tag is a third's."""
        beyond = self.wire(acme={"uplink": "wan0", "vlan": 100},
                           umbra={"uplink": "wan0", "vlan": 200},
                           plain={"uplink": "wan0"})
        tenants = {}
        interfaces = [self.interface(name, "vm", 1) for name in ("acme", "umbra", "plain")]
        self.appliance(interfaces, **beyond)
        for interface, vlan in zip(interfaces, (100, 200, None)):
            name = interface.tenant
            host = Namespace(self, f"{name}-host") if vlan else self.outside
            device = self.veth.vlan(vlan, host) if vlan else self.veth.there
            host.up(device, HOST)
            tenants[name] = (TapGuest(self, name, interface, "10.0.0.1"), host, device)
        return tenants

    def sniffers(self, tenants, mark):
        """Everybody who may see frames with this mark."""
        found = {}
        for name, (guest, host, device) in tenants.items():
            for who, namespace, interface in ((f"{name} guest", guest.namespace, "eth0"),
                                              (f"{name} host", host, device)):
                found[who] = namespace.start(f"sniff {mark[-8:]} {who}", "/usr/bin/python3", NETWORK, "sniff", interface, mark)
        for sniffer in found.values():
            sniffer.wait_text("listening")
        return found

    def test_tenants_with_equal_addresses(self):
        tenants = self.two_tenants()
        for name, (guest, host, _) in tenants.items():
            self.assertEqual(guest.hears(HOST), 3, name)
            self.assertEqual(host.hears("10.0.0.1"), 3, name)
        # Each has its own host: a frame from one guest is seen by one host alone.
        guest_mac, mark = "020000000001", "c0ffee00c0ffee00"
        seen = self.sniffers(tenants, mark)
        tenants["umbra"][0].python("frame", "eth0", "ff" * 6 + guest_mac + "88b5" + mark + "00" * 46)
        seen["umbra host"].wait_text("seen")
        for name, (_, host, device) in tenants.items():
            if name != "umbra":
                host.python("frame", device, guest_mac + "020000000100" + "88b5" + mark + "00" * 46)
                seen[f"{name} guest"].wait_text("seen")
        time.sleep(0.2)
        self.assertEqual(seen["umbra guest"].text().count("seen"), 1)  # its own, as it left
        self.assertEqual(seen["umbra host"].text().count("seen"), 1)
        self.check_sums()

    def test_announcements(self):
        """A guest that has come from another host is announced in its own network, by its own MAC,
        and not without end."""
        tenants = self.two_tenants()
        guest, (mac, foreign) = tenants["acme"][0], (f"02:00:00:00:00:{n:02x}" for n in (1, 2))
        seen = self.sniffers(tenants, announcement(mac))
        others = self.sniffers(tenants, announcement(foreign))

        def announced(name="announcements"):
            return self.switches[-1].counters()["acme/vm"]["counters"][name]
        guest.announce(mac)
        seen["acme host"].wait_text("seen")
        guest.announce(foreign)
        harness.wait_for("it is refused", lambda: announced("announcements_foreign") == 1)
        self.assertEqual(announced(), 1)
        guest.announce(mac, 1000)
        harness.wait_for("most are refused", lambda: announced("announcements_too_many") > 900)
        time.sleep(0.2)
        # Of those that came at once some are one.
        self.assertLess(announced(), 60)
        self.assertEqual(seen["acme host"].text().count("seen"), announced())
        for who, sniffer in (*seen.items(), *others.items()):
            # What has no tag for "plain" leaves by the wire itself, where all tags pass.
            if who == "plain host" or sniffer is seen["acme host"]:
                continue
            self.assertNotIn("seen", sniffer.text(), who)
        self.check_sums()

    def test_forged_tags(self):
        tenants = self.two_tenants()
        guest_mac, host_mac, mark = "020000000001", "020000000100", "deadbeef1badcafe"
        for _, (guest, _, _) in tenants.items():
            guest.hears(HOST, count=1)
        before = self.check_sums()
        seen = self.sniffers(tenants, mark)
        tags = ("810000c8", "81000064", "8100000081000064", "88a800c881000064", "810000c881000064",
                "910000c8")
        for tag in tags:
            for to in (host_mac, "ff" * 6):
                tenants["acme"][0].python(
                    "frame", "eth0", to + guest_mac + tag + "88b5" + mark + "00" * 46)
        # From the wire: a second tag, a VLAN that is nobody's, a guest's MAC as the source.
        for frame in (guest_mac + host_mac + "81000064810000c8" + "88b5",
                      "ff" * 6 + host_mac + "8100006488a800c888b5",
                      guest_mac + host_mac + "8100012c88b5",
                      "ff" * 6 + guest_mac + "8100006488b5"):
            self.outside.python("frame", self.veth.there, frame + mark + "00" * 46)
        wanted = {"tagged": 2, "unknown_vlan": 1, "source_mac": 1}
        harness.wait_for("the wire's frames are dropped by name", lambda: all(
            self.uplink()["counters"][name] - before[name] >= count
            for name, count in wanted.items()), 10)
        self.check_sums()
        time.sleep(0.2)
        for who, sniffer in seen.items():
            # The senders see what they send: one guest, and the wire's untagged end.
            if who not in ("acme guest", "plain host"):
                self.assertNotIn("seen", sniffer.text(), who)
        drops = self.switches[-1].counters()["acme/vm"]["counters"]
        self.assertEqual(drops["tagged"], len(tags))
        self.assertEqual(drops["flood_nobody"], len(tags))

    # --- trouble ---

    def one_tenant(self):
        beyond = self.wire(acme={"uplink": "wan0"})
        self.outside.up(self.veth.there, HOST)
        first, second = self.interface("acme", "one", 1), self.interface("acme", "two", 2)
        self.appliance([first, second], **beyond)
        guests = TapGuest(self, "one", first, "10.0.0.1"), TapGuest(self, "two", second, "10.0.0.2")
        self.assertGreater(guests[0].hears(HOST), 0)
        return guests

    def wait_state(self, state):
        harness.wait_for(f"the uplink is {state}", lambda: self.uplink()["state"] == state, 15)

    def test_link_down_and_up(self):
        one, _ = self.one_tenant()
        self.outside.ip("link", "set", self.veth.there, "down")
        self.wait_state("link down")
        self.assertEqual(one.hears(HOST, count=2), 0)
        self.assertEqual(one.hears("10.0.0.2"), 3)
        counters = self.switches[-1].counters()["acme/one"]["counters"]
        self.assertGreater(counters["uplink_down"] + counters["copies_refused"], 0)
        self.outside.ip("link", "set", self.veth.there, "up")
        self.wait_state("up")
        harness.wait_for("echoes come again", lambda: one.hears(HOST, count=1), 20)
        self.check_sums()

    def test_device_goes_away_under_traffic(self):
        one, _ = self.one_tenant()
        flood = self.outside.start("flood", "busybox", "ping", "-i", "0.002", "-s", "1000",
                                   "10.0.0.1")
        busy = one.start("busy", "busybox", "ping", "-i", "0.002", "-s", "1000", HOST)
        received = self.uplink()["rx_frames"]
        harness.wait_for("traffic", lambda: self.uplink()["rx_frames"] > received + 200)
        self.veth.delete()
        self.wait_state("away")
        self.assertEqual(one.hears("10.0.0.2"), 3, "between guests nothing has changed")
        counters = self.switches[-1].counters()["acme/one"]["counters"]
        self.assertGreater(counters["uplink_down"] + counters["copies_refused"], 0)
        flood.stop()
        busy.stop()
        self.veth.make()
        self.outside.up(self.veth.there, HOST)
        self.wait_state("up")
        harness.wait_for("echoes come again", lambda: one.hears(HOST, count=1), 20)
        self.check_sums()

    # --- configurations ---

    def refused(self, uplinks, **more):
        """What turnpiked says of a configuration that it does not take."""
        directory = self.directory / "refused"
        directory.mkdir(exist_ok=True)
        config = directory / "config.json"
        config.write_text(json.dumps({
            "dataplane": {"worker_cores": [max(os.sched_getaffinity(0))],
                          "control_socket": f"{directory}/control.sock"},
            "classes": {"gold": {"bid": 16}}, "uplinks": uplinks, **more,
            "tenants": {"acme": {"network": {"uplink": next(iter(uplinks))}}}}))
        ran = subprocess.run([harness.BUILD / "app/turnpiked/turnpiked", "--no-shconf",
                              "--no-telemetry", f"--file-prefix=refused{os.getpid()}", "--",
                              "--config", config], capture_output=True, text=True, timeout=60,
                             check=False)
        self.assertEqual(ran.returncode, 1, ran.stderr)
        return ran.stderr

    def test_devices_that_cannot_be(self):
        said = self.refused({"wan0": {"device": "net_af_packet0,iface=nowhere0"}})
        self.assertIn('$.uplinks.wan0.device: found "net_af_packet0,iface=nowhere0"', said)
        self.assertIn("found interface nowhere0, which the kernel does not have; accepted: one of "
                      "lo", said)
        said = self.refused({"wan0": {"device": "net_af_packet0"}})
        self.assertIn("found no iface=NAME in it", said)
        said = self.refused({"wan0": {"device": "0000:fe:1f.7"}})
        self.assertIn("which is not on this machine's PCI bus", said)
        said = self.refused({"wan0": {"device": "net_nothing0"}})
        self.assertIn("DPDK cannot open it: ", said)
        # Another process has the interface's queue.
        self.wire()
        device = {"device": f"net_af_xdp0,iface={self.veth.here}"}
        self.appliance([self.interface("other", "vm", 2)], uplinks={"wan0": device},
                       change=unfiltered)
        self.assertIn("$.process.system_call_filter", self.refused({"wan0": device}))
        said = self.refused({"wan0": device}, process=UNFILTERED)
        self.assertIn("device cannot be given its queues", said)
        self.assertIn("accepted: one that nothing else uses, with room for 1 queues", said)

    def test_several_uplinks(self):
        """Each tenant by its own, of other kinds as well: XDP, a TAP of the kernel, nothing."""
        beyond = self.wire(acme={"uplink": "wan0"}, umbra={"uplink": "tap"}, none={"uplink": "nil"})
        tap = f"{self.veth.here}t"
        beyond["uplinks"] = {"wan0": {"device": f"net_af_xdp0,iface={self.veth.here}"},
                             "tap": {"device": f"net_tap0,iface={tap}"},
                             "nil": {"device": "net_null0,no-rx=1"}}
        self.outside.up(self.veth.there, HOST)
        interfaces = [self.interface(name, "vm", 1) for name in ("acme", "umbra", "none")]
        self.appliance(interfaces, change=unfiltered, **beyond)
        acme, umbra = (TapGuest(self, one.tenant, one, "10.0.0.1") for one in interfaces[:2])
        # What XDP is given at last it may hand on with the next frame only: again and again.
        harness.wait_for("an echo", lambda: acme.hears(HOST, count=1))
        sniffer = self.start("sniff tap", ["/usr/bin/python3", NETWORK, "sniff", tap, "0a000077"])
        sniffer.wait_text("listening")
        self.assertEqual(umbra.hears("10.0.0.119", count=1), 0)
        sniffer.wait_text("seen")
        shown = {one["name"]: one for one in self.switches[-1].show("uplinks")}
        self.assertEqual([shown[name]["driver"] for name in ("wan0", "tap", "nil")],
                         ["net_af_xdp", "net_tap", "net_null"])
        self.assertEqual(shown["nil"]["tx_frames"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
