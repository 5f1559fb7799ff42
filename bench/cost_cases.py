# SPDX-License-Identifier: BSD-3-Clause
"""What it all costs: poll gaps of pinned interfaces, frames a second; and several workers."""
import json
import subprocess
import time
import types

from candidates import OpenVSwitch, Turnpike
from case import Case
from class_candidates import MixedTurnpike, Scene
from figures import QUANTILES, between, histogram_of, pinned_gaps, quantiles
from machine import Failure
from report import table


class Pinned(Case):
    name, title = "pinned", "Poll gaps of pinned interfaces"
    about = (
        "Time between two polls of two pinned interfaces, as the worker counts it, while eight "
        "pairs of bronze guests send at full rate, and while nobody sends; and the gaps of a loop "
        "on the same core that does nothing but look at the clock (`bench/spin_stalls`), for as "
        "long and under the same scheduling, with the other core kept busy alike. What stands "
        "still under that loop is the machine.",)
    scene = Scene((*["bronze"] * 16, "pinned", "pinned"), "pairs", {
        "bronze": {"bid": 2}, "pinned": {"bid": 64, "pinned": True}})
    places = (("beside bronze at full rate", {"rate": ["full", "pinned=none"]}),
              ("nobody sends", {"rate": "none"}))
    bare = "a bare spin loop"

    def candidates(self, directory):
        return [MixedTurnpike(self.options, directory, self.scene)]

    def measure(self, candidate, number):
        plan = [*self.places, (self.bare, None)]
        for what, words in plan[::-1] if number % 2 else plan:
            gaps = self.spin() if words is None else candidate.during(
                self.seconds, words, lambda: pinned_gaps(candidate),
                lambda before: between(before, pinned_gaps(candidate)))
            self.add(number, candidate, what, None, **quantiles(gaps), looks=sum(gaps.values()))

    def spin(self):
        """Both cores spin, as switch and load do."""
        loops = [subprocess.Popen([self.options.build / "bench/spin_stalls", "--cpu", str(core),
                                   "--seconds", str(self.seconds)], stdout=subprocess.PIPE)
                 for core in (self.options.switch_core, self.options.load_core)]
        lines = [loop.communicate(timeout=self.seconds + 30)[0] for loop in loops]
        if any(loop.returncode for loop in loops):
            raise Failure("spin_stalls ended with an error")
        return histogram_of(json.loads(lines[0])["gaps"])

    def tables(self):
        body = [[what, *[self.spread(name, 2, 1e-3, what=what) for name, _ in QUANTILES],
                 self.spread("looks", 1, 1e-6, what=what)]
                for what in [*[place for place, _ in self.places], self.bare]]
        return table(["", "p50 us", "p99 us", "p99.9 us", "most us", "million looks"], body)


class Baseline(Turnpike):
    name, title = "baseline", "Turnpike, the older build"

    def __init__(self, options, directory, *more):
        super().__init__(options, directory, *more)
        self.build = options.baseline


class Cost(Case):
    name, title = "cost", "Frames a second beside others"
    talk = types.SimpleNamespace(size="64", talking=0)

    @property
    def about(self):
        return ("Two guests send 64-byte frames to each other at full rate through one worker. A "
                "ratio is that of the medians, with the least and greatest of one round." +
                (" The older build is that of --baseline." if self.options.baseline else ""),)

    def candidates(self, directory):
        kinds = [Turnpike, OpenVSwitch] + ([Baseline] if self.options.baseline else [])
        return [kind(self.options, directory, 2, self.talk) for kind in kinds
                if kind.name in (*self.options.candidates, "baseline")]

    def measure(self, candidate, number):
        self.add(number, candidate, "64 bytes", self.run(candidate, self.talk))

    def tables(self):
        titles = {"turnpike": "Turnpike", "ovs": OpenVSwitch.title, "baseline": Baseline.title}
        targets = {"ovs": "target 2", "baseline": "target 0.90"}
        body = []
        for name in self.names("candidate"):
            like = {"candidate": name}
            ratio = self.ratio("mpps", {"candidate": "turnpike"}, like) if name in targets else ""
            body.append([titles[name], self.spread("mpps", 2, **like),
                         f"{self.sum('lost', **like)} of {self.sum('sent', **like)}",
                         f"{ratio} ({targets[name]})" if ratio else ""])
        return table(["", "Mpps", "lost", "Turnpike / this"], body)


class SpreadTurnpike(MixedTurnpike):
    """Each second sender is given to the second worker, so that both write to one ring."""

    def settle(self):
        super().settle()
        self.resume()
        for number in range(2, len(self.scene.roles), 2):
            self.ask(command="move", tenant="bench", worker=1, interface=f"guest{number}")
        self.pause()


class Workers(Case):
    name, title = "workers", "Two workers, correctness only"
    real_time = alone = False
    about = (
        "16 guests send to one receiver, 64-byte frames at full rate, with two workers. The load "
        "shares the two cores with them, so that the throughput says nothing; a frame may be held "
        "for a second. Which workers served the senders is what `turnpike show interfaces` says.",)

    def candidates(self, directory):
        options = self.options
        waits = {"bid": 16, "on_full": {"hold": "1s"}}
        scene = Scene(("receiver", *["sender"] * 16), "star",
                      {"receiver": waits, "sender": waits},
                      {"worker_cores": [options.switch_core, options.load_core]})
        return [SpreadTurnpike(options, directory, scene)]

    def measure(self, candidate, number):
        run = candidate.measure(self.seconds, {})
        candidate.resume()
        try:
            time.sleep(0.1)
            shown = candidate.show("interfaces")
        finally:
            candidate.pause()
        workers = {one["worker"] for one in shown if one["class"] == "sender"}
        self.add(number, candidate, "all to one", run, workers=len(workers),
                 corrupt=run["corrupt"], wrong=run["wrong"])

    def tables(self):
        names = ("sent", "lost", "duplicates", "reordered", "late", "corrupt", "wrong")
        body = [[*[self.sum(name) for name in names],
                 self.spread("workers", 0)]]
        return table(["frames sent", "lost (target 0)", "duplicates (0)", "reordered (0)",
                      "late (0)", "corrupt (0)", "wrong device (0)", "workers of the senders"],
                     body)
