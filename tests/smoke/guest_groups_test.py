#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Groups of devices: a load of their own, figures of their own; and devices that turn deaf."""
import unittest

from load_harness import LoadScenario, lines_of, offered


def groups_of(run):
    return {group["name"]: group for group in run["groups"]}


class Groups(LoadScenario):
    def test_groups_have_their_own_load(self):
        """Two kinds of senders and a receiver: each kind's rate and size, told apart."""
        self.backend("--look-up", "02:00:00:00:00:01", count=6)
        run = self.run_of("--count", 6, "--talk", "star", "--group", "gold=1",
                          "--group", "bronze=3-5/2,4", "--rate", "none", "--rate",
                          "gold=20kpps", "--rate", "bronze=10kpps/total", "--size",
                          "bronze=700", "--seconds", 1, "--per-flow", "--warm-up", 0)
        self.expect_clean(run)
        groups = groups_of(run)
        self.assertEqual({name: group["devices"] for name, group in groups.items()},
                         {"others": 2, "gold": 1, "bronze": 3})
        gold, bronze = groups["gold"], groups["bronze"]
        self.assertGreater(offered(gold), 1000)
        self.assertLess(offered(gold) / run["seconds"], 21e3)
        self.assertAlmostEqual(offered(gold) / offered(bronze), 2, delta=0.2)
        self.assertEqual(gold["tx_bytes"], 64 * gold["tx_frames"])
        self.assertEqual(bronze["tx_bytes"], 700 * bronze["tx_frames"])
        # By sender, and by receiver: all of it is the first device's, which sends nothing.
        received = {name: group["from"]["order"]["received"] for name, group in groups.items()}
        self.assertEqual(received["others"], 0)
        self.assertEqual(received["gold"] + received["bronze"],
                         groups["others"]["order"]["received"])
        self.assertEqual({flow["from"]: flow["received"] for flow in run["per_flow"]
                          if flow["sent"]}.keys(), {1, 3, 4, 5})
        for group in (gold, bronze):
            self.assertEqual(group["order"]["sent"], 0)
            self.assertAlmostEqual(group["from"]["mpps"] * 1e6 * run["seconds"],
                                   group["tx_frames"], delta=600)
            self.assertGreater(group["from"]["latency_us"]["p50"], 0)
            self.assertLessEqual(group["from"]["waiting"], 256 * group["devices"])
        self.assertEqual(sum(group["from"]["latency_us"]["count"] for group in groups.values()),
                         run["latency_us"]["count"])

    def test_a_group_that_comes_and_goes(self):
        self.backend("--look-up", "02:00:00:00:00:01", count=4)
        run = self.run_of("--count", 4, "--talk", "star", "--group", "often=1", "--group",
                          "seldom=2", "--rate", "20kpps", "--arrival",
                          "seldom=on-off:50ms,150ms", "--seconds", 1, "--warm-up", 0)
        groups = groups_of(run)
        self.assertAlmostEqual(offered(groups["seldom"]) / offered(groups["often"]),
                               0.25, delta=0.1)

    def test_devices_turn_deaf_and_hear_again(self):
        self.backend()
        commands = ["set rate 10kpps", "set deaf 1", "run 0.3", "set deaf 2", "set slow 0:0",
                    "set deaf none", "set slow 0:500", "run 0.3", "set slow none", "run 0.3"]
        text, _ = self.talk(commands, "--json", "--per-device", "--warm-up", 0)
        answers = lines_of(text)[1:]
        self.assertEqual([next(iter(answer)) for answer in answers],
                         ["ok", "ok", "run", "error", "error", "ok", "ok", "run", "ok", "run"])
        heard = [[device["rx_frames"] for device in answer["run"]["per_device"]]
                 for answer in answers if "run" in answer]
        self.assertEqual(heard[0][1], 0)
        self.assertGreater(heard[0][0], 500)
        self.assertLess(heard[1][0], 400)
        self.assertGreater(heard[1][1], 500)
        self.assertGreater(min(heard[2]), 500)

    def test_a_load_for_all_ends_those_of_groups(self):
        self.backend(count=4)
        text, _ = self.talk(["set rate a=none", "run 0.2", "set rate 10kpps", "run 0.2"],
                            "--json", "--count", 4, "--group", "a=0-1", "--group", "b=2-3")
        sent = [[group["tx_frames"] for group in answer["run"]["groups"]]
                for answer in lines_of(text) if "run" in answer]
        self.assertEqual(sent[0][0], 0)
        self.assertGreater(min(sent[0][1], *sent[1]), 500)


if __name__ == "__main__":
    unittest.main(verbosity=2)
