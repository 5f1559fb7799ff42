#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every case of the catalogue of hostile guests against the appliance, beside guests that behave.

turnpike-hostile (tests/hostile) plays a case on the interfaces acme/bad and acme/peer while
turnpike-guest lets three pairs of neighbours exchange frames: one of the same tenant, one of
another, one of another whose class is pinned. docs/security.md says how it is judged. Environment:

  HOSTILE_CASES  numbers of the cases to play, with spaces between (default: all)

What was found is left in hostile.json of the build directory.
"""
import json
import os
import pathlib
import statistics
import subprocess
import time
import unittest

from harness import BUILD, SWITCH, WITH_US, Scenario, wait_for
from load_harness import FAULTS, GUEST

HOSTILE = BUILD / "tests/hostile/turnpike-hostile"
SANITIZED = "address" in BUILD.name
PAIRS = ("same", "other", "pinned")
QUANTILES = ("p50", "p90", "p99")
# Frames a second of each of the six neighbours.
RATE = "8kpps" if SANITIZED else "50kpps"
# That the neighbours are watched in each case, and cases between two stretches without a hostile
# guest. What a sanitizer takes is not judged.
LEAST_SECONDS = 0.2 if SANITIZED else 0.4
CALM_EVERY = 20 if SANITIZED else 4
GROWTH_KIB = 1024  # of the appliance's own memory; the heap has its ups and downs
# What the switch takes for a sweep, and between two polls of a pinned ring: the 99th percentile in
# a case is at most twice the usual and so many microseconds.
TIMES = {"pinned polls worker 0": 5, "sweeps worker 0": 50}
TRIES = 3  # the machine stands still now and then: what a case does to neighbours it does each time


class Neighbours:
    """Guests that behave: turnpike-guest, told to start and to stop."""

    def __init__(self, scenario, sockets):
        groups = [f"--group={name}={2 * i}-{2 * i + 1}" for i, name in enumerate(PAIRS)]
        paths = [argument for path in sockets for argument in ("--socket", path)]
        core = min(os.sched_getaffinity(0))
        self.process = scenario.start("neighbours", [
            GUEST, *paths, *groups, "--rate", RATE, "--verify", "payload", "--size", "64-1514",
            "--json", "--cores", core, "--", "-i"])
        self.process.wait_text('"attached"')
        self.since = 0  # when they were started; 0: they stand

    def ask(self, words):
        seen = len(self.process.text())
        self.process.say(words)

        def answer():
            text = self.process.text()[seen:]
            if not self.process.alive():
                raise AssertionError(f"turnpike-guest ended: {text}")
            return text.endswith("\n") and json.loads(text)
        result = wait_for(f"an answer to {words}", answer, pause=0.005)
        if "error" in result:
            raise AssertionError(f"{words}: {result}")
        return result

    def start(self):
        if self.since:  # a case that could not be played has left them running
            self.ask("stop")
        self.ask("start")
        self.since = time.monotonic()

    def stop(self):
        """Watch them a little longer if it was short; what became of all frames."""
        time.sleep(max(0, self.since + LEAST_SECONDS - time.monotonic()))
        self.since = 0
        return self.ask("stop")["run"]


class Case:
    """A case under way: the process that plays it."""

    def __init__(self, number, bad, peer):
        core = str(min(os.sched_getaffinity(0)))
        self.child = subprocess.Popen(
            WITH_US + ["taskset", "-c", core, HOSTILE, "--bad", bad, "--peer", peer,
                       "--case", str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        text = self.child.stdout.readline()
        if not text:
            raise AssertionError(f"the hostile guest ended with {self.child.wait()}")
        result = json.loads(text)
        if "failed" in result:
            raise AssertionError(f"it cannot be played: {result['failed']}")
        return result

    def go_on(self):
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def end(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def quantile(counts, share):
    """In microseconds, of {nanoseconds from: count}."""
    left = share * sum(counts.values())
    for ns in sorted(counts):
        left -= counts[ns]
        if left <= 0:
            return ns / 1000
    return 0


def latency(run, pair):
    """From a neighbour's stamp to the other one's look, in microseconds."""
    group = next(group for group in run["groups"] if group["name"] == pair)
    return {which: group["latency_us"][which] for which in QUANTILES}


def catalogue():
    done = subprocess.run([HOSTILE, "--list"], capture_output=True, text=True, check=True)
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    return sorted(cases, key=lambda case: case["case"])


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class HostileGuests(Scenario):
    def setUp(self):
        super().setUp()
        rough = {"class": "rough"}
        same = [self.interface("acme", f"n{i}", i) for i in (1, 2)]
        other = [self.interface("calm", f"n{i}", i) for i in (3, 4)]
        pinned = [self.interface("calm", f"n{i}", i, **{"class": "pinned"}) for i in (5, 6)]
        self.hostile = {tenant: [self.interface(tenant, "bad", 0x10, **rough),
                                 self.interface(tenant, "peer", 0x11, **rough)]
                        for tenant in ("acme", "lab")}
        neighbours = same + other + pinned
        self.switch = self.appliance(neighbours + sum(self.hostile.values(), []))
        self.pid = self.switch.process.child.pid
        self.neighbours = Neighbours(self, [one.socket for one in neighbours])
        self.calm, self.rows = [], []

    def appliance(self, interfaces):
        def classes(configuration):
            configuration["classes"].update(
                rough={"bid": 16, "on_full": {"hold": "1ms"}},
                pinned={"bid": 64, "pinned": True, "on_full": {"hold": "1s"}})
            configuration["tenants"]["lab"].update(mac_learning=True, unknown_unicast="flood")
        return super().appliance(interfaces, classes)

    # --- what is seen from outside ---

    def descriptors(self):
        """The least of some looks: the answer to an earlier question may still hold one."""
        def look():
            time.sleep(0.002)
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        return min(look() for _ in range(5))

    def own_memory(self):
        """KiB that are nobody else's: not the guests' memory, which is shared."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in text.splitlines()
                    if line.startswith("Anonymous:"))

    def times(self):
        """What the switch has counted of times so far, by what they are of."""
        return {(row["what"], row["name"]): dict(map(tuple, row["counts"]))
                for row in self.switch.show("latency")}

    def times_since(self, before):
        """Quantiles in microseconds of what was counted since, for each."""
        found = {}
        for key, now in self.times().items():
            counts = {ns: count - before[key].get(ns, 0) for ns, count in now.items()}
            found[" ".join(key)] = {which: quantile(counts, float(f"0.{which[1:]}"))
                                    for which in QUANTILES}
        return found

    def watch_calm(self):
        before = self.times()
        self.neighbours.start()
        run = self.neighbours.stop()
        run["switch"] = self.times_since(before)
        self.expect_whole(run)
        self.calm.append(run)

    def expect_whole(self, run):
        """Nothing lost, nothing changed."""
        for group in run["groups"]:
            wrong = {name: group["order"][name]
                     for name in ("lost", "duplicates", "reordered", "late", "in_ring")}
            # A storm of the same tenant reaches its neighbours, as broadcasts do.
            wrong.update({name: group[name] for name in FAULTS
                          if (name, group["name"]) != ("strays", "same")})
            self.assertGreater(group["order"]["received"], 0, group["name"])
            self.assertEqual({name for name, value in wrong.items() if value}, set(),
                             f"neighbours {group['name']}: {wrong}")

    def expect_balance(self, shown):
        for name, one in shown.items():
            counters = one["counters"]
            self.assertEqual(counters["tx_frames"], counters["delivered"] + one["drops"], name)

    def usual(self, what):
        """The middle of what the calm stretches show of something."""
        return statistics.median(what(run) for run in self.calm)

    def most(self, what):
        """Microseconds that one of the switch's own times may have as its 99th percentile."""
        return 2 * self.usual(lambda run: run["switch"][what]["p99"]) + TIMES[what]

    def too_slow(self, times):
        """Of the switch's own times those that are more than twice the usual. What a sanitizer
        takes is not judged."""
        return {what: times[what]["p99"] for what in TIMES
                if not SANITIZED and times[what]["p99"] > self.most(what)}

    # --- one case ---

    def expect_verdict(self, case, told, shown):
        """What the switch did with the hostile guest, and what it tells of it."""
        bad = shown["acme/bad"]
        self.assertIsNone(told["wrong"])
        self.assertEqual(told["open"], 0, "connections that should have been ended")
        self.assertLess(told["attach_ms"], 1000 if SANITIZED else 500,
                        "another guest waits for the hostile one")
        if told["ended"] and (case["ends"] or case["either"]):
            self.assertIn(case["ends"] or "", bad["reason"])
        elif not case["either"]:
            self.assertEqual(bool(told["ended"]), case["ends"] is not None)
        if not told["ended"] and not case["either"]:
            self.assertIsNot(told["served"], None)
        self.assertIsNot(told["served"], False, "frames do not pass any more")

    def drop_of(self, case, shown):
        name = case["drop"] or ""
        who = "acme/peer" if name.startswith("peer.") else "acme/bad"
        return shown[who]["counters"][name.removeprefix("peer.")] if name else 0

    def watch(self, case):
        """Play a case while the neighbours are watched: what the hostile guest told, what became
        of the neighbours, what the switch shows, whether the next guest is served."""
        sockets = [one.socket for one in self.hostile["lab" if case["lab"] else "acme"]]
        times = self.times()
        self.neighbours.start()
        process = Case(case["case"], *sockets)
        try:
            told = process.line()
            run = self.neighbours.stop()
            run["switch"] = self.times_since(times)
            shown = self.switch.counters()
            process.go_on()
            return told, run, shown, process.line()["usable"]
        finally:
            process.end()

    def play(self, case):
        """Play a case, judge it, note its row. @return what was too slow."""
        before = self.drop_of(case, self.switch.counters())
        descriptors = self.descriptors()
        told, run, shown, usable = self.watch(case)
        self.assertTrue(self.switch.process.alive(), "the appliance is gone")
        tenant = "lab" if case["lab"] else "acme"
        dropped = self.drop_of(case, shown) - before
        self.rows.append({
            "case": case["case"], "name": case["name"], "ended": told["ended"], "dropped": dropped,
            "drop": case["drop"], "attach_ms": told["attach_ms"],
            "reason": shown[f"{tenant}/bad"]["reason"] if told["ended"] else None,
            "latency_us": {pair: latency(run, pair) for pair in PAIRS},
            "own_stalls": run["stalls"],
            "switch_us": {what: run["switch"][what] for what in TIMES}})
        self.expect_whole(run)
        self.expect_verdict(case, told, shown)
        if case["drop"]:
            self.assertGreater(dropped, 0, f"frames dropped as {case['drop']}")
        self.assertTrue(usable, "the interface does not serve the next guest")
        wait_for("descriptors come back", lambda: self.descriptors() <= descriptors, 5)
        self.expect_balance(self.switch.counters())
        return self.too_slow(run["switch"])

    def play_until_fair(self, case):
        for _ in range(TRIES):
            slow = self.play(case)
            if not slow:
                return
        self.fail(f"neighbours wait each time, microseconds: {slow}")

    def test_catalogue(self):
        cases = catalogue()
        wanted = os.environ.get("HOSTILE_CASES", "").split()
        self.watch_calm()
        # What is taken once is taken now.
        self.play(next(case for case in cases if case["case"] == 28))
        self.rows.clear()
        self.watch_calm()
        memory = self.own_memory()
        for i, case in enumerate(cases):
            if case["skipped"] or (wanted and str(case["case"]) not in wanted):
                continue
            with self.subTest(f'{case["case"]} {case["name"]}'):
                self.play_until_fair(case)
            if i % CALM_EVERY == 0:
                self.watch_calm()
        grown = self.own_memory() - memory
        self.report([case for case in cases if case["skipped"]], grown)
        if not SANITIZED:  # it keeps what was freed, and is slow
            self.assertLess(grown, GROWTH_KIB, "KiB of its own that the appliance has grown")
            if not wanted:
                self.expect_usual_latency()
        self.switch.stop()

    def expect_usual_latency(self):
        """Over all cases the middle one is as good as calm. Its 99th percentile is shown only: the
        hostile guest runs on the neighbours' core, and that one is how long they stood still."""
        for pair in PAIRS:
            usual = self.usual(lambda run, pair=pair: latency(run, pair)["p50"])
            found = statistics.median(row["latency_us"][pair]["p50"] for row in self.rows)
            self.assertLess(found, 2 * usual + 1, f"latency of the pair {pair}, microseconds")

    def report(self, skipped, grown):
        calm = {"latency_us": {pair: {which: self.usual(lambda run: latency(run, pair)[which])
                                      for which in QUANTILES} for pair in PAIRS},
                "switch_us": {what: {which: self.usual(lambda run: run["switch"][what][which])
                                     for which in QUANTILES} for what in TIMES}}
        found = {"calm": calm, "grown_kib": grown, "cases": self.rows,
                 "not_applicable": [{key: case[key] for key in ("case", "name", "skipped")}
                                    for case in skipped]}
        (BUILD / "hostile.json").write_text(json.dumps(found, indent=1) + "\n")
        played = len({row["case"] for row in self.rows})
        self.progress(f"{played} cases played, {len(skipped)} not applicable, "
                      f"{grown} KiB grown, see {BUILD / 'hostile.json'}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
