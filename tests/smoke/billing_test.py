#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bills of a running appliance: by whatever they are divided the sums are the same, they survive
restarts and deaths, and the commands of docs/billing.md do what stands there."""
import csv
import datetime
import io
import json
import re
import shlex
import socket
import subprocess
import time
import unittest

import harness
from harness import BUILD, ROOT, SWITCH
from load_harness import LoadScenario

TURNPIKE = str(BUILD / "app/turnpike/turnpike")
LIGHT = ("--rate", "20kpps", "--seconds", 0.5)
AMOUNTS = ("frames", "bytes", "sixteenths")


class Appliance(harness.Appliance):
    """With a ledger, unless the scenario wants none; bronze for odd interfaces."""

    def configuration(self):
        config = super().configuration()
        config["classes"]["bronze"] = {"bid": 2, "on_full": {"hold": "1s"}}
        config["tenants"]["umbra"]["budget"] = self.scenario.budget
        if self.scenario.ledger is not None:
            config["billing"] = {"directory": str(self.scenario.ledger),
                                 "interval": self.scenario.interval}
        return config


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Billing(LoadScenario):
    budget = {"credits_per_second": 10**9, "burst": 10**6}

    def serve(self, ledger=True, interval="1s"):
        """Two tenants with two interfaces each, one of class gold and one of class bronze."""
        self.ledger = self.directory / "ledger" if ledger else None
        self.interval = interval
        interfaces = [self.interface(tenant, f"vm{number}", number + 1,
                                     **{"class": ("gold", "bronze")[number]})
                      for tenant in ("acme", "umbra") for number in range(2)]
        self.switches.append(Appliance(self, interfaces))
        return self.switches[-1].start()

    def load(self, appliance):
        """Frames between the guests of each tenant; afterwards nothing moves."""
        run = self.run_of(*LIGHT, "--config", appliance.config, to=False)
        self.assertGreater(run["order"]["received"], 1000)

    def run_bill(self, appliance, *arguments, status=0):
        done = subprocess.run([TURNPIKE, "-s", appliance.control, "bill", *arguments], text=True,
                              capture_output=True, timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, status, done)
        return done.stdout if status == 0 else done.stderr

    def bill(self, appliance, *arguments):
        return json.loads(self.run_bill(appliance, "-j", *arguments))

    def totals(self, appliance):
        """The same by tenant, class and interface; and the sum of the rows."""
        bills = {by: self.bill(appliance, "--by", by) for by in ("tenant", "class", "interface")}
        for by, bill in bills.items():
            self.assertEqual(bill["by"], by)
            self.assertEqual(bill["total"], bills["tenant"]["total"])
            for key in AMOUNTS:
                self.assertEqual(sum(row[key] for row in bill["rows"]), bill["total"][key])
        return bills["tenant"]["total"]

    def expect_no_less(self, after, before):
        for key in AMOUNTS:
            self.assertGreaterEqual(after[key], before[key], key)

    def test_sums_are_the_same_however_they_are_divided(self):
        appliance = self.serve()
        self.load(appliance)
        total = self.totals(appliance)
        self.assertEqual(total["interfaces"], 4)
        self.assertEqual(
            {(row["tenant"], row["interface"], row["class"]): [row[key] for key in AMOUNTS]
             for row in self.bill(appliance, "--by", "interface")["rows"]},
            {(one["tenant"], one["name"], one["class"]):
             [one["tx_frames"], one["tx_bytes"], one["counters"]["bill_sixteenths"]]
             for one in appliance.show()})
        for by, columns in (("tenant", 1), ("class", 1), ("interface", 3)):
            rows = list(csv.DictReader(io.StringIO(
                self.run_bill(appliance, "--csv", "--by", by))))
            for key in AMOUNTS:
                self.assertEqual(sum(int(row[key]) for row in rows), total[key])
            self.assertEqual(sum(float(row["credits"]) for row in rows) * 16,
                             total["sixteenths"])
            table = self.run_bill(appliance, "--by", by).splitlines()
            words = next(line for line in table if line.startswith("total")).split()
            self.assertEqual(words[-3:-1], [str(total["frames"]), str(total["bytes"])])
            self.assertEqual(len(words), 3 + max(columns, 2))
        self.assertEqual([row["class"] for row in self.bill(appliance, "--by", "class")["rows"]],
                         ["bronze", "gold"])
        appliance.stop()

    def test_out_of_credit_and_back(self):
        """A tenant that spends more than it gets is demoted, loses no frame by it, and is itself
        again when it has credit."""
        self.budget = {"credits_per_second": 20000, "burst": 20000}
        appliance = self.serve()

        def umbra():
            return next(one for one in appliance.show("tenants") if one["name"] == "umbra")
        self.assertIs(umbra()["demoted"], False)
        run = self.run_of("--rate", "20kpps", "--seconds", 1, "--config", appliance.config,
                          to=False)
        self.expect_clean(run)
        self.assertIs(umbra()["demoted"], True, umbra())
        self.assertLess(umbra()["credit_sixteenths"], 0)
        harness.wait_for("it has credit again", lambda: umbra()["demoted"] is False, 10)
        self.assertGreaterEqual(umbra()["demotions"], 1)
        appliance.stop()

    def test_sums_survive_restart_and_death(self):
        """At the end of an interval, of the appliance, or in the middle of everything."""
        for interval in ("1s", "3600s"):
            with self.subTest(interval):
                self.survive(interval)

    def survive(self, interval):
        appliance = self.serve(interval=interval)
        total = self.totals(appliance)
        self.assertEqual(total["frames"], 0)
        for end in (appliance.stop, appliance.kill, appliance.stop):
            self.load(appliance)
            grown = self.totals(appliance)
            self.expect_no_less(grown, total)
            self.assertGreater(grown["frames"], total["frames"] + 1000)
            if end == appliance.kill:
                harness.wait_for("it is written", lambda: list(self.ledger.glob("current-*")) or
                                 list(self.ledger.glob("ledger-*")), 2)
                time.sleep(1)
            end()
            appliance.start()
            total = self.totals(appliance)
            self.expect_no_less(total, grown)
            self.assertEqual(total["frames"], grown["frames"], "counted once")
            self.assertEqual(self.bill(appliance)["notes"], [])
        self.assertEqual(self.bill(appliance)["directory"], str(self.ledger))
        appliance.stop()
        self.assertEqual(list(self.ledger.glob("current-*")), [])
        names = [path.name for path in self.ledger.iterdir()]
        self.assertTrue(all(re.fullmatch(r"ledger-\d{4}-\d\d\.jsonl", name) for name in names))
        for path in self.ledger.iterdir():
            for line in path.read_text().splitlines():
                self.assertLessEqual({"run", "number", "begin", "end", "charges"},
                                     set(json.loads(line)))
            path.unlink()

    def test_a_torn_line_is_told_once(self):
        appliance = self.serve()
        self.load(appliance)
        total = self.totals(appliance)
        appliance.stop()
        path = next(self.ledger.glob("ledger-*"))
        lines = len(path.read_text().splitlines())
        with path.open("a") as ledger:
            ledger.write('{"run":"17')
        for _ in range(2):
            appliance.start()
            self.assertEqual(self.totals(appliance), total)
            self.assertIn(f"{path.name}: line {lines + 1} is no whole record: skipped",
                          self.bill(appliance)["notes"])
            appliance.stop()
        self.assertEqual(appliance.process.text().count(
            f"{path}: line {lines + 1}: found the first 10 bytes of a record"), 1)

    def test_without_a_ledger(self):
        appliance = self.serve(ledger=False)
        self.load(appliance)
        self.assertGreater(self.totals(appliance)["frames"], 1000)
        self.assertIn("\nnote: kept in memory only", self.run_bill(appliance))
        self.assertIsNone(self.bill(appliance)["directory"])
        appliance.stop()

    def test_times(self):
        appliance = self.serve()
        self.load(appliance)
        total = self.totals(appliance)
        self.assertEqual(self.bill(appliance, "--from", "-1h")["total"], total)
        self.assertEqual(self.bill(appliance, "--to", "-1h")["total"]["frames"], 0)
        self.assertIn("nothing was charged in that time",
                      self.run_bill(appliance, "--to", "2000-01-01"))
        inside = datetime.datetime.fromisoformat(self.bill(appliance)["begin"]) + \
            datetime.timedelta(milliseconds=1)
        cut = inside.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        before, after = self.bill(appliance, "--to", cut), self.bill(appliance, "--from", cut)
        self.assertEqual(before["total"]["frames"] + after["total"]["frames"], total["frames"])
        self.assertIn(f"to {cut} lies inside the interval from ", before["notes"][0])
        self.assertIn("which is counted whole", before["notes"][0])
        self.assertIn(f"from {cut} lies inside the interval from ", after["notes"][0])
        self.assertIn("which is not counted", after["notes"][0])
        self.run_bill(appliance, "--from", "soon", status=2)
        appliance.stop()

    def ask(self, appliance, **request):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(appliance.control))
            client.sendall(json.dumps({"command": "bill", **request}).encode() + b"\n")
            return json.loads(client.makefile().readline())

    def test_requests(self):
        appliance = self.serve()
        self.assertEqual(self.ask(appliance, **{"from": None})["result"]["charges"], [])
        for request, words in (
                ({"from": "yesterday"}, 'bill: from: found "yesterday"; accepted: a date'),
                ({"to": 5}, "bill: to: accepted: a string, a date"),
                ({"from": "-1h", "to": "-2h"}, "accepted: a time after it")):
            self.assertIn(words, self.ask(appliance, **request)["error"])
        appliance.stop()

    def test_one_appliance_a_ledger(self):
        first = self.serve()
        config = json.loads(first.config.read_text())
        config["dataplane"]["control_socket"] += "2"
        for tenant in config["tenants"].values():
            for interface in tenant["interfaces"].values():
                interface["socket"] += "2"
        second = self.directory / "second.json"
        second.write_text(json.dumps(config))
        done = subprocess.run(
            [BUILD / "app/turnpiked/turnpiked", "--no-huge", "-m", "160", "--no-shconf",
             "--no-telemetry", "--", "--config", second], text=True, capture_output=True,
            timeout=harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"billing: {self.ledger}: another appliance keeps its ledger here",
                      done.stderr)
        first.stop()

    def test_commands_of_the_documentation(self):
        appliance = self.serve()
        self.load(appliance)
        commands = [shlex.split(line, comments=True) for block in re.findall(
            r"^```sh\n(.*?)^```", (ROOT / "docs/billing.md").read_text(), re.S | re.M)
            for line in block.splitlines()]
        for words in commands:
            with self.subTest(shlex.join(words)):
                self.assertEqual(words[0], "turnpike")
                done = subprocess.run([TURNPIKE, "-s", appliance.control, *words[1:]], text=True,
                                      capture_output=True, timeout=harness.PATIENCE, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertNotEqual(done.stdout, "")
        self.assertGreaterEqual(len(commands), 5)
        tenants = {one["name"]: one for one in appliance.show("tenants")}
        self.assertIn("credit_sixteenths", tenants["umbra"])
        self.assertIs(tenants["umbra"]["demoted"], False)
        self.assertNotIn("demoted", tenants["acme"])
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
