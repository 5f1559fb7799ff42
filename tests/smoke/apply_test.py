#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The configuration changes while the appliance runs: what is told of it, what is refused, and that
what does not change goes on."""
import copy
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BUILD, PATIENCE, SWITCH, Appliance, wait_for
from load_harness import GUEST, LoadScenario, lines_of

# 1,000 changes in a minute with APPLY_SECONDS=60.
SECONDS = float(os.environ.get("APPLY_SECONDS", 8))
TURNPIKE = BUILD / "app/turnpike/turnpike"


def memory_of(appliance):
    """Memory of its own, in KiB; that of guests is mapped, and not counted."""
    status = pathlib.Path(f"/proc/{appliance.process.child.pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


class Changeable(Appliance):
    """An appliance that is given a configuration, and others later."""

    def __init__(self, scenario, config):
        self.given = config
        super().__init__(scenario, [])

    def configuration(self):
        return self.given

    def turnpike(self, *words, status=0):
        """Run the operator's command; what it printed."""
        done = subprocess.run([TURNPIKE, "-s", self.control, *map(str, words)], text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        self.scenario.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def write(self, config, name="next.json"):
        path = self.scenario.directory / name
        path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
        return path

    def apply(self, config, *words, status=0):
        return self.turnpike("apply", self.write(config), *words, status=status)

    def changes(self, config, *words):
        """What an apply tells, one line each."""
        return self.apply(config, *words).splitlines()[:-1]

    def names(self):
        return [f'{one["tenant"]}/{one["name"]}' for one in self.show()]


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class ApplyScenario(LoadScenario):
    def config(self, **tenants):
        """Classes gold and bronze, and tenants: {name: {interface: number}}."""
        cores = self.worker_cores or [max(os.sched_getaffinity(0))]
        return {
            "dataplane": {"worker_cores": cores,
                          "control_socket": f"{self.directory}/control.sock"},
            "classes": {"gold": {"bid": 16, "weight": 8, "on_full": {"hold": "1s"}},
                        "bronze": {"bid": 2, "on_full": {"hold": "1s"}}},
            "tenants": {
                tenant: {"interfaces": {
                    name: self.entry(tenant, name, number) for name, number in names.items()}}
                for tenant, names in tenants.items()}}

    def entry(self, tenant, name, number, **more):
        return {"mac": f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}", "class": "gold",
                "socket": f"{self.directory}/{tenant}-{name}.sock", **more}

    def serve(self, config):
        self.switches.append(Changeable(self, config))
        return self.switches[-1].start()

    def pods(self, config, tenant="acme", count=4, name="pod", first=256, **more):
        """A counted entry; @return the sockets' pattern."""
        entry = self.entry(tenant, name, first, count=count, **more)
        entry["socket"] = f"{self.directory}/{name}%d.sock"
        config["tenants"].setdefault(tenant, {"interfaces": {}})["interfaces"][name] = entry
        return entry["socket"]


class Told(ApplyScenario):
    """What changes, and how an operator asks for it."""

    def test_the_difference_is_told_and_made(self):
        config = self.config(acme={"vm1": 1, "vm2": 2}, umbra={"phone": 3})
        appliance = self.serve(config)
        after = copy.deepcopy(config)
        acme = after["tenants"]["acme"]
        acme["interfaces"]["vm3"] = self.entry("acme", "vm3", 4)
        del acme["interfaces"]["vm2"]
        acme["interfaces"]["vm1"]["class"] = "bronze"
        acme["budget"] = {"credits_per_second": 5, "burst": 100}
        del after["tenants"]["umbra"]
        after["tenants"]["zeta"] = {}
        after["classes"]["gold"]["weight"] = 16
        after["classes"]["silver"] = {"bid": 8, "rate": "2Gbit/s"}
        after["tariff"] = {"per_frame": 20}
        expected = [
            "~ tariff: per_frame 16 -> 20",
            "~ class gold: weight 8 -> 16",
            "+ class silver: bid 8, weight 1",
            "- tenant umbra",
            "~ tenant acme: budget none -> 5 credits per second, burst 100",
            "+ tenant zeta",
            "- interface acme/vm2",
            "- interface umbra/phone",
            "~ interface acme/vm1: class gold -> bronze",
            "+ interface acme/vm3: class gold, mac 02:00:00:00:00:04, "
            f"socket {self.directory}/acme-vm3.sock",
        ]
        self.assertEqual(appliance.changes(after, "--dry-run"), expected)
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/vm2", "umbra/phone"])
        self.assertEqual(appliance.changes(after), expected)
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/vm3"])
        self.assertEqual([one["name"] for one in appliance.show("tenants")], ["acme", "zeta"])
        self.assertEqual([one["class"] for one in appliance.show()], ["bronze", "gold"])
        self.assertEqual(sorted(path.name for path in self.directory.glob("*-*.sock")),
                         ["acme-vm1.sock", "acme-vm3.sock"])
        told = json.loads(appliance.apply(config, "-j", "--dry-run"))
        self.assertFalse(told["applied"])
        self.assertIn({"change": "set", "kind": "class", "name": "gold", "replaces": False,
                       "fields": [{"field": "weight", "from": "16", "to": "8"}]},
                      told["changes"])
        self.assertTrue(appliance.apply(after).startswith("applied, 0 changes, in "))
        appliance.stop()

    def test_what_is_refused_changes_nothing(self):
        config = self.config(acme={"vm1": 1, "vm2": 2})
        appliance = self.serve(config)
        before = appliance.turnpike("save")
        shown = appliance.names()

        def refused(words, change):
            after = copy.deepcopy(config)
            after["tenants"]["acme"]["interfaces"]["vm3"] = self.entry("acme", "vm3", 3)
            change(after)
            self.assertIn(words, appliance.apply(after, status=1))
            self.assertEqual(appliance.turnpike("save"), before)
            self.assertEqual(appliance.names(), shown)
            self.assertEqual(len(list(self.directory.glob("acme-*.sock"))), 2)

        vm3 = ("tenants", "acme", "interfaces", "vm3")

        def put(path, value):
            def change(config):
                for key in path[:-1]:
                    config = config.setdefault(key, {})
                config[path[-1]] = value
            return change

        refused("$.tenants.acme.interfaces.vm3.class: found \"no\"", put((*vm3, "class"), "no"))
        refused("dataplane.control_socket: found /tmp/other, ", put(("dataplane", "control_socket"), "/tmp/other"))
        refused("found CPU 127", put(("dataplane", "worker_cores"), [127]))
        refused("acme/vm3: ", put((*vm3, "socket"), "/proc/nowhere/vm3.sock"))
        refused("is not a socket", put((*vm3, "socket"), str(appliance.config)))
        self.assertIn("line 1, column", appliance.apply('{"classes": ', status=1))
        self.assertIn("cannot be opened", appliance.turnpike("apply", "/nowhere.json", status=1))
        appliance.stop()

    def test_rollback(self):
        config = self.config(acme={"vm1": 1})
        appliance = self.serve(config)
        self.assertIn("none has been applied", appliance.turnpike("rollback", status=1))
        after = self.config(acme={"vm1": 1, "vm2": 2})
        appliance.apply(after)
        appliance.apply(after)  # changes nothing: there is still something to go back to
        self.assertEqual(appliance.turnpike("rollback").splitlines()[0], "- interface acme/vm2")
        self.assertEqual(appliance.names(), ["acme/vm1"])
        self.assertIn("+ interface acme/vm2", appliance.turnpike("rollback"))
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/vm2"])
        appliance.stop()

    def test_saved_started_and_saved_again(self):
        config = self.config(acme={"vm1": 1}, umbra={"phone": 3})
        self.pods(config, count=3)
        appliance = self.serve(config)
        saved = self.directory / "saved.json"
        appliance.turnpike("save", saved)
        self.assertEqual(saved.read_text(), appliance.config.read_text())
        appliance.turnpike("interface", "set", "acme/pod1", "class=bronze", "rate=1Gbit/s")
        appliance.turnpike("class", "add", "silver", "--bid", "8")
        appliance.turnpike("save", saved)
        shown = appliance.show()
        appliance.stop()
        again = self.serve(json.loads(saved.read_text()))
        self.assertEqual(again.changes(saved.read_text(), "--dry-run"), [])
        again.apply(saved.read_text())
        self.assertEqual(again.turnpike("save"), saved.read_text())
        self.assertEqual([self.identity(one) for one in again.show()],
                         [self.identity(one) for one in shown])
        # The comparison can fail: each of these is another configuration.
        broken = [text for text in (
            saved.read_text().replace('"weight": 8', '"weight": 9'),
            saved.read_text().replace("02:00:00:00:01:02", "02:00:00:00:01:0f"),
            saved.read_text().replace("1Gbit/s", "2Gbit/s"))]
        for text in broken:
            self.assertNotEqual(text, saved.read_text())
            self.assertEqual(len(again.changes(text, "--dry-run")), 1, text)
        again.stop()

    def identity(self, shown):
        return {key: shown[key] for key in ("tenant", "name", "class", "mac", "socket", "mode",
                                            "queue_pairs")}

    def test_single_verbs(self):
        config = self.config(acme={"vm1": 1})
        self.pods(config, count=3)
        appliance = self.serve(config)
        self.assertEqual(
            appliance.turnpike("interface", "add", "acme/vm9", "--mac", "02:00:00:00:00:09",
                               "--class", "gold", "--socket", f"{self.directory}/vm9.sock")
            .splitlines()[0],
            "+ interface acme/vm9: class gold, mac 02:00:00:00:00:09, "
            f"socket {self.directory}/vm9.sock")
        self.assertIn("~ interface acme/vm9: class gold -> bronze, rate of its class -> 2Gbit/s",
                      appliance.turnpike("interface", "set", "acme/vm9", "class=bronze",
                                         "rate=2Gbit/s"))
        self.assertIn("rate 2Gbit/s -> of its class", appliance.turnpike(
            "interface", "set", "acme/vm9", "rate=null"))
        self.assertEqual(appliance.turnpike("interface", "remove", "acme/pod1", "--dry-run")
                         .splitlines()[0], "- interface acme/pod1")
        appliance.turnpike("interface", "remove", "acme/pod1")
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/pod0", "acme/pod2", "acme/vm9"])
        appliance.turnpike("class", "set", "gold", "weight=3", "pinned=true")
        appliance.turnpike("tenant", "add", "zeta", "mac_learning=true")
        appliance.turnpike("tariff", "set", "per_64_bytes=4")
        self.assertEqual([one["weight"] for one in appliance.show("classes")], [3, 1])
        self.assertIn("is there already", appliance.turnpike(
            "interface", "add", "acme/vm9", "class=gold", status=1))
        self.assertIn("interface acme/vm8 is not there", appliance.turnpike(
            "interface", "remove", "acme/vm8", status=1))
        self.assertIn('found tenant "nobody"', appliance.turnpike(
            "interface", "set", "nobody/vm8", "class=gold", status=1))
        self.assertIn("$.tenants.acme.interfaces.vm1.class", appliance.turnpike(
            "class", "remove", "gold", status=1))
        self.assertIn("accepted: add, remove or set", appliance.turnpike(
            "interface", "sit", "acme/vm9", status=2))
        appliance.stop()

    def test_the_file_is_read_again_at_sighup(self):
        appliance = self.serve(self.config(acme={"vm1": 1}))
        appliance.config.write_text(json.dumps(self.config(acme={"vm1": 1, "vm2": 2})))
        appliance.process.child.send_signal(signal.SIGHUP)
        appliance.process.wait_text("applied, 1 change:")
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/vm2"])
        appliance.config.write_text("{")
        appliance.process.child.send_signal(signal.SIGHUP)
        appliance.process.wait_text("SIGHUP: ")
        self.assertEqual(appliance.names(), ["acme/vm1", "acme/vm2"])
        appliance.stop()


class Traffic(ApplyScenario):
    """Guests that talk meanwhile."""

    def load(self, sockets, count, *arguments, name="guest", seconds=None):
        process = self.start(name, [
            GUEST, "--socket", sockets, "--json", "--count", count, "--timeout", 30, *arguments,
            "--seconds", SECONDS if seconds is None else seconds])
        process.wait_text("attached")
        return process

    def clean(self, process, now=False):
        """It ends, or is ended now, and has lost nothing."""
        if now:
            self.assertTrue(process.alive(), process.text())
            process.child.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(120), 0, process.text())
        run = lines_of(process.text())[-1]["run"]
        if now:  # it does not wait long: on a busy machine some are in its rings still
            run["order"]["in_ring"] = 0
        self.expect_clean(run)
        return run

    def expect_sums(self, appliance):
        """Everything that was taken went somewhere, whoever is gone since."""
        summary = appliance.show("summary")["counters"]
        drops = sum(row["frames"] for row in appliance.show("drops"))
        self.assertEqual(summary["tx_frames"], summary["delivered"] + drops)
        for what in ("classes", "tenants"):
            self.assertLessEqual(sum(one["tx_frames"] for one in appliance.show(what)),
                                 summary["tx_frames"])


class Unharmed(Traffic):
    """What does not change goes on."""

    def random_change(self, config, chance):
        """Another configuration, in which the pods are as they were."""
        config = copy.deepcopy(config)
        acme = config["tenants"]["acme"]["interfaces"]
        classes = config["classes"]
        for number in range(6):
            name = f"x{number}"
            acme.pop(name, None)
            if chance.random() < 0.5:
                acme[name] = self.entry("acme", name, number + 1,
                                        **{"class": chance.choice(["gold", "bronze"])})
        acme["turn"]["class"] = chance.choice(sorted(classes))
        acme["turn"].pop("rate", None)
        if chance.random() < 0.3:
            acme["turn"]["rate"] = chance.choice(["20Gbit/s", "30Mpps"])
        for name in ("t0", "t1", "t2"):
            config["tenants"].pop(name, None)
            if chance.random() < 0.5:
                config["tenants"][name] = {"interfaces": {"vm": self.entry(name, "vm", 1)},
                                           "mac_learning": chance.random() < 0.5}
        classes["bronze"]["weight"] = chance.randrange(1, 9)
        classes["iron"]["pinned"] = chance.random() < 0.5
        config["tariff"] = {"per_frame": chance.randrange(1, 40)}
        config["tenants"]["acme"]["budget"] = {
            "credits_per_second": chance.randrange(10**12, 10**13), "burst": 10**12}
        names = list(classes)
        chance.shuffle(names)
        config["classes"] = {name: classes[name] for name in names}
        tenants = list(config["tenants"].items())
        chance.shuffle(tenants)
        config["tenants"] = dict(tenants)
        entries = list(acme.items())
        chance.shuffle(entries)
        config["tenants"]["acme"]["interfaces"] = dict(entries)
        return config

    def test_many_changes_under_full_traffic(self):
        """Pods talk at full rate, and so do two interfaces that change their class, rate and pin
        all the time; others come and go. Nobody who stays loses a frame or sees one twice or
        early."""
        config = self.config(acme={})
        config["classes"]["iron"] = {"bid": 4, "on_full": {"hold": "1s"}}
        pods = self.pods(config)
        turn = self.pods(config, name="turn", first=512, count=2)
        entry = config["tenants"]["acme"]["interfaces"]["turn"]
        appliance = self.serve(config)
        guests = [self.load(pods, 4, "--mac", "02:00:00:00:01:00"),
                  self.load(turn, 2, "--mac", "02:00:00:00:02:00", name="turning")]
        chance = random.Random(7)
        changes, began, resident = 0, time.monotonic(), []
        while all(guest.alive() for guest in guests):
            appliance.ask(command="apply", config=self.random_change(config, chance))
            changes += 1
            resident.append(memory_of(appliance))
            time.sleep(max(0, began + changes * 60 / 1000 - time.monotonic()))
        rate = changes / (time.monotonic() - began)
        for guest in guests:
            self.clean(guest)
        self.expect_sums(appliance)
        summary = appliance.show("summary")
        self.assertEqual(self.expect_bills(appliance),
                         (summary["tx_frames"], summary["bill_sixteenths"]))
        turning = [one for one in json.loads(
            appliance.turnpike("bill", "--by", "interface", "-j"))["rows"]
                   if one["interface"] == "turn0"]
        self.assertEqual({one["class"] for one in turning}, {"bronze", "gold", "iron"})
        by_class = {one["name"]: one["tx_frames"] for one in appliance.show("classes")}
        self.assertEqual(sum(by_class.values()), summary["tx_frames"], by_class)
        print(f"  {changes} changes, {rate:.1f} a second; anonymous memory "
              f"{resident[len(resident) // 4]} then {resident[-1]} KiB", flush=True)
        self.assertGreater(rate, 8)
        self.assertLess(resident[-1], resident[len(resident) // 4] * 1.02 + 512)
        self.assertEqual(entry["count"], 2)
        appliance.stop()


    def test_who_is_removed_hangs_up(self):
        """Its guest is told by the connection, an operator by the log, and frames to it are dropped
        by name; who comes to its place later is another one."""
        config = self.config(acme={})
        config["tenants"]["acme"]["unknown_unicast"] = "drop"
        pods = self.pods(config, count=3)
        appliance = self.serve(config)
        guest = self.load(pods, 3, "--mac", "02:00:00:00:01:00", "--talk", "all", "--reconnect",
                          seconds=60)
        wait_for("pod1 gets frames",
                 lambda: appliance.counters()["acme/pod1"]["rx_frames"] > 1000)
        before = appliance.show("summary")["tx_frames"]
        appliance.turnpike("interface", "remove", "acme/pod1")
        appliance.process.wait_text("acme/pod1: disconnected: its interface is not in the "
                                    "configuration any more")
        self.assertEqual(appliance.names(), ["acme/pod0", "acme/pod2"])
        wait_for("drops by name", lambda: {
            row["name"]: row["frames"] for row in appliance.show("drops")
        }["unknown_destination"] > 1000)
        self.assertGreaterEqual(appliance.show("summary")["tx_frames"], before)
        self.assertFalse((self.directory / "pod1.sock").exists())
        # Another one, at the same place of tables and with the same socket.
        appliance.turnpike("interface", "add", "acme/late", "--mac", "02:00:00:00:01:01",
                           "--class", "bronze", "--socket", f"{self.directory}/pod1.sock")
        wait_for("the guest is back and talks",
                 lambda: appliance.counters()["acme/late"]["tx_frames"] > 1000)
        # and a third one takes that socket over at once
        appliance.turnpike("interface", "set", "acme/late", "queue_pairs=2")
        wait_for("the guest is back again",
                 lambda: appliance.counters()["acme/late"]["tx_frames"] > 1000)
        self.assertEqual(appliance.counters()["acme/late"]["queue_pairs"], 2)
        self.expect_bills(appliance, ["pod0 gold", "pod1 gold", "pod2 gold", "late bronze"])
        guest.stop(signal.SIGINT)
        self.expect_sums(appliance)
        self.expect_bills(appliance, ["pod0 gold", "pod1 gold", "pod2 gold", "late bronze"])
        appliance.stop()

    def expect_bills(self, appliance, names=None):
        """The bills have every frame once, gone interfaces and former classes among them."""
        bill = json.loads(appliance.turnpike("bill", "--by", "interface", "-j"))["rows"]
        if names is not None:
            self.assertEqual(sorted(f'{one["interface"]} {one["class"]}' for one in bill),
                             sorted(names))
        return sum(one["frames"] for one in bill), sum(one["sixteenths"] for one in bill)

    def test_five_thousand_at_once(self):
        """They come and go in less than a second; it took 0.2 s on two quiet cores."""
        memory = tempfile.TemporaryDirectory(prefix="turnpike-", dir="/dev/shm")
        self.addCleanup(memory.cleanup)
        config = self.config(acme={})
        self.pods(config)
        appliance = self.serve(config)
        more = copy.deepcopy(config)
        for tenant in range(10):
            more["tenants"][f"t{tenant}"] = {"interfaces": {
                f"vm{i}": self.entry("t", "vm", i, socket=f"{memory.name}/{tenant}-{i}.sock")
                for i in range(1, 501)}}
        took = []
        for after in (more, config, more, config):
            result = json.loads(appliance.apply(after, "-j"))
            self.assertEqual(len(result["changes"]), 5010)
            took.append(result["milliseconds"])
        print(f"  5,000 interfaces come and go within {took} ms", flush=True)
        self.assertLess(min(took[0], took[2]), 1000)
        appliance.stop()


class OtherWorkers(Traffic):
    """Workers come and go, and get more room, under full traffic."""

    def test_workers_come_and_go(self):
        first, second = sorted(os.sched_getaffinity(0))[:2]
        config = self.config(acme={}, umbra={})
        config["dataplane"]["worker_cores"] = [first]
        pods = self.pods(config, count=4)
        others = self.pods(config, tenant="umbra", count=4, name="vm", first=512)
        appliance = self.serve(config)
        guests = [self.load(pods, 4, "--mac", "02:00:00:00:01:00", seconds=60),
                  self.load(others, 4, "--mac", "02:00:00:00:02:00", name="others", seconds=60)]
        for number, cores in enumerate([[first, second], [second], [second, first], [first]] * 3):
            config["dataplane"]["worker_cores"] = cores
            config["dataplane"]["stay_hot"] = f"{number + 1}ms"
            appliance.ask(command="apply", config=config)
            workers = appliance.show("workers")
            self.assertEqual([one["core"] for one in workers], cores)
            self.assertEqual(sum(one["interfaces"] for one in workers), 8)
            before = [one["frames"] for one in workers]
            if len(cores) == 2 and number % 4 == 0:
                appliance.ask(command="move", tenant="acme", worker=1)
                appliance.ask(command="move", tenant="umbra", interface="vm0", worker=1)
            time.sleep(0.3)
            after = [one["frames"] for one in appliance.show("workers")]
            self.assertGreater(sum(after), sum(before), cores)
        for guest in guests:
            self.clean(guest, now=True)
        self.expect_sums(appliance)
        appliance.stop()

    def test_more_room(self):
        """Thousands of interfaces more than the workers have room for, and away again, while
        others talk."""
        config = self.config(acme={})
        pods = self.pods(config)
        appliance = self.serve(config)
        guest = self.load(pods, 4, "--mac", "02:00:00:00:01:00", seconds=60)
        more = copy.deepcopy(config)
        self.pods(more, tenant="umbra", count=2000, name="vm")
        for _ in range(2):
            appliance.ask(command="apply", config=more)
            self.assertEqual(len(appliance.show()), 2004)
            appliance.ask(command="apply", config=config)
        appliance.process.wait_text("room for 2260 queue pairs")
        self.clean(guest, now=True)
        self.expect_sums(appliance)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
