#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-guest against a back-end that is honest, cheats, or fails: it says what happened."""
import json
import signal
import subprocess
import unittest

from harness import BUILD, WITH_US, wait_for
from load_harness import BACKEND, GUEST, LoadScenario, lines_of, offered

LIGHT = ("--rate", "200kpps/total", "--seconds", 1, "--warm-up", 0)


class Honest(LoadScenario):
    """Nothing is wrong, and nothing is reported."""

    def try_all(self, *, count=2, backend=(), **named):
        process = self.backend(*backend, count=count)
        for name, arguments in named.items():
            with self.subTest(name):
                run = self.run_of("--count", count, "--seconds", 0.3, "--warm-up", 0, *arguments)
                self.expect_clean(run)
        counters = self.counters(process)
        self.assertEqual(counters["rx"], counters["tx"])

    def test_rings(self):
        self.try_all(
            plain=[], whole=["--verify", "payload"], bursts=["--verify", "burst"],
            mixed_bursts=["--verify", "burst", "--size", "imix"],
            not_mergeable=["--no-mergeable"], indirect=["--indirect"], in_order=["--in-order"],
            interrupts=["--interrupts"], regions=["--two-regions"], offset=["--frame-offset", 64],
            one_by_one=["--attach-one-by-one"], least=["--", "--rxd=64", "--txd=64"],
            most=["--", "--rxd=32768", "--txd=32768"])

    def test_queue_pairs_and_threads(self):
        self.try_all(count=4, queues=["--", "--rxq=4", "--txq=4"], threads=["--", "--nb-cores=2"])

    def test_sizes(self):
        whole = ["--verify", "payload"]
        self.try_all(
            imix=["--size", "imix", *whole], range=["--size", "60-1514", *whole],
            segments=["--", "--txpkts=64,100,36"], odd=["--size", "61", *whole],
            indirect_segments=["--indirect", *whole, "--", "--txpkts=20,1000,1"],
            several_buffers=["--size", "9000", "--buffer-size", "9216", *whole])

    def test_talk_and_times(self):
        self.try_all(
            count=6, backend=["--look-up", "02:00:00:00:00:01"],
            all=["--talk", "all"], star=["--talk", "star"], random=["--talk", "random:1.2"],
            poisson=["--rate", "20kpps", "--arrival", "poisson"],
            bursts=["--rate", "100kpps", "--arrival", "on-off:20ms,30ms"],
            bits=["--rate", "10Mbit/s/total"])

    def expect_rate(self, run):
        self.assertAlmostEqual(offered(run), 100e3, delta=2e3)
        self.assertGreater(run["tx_frames"], 10e3)

    def test_rate_is_kept(self):
        self.backend()
        run = self.run_of("--rate", "50kpps/device", "--seconds", 1)
        self.expect_rate(run)
        run = self.run_of("--rate", "51.2Mbit/s/total", "--size", 64, "--seconds", 1)
        self.expect_rate(run)

    def test_the_talking_set_moves(self):
        self.backend(count=8)
        run = self.run_of("--count", 8, "--talking", 2, "--churn", 0.1, "--per-device",
                          "--seconds", 1, "--rate", "10kpps")
        self.expect_clean(run)
        for device in run["per_device"]:
            self.assertGreater(device["tx_frames"], 1000)
            self.assertLess(device["tx_frames"], 5000)

    def test_deaf_and_slow_guests(self):
        self.backend(count=4)
        run = self.run_of("--count", 4, "--deaf", "1", "--slow", "3:1000", "--per-device",
                          "--rate", "20kpps", "--seconds", 1, "--warm-up", 0)
        received = [device["rx_frames"] for device in run["per_device"]]
        self.assertEqual(received[1], 0)
        # In the second that is measured, and while the rings drain.
        self.assertGreater(received[3], 900)
        self.assertLess(received[3], 2200)
        self.assertAlmostEqual(received[0], run["per_device"][1]["tx_frames"], delta=2000)
        self.assertGreater(received[0], 10000)  # whatever else the machine has to do
        self.assertEqual(run["order"]["reordered"] + run["order"]["duplicates"], 0)

    def test_guests_that_leave_return(self):
        self.backend()
        run = self.run_of("--leave", "1:0.3,0.1", *LIGHT[:2], "--seconds", 2)
        self.assertGreaterEqual(run["reconnects"], 2)
        self.assertEqual(run["order"]["duplicates"] + run["corrupt"] + run["wrong"], 0)
        self.assertGreater(run["order"]["received"], 100e3)


class Cheats(LoadScenario):
    """What the back-end did wrong, and only that, is counted: to the frame."""

    def cheat(self, option, counter, *arguments, count=2):
        backend = self.backend(*option, count=count)
        run = self.run_of("--count", count, *(arguments or LIGHT), "--verify", "payload")
        counters = self.counters(backend)
        self.assertGreater(counters[counter], 0)
        found = {**run["order"], "corrupt": run["corrupt"], "wrong": run["wrong"]}
        found = {name: value for name, value in found.items()
                 if value and name not in ("sent", "received")}
        return counters[counter], found, run

    def test_drops(self):
        done, found, _ = self.cheat(["--drop-every", 2011], "dropped")
        self.assertEqual(found, {"lost": done})

    def test_the_flow_that_lost(self):
        """Device 2 to 3 stands still, so that each drop falls on another flow."""
        backend = self.backend("--drop-every", 5003, count=4)
        run = self.run_of("--count", 4, "--talking", 2, *LIGHT, "--per-flow")
        dropped = self.counters(backend)["dropped"]
        flows = {(flow["from"], flow["to"]): flow for flow in run["per_flow"]}
        self.assertEqual(flows[0, 1]["lost"] + flows[1, 0]["lost"], dropped)
        self.assertEqual(flows[2, 3]["sent"] + flows[3, 2]["sent"], 0)
        self.assertGreater(flows[0, 1]["received"], 10000)

    def test_one_in_a_million(self):
        backend = self.backend("--drop-every", 1000003)
        run = self.run_of("--seconds", 1.5, "--warm-up", 0, "--verify", "burst", timeout=120)
        counters = self.counters(backend)
        self.assertEqual(run["order"]["lost"], counters["dropped"])
        self.assertEqual(counters["dropped"], counters["rx"] // 1000003)

    def test_duplicates(self):
        done, found, _ = self.cheat(["--duplicate-every", 2011], "duplicated")
        self.assertEqual(found, {"duplicates": done})

    def test_reorders(self):
        done, found, _ = self.cheat(["--reorder-every", 2011], "reordered")
        self.assertEqual(found, {"reordered": done})

    def test_corrupts(self):
        done, found, run = self.cheat(["--corrupt-every", 2011], "corrupted")
        self.assertEqual(found, {"corrupt": done, "lost": done})
        self.assertEqual(run["strays"], 0)

    def test_misdelivers(self):
        done, found, _ = self.cheat(["--misdeliver-every", 2011], "misdelivered", count=4)
        self.assertEqual(found, {"wrong": done, "lost": done})

    def test_stalls(self):
        done, found, run = self.cheat(["--stall-every", "0.3:10"], "stalls")
        self.assertGreaterEqual(done, 2)
        self.assertEqual(found, {})
        self.assertGreater(run["latency_us"]["max"], 9900)
        self.assertIn("longest_us", run["stalls"])


class Failures(LoadScenario):
    """Bad input, bad back-ends: a clear message, an exit code, no crash."""

    def test_command_lines(self):
        for words, arguments in [
                ("--frobnicate", ["--frobnicate"]), ("--frobnicate", ["--", "--frobnicate"]),
                ("found no device", []), ("wrong", ["wrong"]), ("wrong", ["--", "wrong"]),
                ('--count: found "0"', ["--count", "0"]), ("unicast MAC", ["--mac", "01:0"]),
                ('size "59": found 59 bytes; accepted: 60 to 9018', ["--size", "59"]),
                ('rate "7"', ["--rate", "7"]), ('talk "me"', ["--talk", "me"]),
                ('arrival "now"', ["--arrival", "now"]), ('verify "some"', ["--verify", "some"]),
                ("--search", ["--search", "max"]), ("--seconds", ["--seconds", "-1"]),
                ("power of two", ["--", "--rxd=100", "--txd=100"]), ("differ", ["--", "--rxq=2"]),
                ('forwarding mode "csum"', ["--", "--forward-mode=csum"]),
                ("--tenant needs", ["--socket", "x", "--tenant", "a"]),
                ("whose classes", ["--config", "x", "--group", "a=0"]),
                ('rate "7"', ["--socket", "x", "--rate", "a=7"]),
                ("both", ["--socket", "x", "--config", "y"])]:
            with self.subTest(arguments):
                self.guest(*arguments, status=2, words=words, to=False)

    def test_values_that_do_not_fit(self):
        self.backend()
        for words, arguments in [
                ("devices 0 to 1", ["--deaf", "2"]), ('slow "1"', ["--slow", "1"]),
                ('leave "1:5"', ["--leave", "1:5"]), ("--cores", ["--cores", "0-"]),
                ("there are only 2", ["--talking", "3"]), ("fit the buffers", ["--size", "2049"]),
                ("there are none", ["--rate", "gold=1pps"]),
                ("accepted: others, gold", ["--group", "gold=1", "--size", "lead=64"]),
                ("each NAME once", ["--group", "gold=1", "--group", "gold=0"]),
                ("each NAME once", ["--group", "gold=1-"]),
                ("device 1 is in another", ["--group", "gold=1", "--group", "lead=0-1"]),
                ("at least 3", ["--talk", "wheel"]),
                ("no group may", ["--group", "a=1", "--rate", "a=1pps", "--search", "ndr"]),
                ("fit the buffers", ["--group", "a=1", "--size", "a=2049"]),
                ("verifying bursts", ["--verify", "burst", "--talk", "all"]),
                ("interrupts", ["--packed"])][:-1]:
            with self.subTest(arguments):
                self.guest("--seconds", 0.1, *arguments, status=1, words=words)

    def test_one_device_alone(self):
        self.backend()
        path = self.sockets.replace("%d", "0")
        self.guest("--seconds", 0.1, to=path, status=1, words="at least 2")
        self.guest("--seconds", 0.1, "--", "--forward-mode=rxonly", to=path)

    def test_what_the_backend_does_not_offer(self):
        self.backend()
        self.guest("--packed", "--seconds", 0.1, status=1, words="features")

    def test_nobody_there(self):
        self.sockets = f"{self.directory}/none%d.sock"
        self.guest("--timeout", 0.3, status=1, words="none0.sock: cannot connect")
        self.guest("--server", "--timeout", 0.3, status=1, words="no back-end connected")
        answers = self.guest("--timeout", 0.3, "--json", status=1)
        self.assertIn("cannot connect", answers[-1]["error"])

    def test_configurations(self):
        config = BUILD.parent / "config/demo.json"
        self.guest("--config", config, "--talk", "all", to=False, status=1,
                   words="choose one with --tenant")
        self.guest("--config", config, "--tenant", "nobody", to=False, status=1,
                   words='no tenant "nobody"')
        self.guest("--config", "/nonexistent", to=False, status=1, words="/nonexistent")

    def test_hang_up(self):
        self.backend("--hang-up-after", 0.5)
        self.guest("--seconds", 20, status=1, words="the back-end hung up")

    def test_hang_up_and_reconnect(self):
        self.backend("--hang-up-after", "0.7:again")
        run = self.run_of("--reconnect", *LIGHT[:2], "--seconds", 3)
        self.assertEqual(run["reconnects"], 2)
        self.assertEqual(run["connected"], 2)
        self.assertEqual(run["corrupt"] + run["wrong"] + run["order"]["duplicates"], 0)
        self.assertGreater(run["order"]["received"], 300e3)

    def test_nonsense(self):
        for kind, words in [("used_index", "used index"), ("used_id", "names descriptor"),
                            ("used_length", "bytes"), ("num_buffers", "says 0 buffers")]:
            with self.subTest(kind):
                backend = self.backend("--nonsense-after", f"0.3:{kind}")
                self.guest("--seconds", 20, "--rate", "10kpps", status=1, words=words)
                backend.stop()


class Console(LoadScenario):
    """testpmd's commands and layout."""

    def test_layout(self):
        self.backend()
        text, _ = self.talk(["show config fwd", "start", "show port stats all", "stop",
                             "run 0.5", "show fwd stats all", "show latency", "help", "quit"])
        for words in ["flowgen packet forwarding - ports=2", "NIC statistics for port 1",
                      "RX-packets: ", "RX-nombuf:", "Throughput (since last show)",
                      "Rx-pps:", "Tx-bps:", "Forward statistics for port 0",
                      "Accumulated forward statistics for all ports", "latency us", "own stalls",
                      "Jain", "set txpkts"]:
            self.assertIn(words, text)

    def test_mistakes(self):
        self.backend()
        _, errors = self.talk(["fly", "stop", "set fwd csum", "set burst x", "show port stats 9",
                               "start", "start", "set fwd io", "run 1", "stop", "quit now"])
        for words in ["Command not found", "not started", 'forwarding mode "csum"',
                      "Bad arguments", "already started", "Please stop forwarding first"]:
            self.assertIn(words, errors)

    def test_json(self):
        self.backend()
        commands = ["set size 128", "set talk pairs", "set rate 10kpps", "run 0.3", "run 0.3 imix",
                    "nonsense", "start", "show port stats all", "clear port stats all",
                    "show latency", "stop", "show config fwd", "search pdr 50 0.05"]
        text, _ = self.talk(commands, "--json")
        answers = lines_of(text)
        self.assertEqual(len(answers), len(commands) + 1)
        attached, *answers = answers
        self.assertEqual(attached["attached"], 2)
        self.assertEqual([next(iter(answer)) for answer in answers],
                         ["ok", "ok", "ok", "run", "run", "error", "ok", "port_stats", "ok",
                          "latency_us", "run", "config", "search"])
        self.assertEqual(answers[3]["run"]["size"], "128")
        self.assertEqual(answers[4]["run"]["size"], "imix")
        self.assertGreater(answers[-1]["search"]["mpps"], 0)
        self.assertEqual(set(answers[-1]["search"]["latency"]), {"10", "50", "90"})

    def test_cleared_before_the_first_start(self):
        self.backend()
        text, _ = self.talk(["clear port stats all", "set rate 10kpps", "start",
                             "show fwd stats all", "stop"], "--json")
        for answer in lines_of(text)[-2:]:
            self.assertLess(answer["run"]["seconds"], 10)
            self.assertLessEqual(answer["run"]["cpu"], 1.1)

    def test_forwarding_modes(self):
        """Two processes: one generates, its frames come back from the other's devices."""
        self.backend("--look-up", "02:00:00:00:00:01", count=4)
        for mode in ("macswap", "5tswap"):
            other = self.start(f"other-{mode}", [GUEST, "--socket", self.sockets, "--first", 2,
                                                 "--mac", "02:00:00:00:00:03", "--", "-i", "-a",
                                                 f"--forward-mode={mode}", "--port-topology=loop",
                                                 "--tx-first"])
            other.wait_text("attached")
            answers = self.guest("--seconds", 0.5, "--rate", "1kpps", "--json")
            self.expect_clean(answers[-1]["run"])
            other.say("stop")
            other.say("quit")
            self.assertEqual(other.wait(), 0)
            self.assertIn("Forward statistics for port 0", other.text())

    def test_interrupt_loses_nothing(self):
        self.backend()
        process = self.start("guest", [GUEST, "--socket", self.sockets, "--rate", "10kpps", "--",
                                       "--stats-period=1"])
        process.wait_text("NIC statistics for port 0")
        self.assertEqual(process.stop(signal.SIGINT), 0)
        self.assertIn("Accumulated forward statistics", process.text())
        self.assertIn("lost 0 (", process.text())

    def test_failure_in_the_console(self):
        self.backend("--hang-up-after", 0.5)
        process = self.start("guest", [GUEST, "--socket", self.sockets, "--", "-i", "-a"])
        self.assertEqual(process.wait(20), 1)
        self.assertIn("hung up", process.text())


class Search(LoadScenario):
    def test_finds_what_a_slow_device_takes(self):
        """Device 1 takes 50,000 frames a second, so that pairs carry twice as much at most."""
        self.backend()
        found = self.guest("--slow", "0-1:50000", "--search", "ndr", "--trial", 0.3, "--json",
                           timeout=120)[-1]["search"]
        self.assertAlmostEqual(found["fps"], 100e3, delta=8e3)
        self.assertTrue(any(trial["passed"] for trial in found["trials"]))
        self.assertTrue(any(not trial["passed"] for trial in found["trials"]))
        self.assertLess(found["latency"]["10"]["p50"], found["latency"]["90"]["max"])


class Many(LoadScenario):
    def test_two_thousand_devices(self):
        self.backend(count=2000)
        answers = self.guest("--count", 2000, "--json", "--seconds", 1, "--rate", "100pps",
                             "--per-device", timeout=120)
        self.assertEqual(answers[0]["attached"], 2000)
        self.expect_clean(answers[1]["run"])
        self.assertEqual(answers[1]["run"]["connected"], 2000)
        self.assertGreater(answers[1]["run"]["jain"], 0.99)


if __name__ == "__main__":
    assert GUEST.exists() and BACKEND.exists() and json and wait_for
    unittest.main(verbosity=2)
