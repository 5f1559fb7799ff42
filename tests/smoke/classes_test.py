#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/classes runs, its figures agree with each other, and it writes its parts of the page."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from harness import BUILD, ROOT, Scenario

sys.path.insert(0, str(ROOT / "bench"))
from figures import between, histogram_of, quantiles, ratio_of, spread  # noqa: E402
from machine import PACKAGES  # noqa: E402

CASES = {"gold", "shares", "shaping", "deaf", "pinned", "cost", "workers"}
RING = 256  # descriptors
DUE = {"one": 1 / 15, "two": 2 / 15, "four": 4 / 15, "eight": 8 / 15}


class Figures(unittest.TestCase):
    def test_of_rounds(self):
        self.assertEqual(spread([3, 1, 2], 1), "2.0 (1.0 to 3.0)")
        self.assertEqual(ratio_of({0: 1, 1: 4, 2: 9}, {0: 2, 1: 2, 2: 2}), "2.00 (0.50 to 4.50)")
        # A round without one of the two does not count.
        self.assertEqual(ratio_of({0: 1, 1: 9}, {0: 2}), "0.50 (0.50 to 0.50)")
        self.assertEqual(ratio_of({0: 1}, {}), "")

    def test_of_histograms(self):
        before = histogram_of([(10, 5)])
        after = histogram_of([(10, 500), (10, 404), (20, 100), (900, 1)])
        self.assertEqual(between(before, after), {10: 899, 20: 100, 900: 1})
        self.assertEqual(quantiles(between(before, after)),
                         {"p50": 10, "p99": 20, "p999": 20, "most": 900})


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Classes(Scenario):
    def bench(self, *arguments, root=ROOT):
        output = self.directory / "classes.json"
        done = subprocess.run(
            [root / "bench/classes", "--quick", "--seconds", "0.2", "--build", BUILD, "--output",
             output, "--no-install", "--no-real-time", *arguments], timeout=600, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return json.loads(output.read_text())["runs"]

    def test_runs_and_writes(self):
        """In a copy of bench and docs: those of the source stay as they are."""
        page = "docs/performance.md"
        before = (ROOT / page).read_text()
        copy = self.directory / "copy"
        for folder in ("bench", "docs"):
            shutil.copytree(ROOT / folder, copy / folder)
        runs = self.bench("--candidates", "turnpike", "--baseline", BUILD, "--write", root=copy)
        self.assertEqual({run["case"] for run in runs}, CASES)
        for name in CASES:
            with self.subTest(name):
                getattr(self, f"expect_{name}")([run for run in runs if run["case"] == name])
        for run in runs:
            in_deaf_ring = RING if run.get("deaf") else 0  # delivered, and never looked at
            self.assertLessEqual(run.get("lost", 0), run.get("dropped", 0) + in_deaf_ring, run)
        self.expect_page(before, (copy / page).read_text(), runs)
        self.assertEqual((ROOT / page).read_text(), before)

    def expect_gold(self, runs):
        by = {run["what"]: run for run in runs}
        self.assertEqual(len(by), 6)
        for what, run in by.items():
            self.assertLessEqual(run["p50"], run["p99"], run)
            self.assertAlmostEqual(run["gold"] + run["bronze"], run["mpps"],
                                   delta=0.1 * run["mpps"] + 0.01)
            if what.endswith("alone"):
                self.assertEqual(run["bronze"], 0, run)
        self.assertGreater(max(run["bronze"] for run in runs), 0)
        for beside in ("fixed, beside", "full, beside", "narrow, beside"):
            self.assertGreater(by[beside]["waiting"], 0.5)

    def expect_shares(self, runs):
        self.assertEqual([run["candidate"] for run in runs],
                         ["into-one"] * 3 + ["into-four"] * 2)
        for run in runs:
            shares = {name: run[f"share_{name}"] for name in DUE}
            self.assertAlmostEqual(sum(shares.values()), 1)
            self.assertAlmostEqual(run["error"], max(abs(shares[name] / due - 1)
                                                     for name, due in DUE.items()))
            if run["what"] == "equal":  # each frame costs 17 credits
                self.assertAlmostEqual(run["credits"] / 17e6, run["mpps"],
                                       delta=0.1 * run["mpps"] + 0.01)

    def expect_shaping(self, runs):
        unshaped = [run for run in runs if run["what"].startswith("unshaped")]
        rates = [run for run in runs if "feasible" in run]
        self.assertEqual({(run["senders"], run["size"]) for run in unshaped},
                         {(1, "64"), (1, "1500"), (500, "64"), (500, "1500")})
        self.assertEqual(len(rates), 12)
        for run in rates:
            if run["feasible"]:
                self.assertGreaterEqual(run["greatest"], abs(run["error"]))
                self.assertGreater(run["error"], -1)
        for run in runs:
            if run["what"].startswith("cost"):
                self.assertGreater(run["sweeps"], 0)
                self.assertLess(run["busy"], 1.05)

    def expect_deaf(self, runs):
        self.assertEqual([run["deaf"] for run in runs].count(True), 4)
        self.assertEqual(len(runs), 8)
        for run in runs:
            if run["deaf"]:  # what is received is the others'
                self.assertAlmostEqual(run["others"], run["mpps"], delta=1e-6)
            else:
                self.assertLessEqual(run["others"], run["mpps"])
            self.assertLessEqual(run["others_lost"], run["others_sent"])

    def expect_pinned(self, runs):
        self.assertEqual([run["what"] for run in runs],
                         ["beside bronze at full rate", "nobody sends", "a bare spin loop"])
        for run in runs:
            self.assertGreater(run["looks"], 0)
            self.assertTrue(run["p50"] <= run["p99"] <= run["p999"] <= run["most"], run)

    def expect_cost(self, runs):
        self.assertEqual({run["candidate"] for run in runs}, {"turnpike", "baseline"})
        for run in runs:
            self.assertGreater(run["mpps"], 0.01)

    def expect_workers(self, runs):
        for run in runs:
            self.assertGreater(run["sent"], 0)
            for name in ("duplicates", "reordered", "late", "corrupt", "wrong"):
                self.assertEqual(run[name], 0, run)

    def expect_page(self, before, after, runs):
        def parts(text):
            return dict(re.findall(r"<!-- written by bench/classes (\w+), begin -->\n(.*?)"
                                   r"<!-- written by bench/classes \1, end -->", text, re.S))

        def rest(text):
            return re.sub(r"(<!-- written by bench/classes (\w+), begin -->\n).*?"
                          r"(?=<!-- written by bench/classes \2, end -->)", r"\1", text,
                          flags=re.S)
        self.assertEqual(parts(after).keys(), CASES)
        self.assertEqual(rest(before), rest(after))
        for text in parts(after).values():
            self.assertIn("    bench/classes --quick", text)
            self.assertIn("| ---", text)
        error = next(run["error"] for run in runs if run["case"] == "shares")
        self.assertIn(f" {100 * error:.1f} (", parts(after)["shares"])

    @unittest.skipUnless(os.path.exists(PACKAGES["openvswitch-switch-dpdk"]), "no Open vSwitch")
    def test_open_vswitch(self):
        """Its policers drop the flood, and say so; only what was asked for runs."""
        runs = self.bench("--only", "gold", "--candidates", "ovs", "ovs-policed")
        self.assertEqual({run["case"] for run in runs}, {"gold"})
        for run in runs:
            self.assertEqual("command" in run, run["candidate"] == "ovs-policed")
        policed = {run["what"]: run for run in runs if run["candidate"] == "ovs-policed"}
        self.assertGreater(policed["full, beside"]["lost"], policed["full, beside"]["gold_lost"])

    def test_mistakes(self):
        for words, arguments in [("invalid choice: 'silver'", ["--only", "silver"]),
                                 ("no app/turnpiked/turnpiked", ["--baseline", "/nonexistent"]),
                                 ("no turnpike-guest there", ["--build", "/nonexistent"])]:
            done = subprocess.run([ROOT / "bench/classes", "--build", BUILD, *arguments],
                                  text=True, capture_output=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
