# SPDX-License-Identifier: BSD-3-Clause
"""Shaping: how exact a rate is, and what hundreds of them cost."""
import statistics

from case import Case
from class_candidates import MixedTurnpike, Scene
from report import table

RATES = {"10Mbit/s": 1e7, "100Mbit/s": 1e8, "1Gbit/s": 1e9, "10Gbit/s": 1e10}
SIZES = ("64", "1500")
MANY = 500
MANY_RATES = ("10Mbit/s", "100Mbit/s")  # 500 times more is beyond what this may run on
BURST = "50ms"
FEASIBLE = 0.8  # of what is reached unshaped
UNSHAPED = "unshaped"


def role(rate):
    return f"at-{rate.replace('/', '-')}"


def classes(rates):
    return {"receiver": {"bid": 64, "on_full": {"hold": "100ms"}},
            UNSHAPED: {"bid": 64, "on_full": {"hold": "100ms"}},
            **{role(rate): {"bid": 64, "rate": rate, "burst": BURST,
                             "on_full": {"hold": "100ms"}}
               for rate in rates}}


def pairs(*senders):
    """Each sender with a receiver of its own."""
    return Scene(tuple(one for sender in senders for one in (sender, "receiver")), "pairs",
                 classes(RATES), more=("--per-device",))


class Shaping(Case):
    name, title = "shaping", "Shaped rates"
    seconds_least = 1  # the error is one over a second
    about = (
        "Shaped senders that always have frames, each to a receiver of its own, with a burst of "
        f"{BURST}: what a worker misses while the machine takes its CPU away for less than that is "
        "made good (with the default of 1 ms it is lost). A rate counts bits "
        "of frames from the destination MAC on, without FCS. A sender's error is what its receiver "
        "got in the second over its class's rate, less 1; of 500 senders the median, and the "
        "greatest without its sign. A case is left out where the rates together exceed "
        f"{100 * FEASIBLE:.0f} % of what the same senders reach unshaped.", "",
        "The cost: the worker's busy share in the middle of a run of 500 shaped senders with full "
        "rings, beside that of 500 unshaped ones that offer the same rate, in the same round.")

    def candidates(self, directory):
        def switch(name, *senders):
            return MixedTurnpike(self.options, directory, pairs(*senders), name,
                                 f"Turnpike, {name}")
        self.unshaped = switch(UNSHAPED, *[UNSHAPED] * MANY)
        return [switch("one", *map(role, RATES), UNSHAPED), self.unshaped,
                *[switch(role(rate), *[role(rate)] * MANY) for rate in MANY_RATES]]

    def measure(self, candidate, number):
        sizes = SIZES[::-1] if number % 2 else SIZES
        for size in sizes:
            if candidate.name == "one":
                self.measure_one(candidate, number, size)
            elif candidate.name == UNSHAPED:
                self.measure_unshaped(candidate, number, size)
            else:
                self.measure_many(candidate, number, size)

    def reached(self, candidate, number, size, senders):
        """Gbit/s without shaping."""
        run = self.run(candidate, {"rate": ["none", f"{UNSHAPED}=full"], "size": size})
        self.add(number, candidate, f"unshaped, {size}", run, senders=senders, size=size)
        return run["gbits"]

    def measure_one(self, candidate, number, size):
        reached = self.reached(candidate, number, size, 1)
        for rate in RATES:
            self.measure_rate(candidate, number, size, rate, 1, reached)

    def measure_unshaped(self, candidate, number, size):
        self.reached(candidate, number, size, MANY)
        for rate in MANY_RATES:
            if self.feasible(rate, size):
                self.add_cost(candidate, number, rate, size, "unshaped",
                              {"rate": ["none", f"{UNSHAPED}={rate}"], "size": size})

    def feasible(self, rate, size):
        reached = [row["gbits"] for row in self.of(what=f"unshaped, {size}", senders=MANY)]
        return reached and MANY * RATES[rate] <= FEASIBLE * 1e9 * statistics.median(reached)

    def measure_many(self, candidate, number, size):
        rate = next(rate for rate in RATES if role(rate) in candidate.scene.roles)
        if not self.of(what=f"unshaped, {size}", senders=MANY):
            self.measure_unshaped(self.unshaped, number, size)
        reached = statistics.median(row["gbits"] for row in
                                    self.of(what=f"unshaped, {size}", senders=MANY))
        if self.measure_rate(candidate, number, size, rate, MANY, reached):
            self.add_cost(candidate, number, rate, size, "shaped",
                          {"rate": ["none", f"{role(rate)}=full"], "size": size})

    def measure_rate(self, candidate, number, size, rate, senders, reached):
        what = {"senders": senders, "rate": rate, "size": size}
        if senders * RATES[rate] > FEASIBLE * 1e9 * reached:
            self.add(number, candidate, f"{senders} at {rate}, {size}", None, **what,
                     feasible=False)
            return False
        run = self.run(candidate, {"rate": ["none", f"{role(rate)}=full"], "size": size})
        errors = [8 * run["per_device"][guest + 1]["rx_bytes"] / run["seconds"] / RATES[rate] - 1
                  for guest in candidate.scene.guests(role(rate))]
        self.add(number, candidate, f"{senders} at {rate}, {size}", run, **what, feasible=True,
                 error=statistics.median(errors), greatest=max(map(abs, errors)))
        return True

    def add_cost(self, candidate, number, rate, size, kind, words):
        found = candidate.during(self.seconds, words, candidate.look, candidate.since)
        self.add(number, candidate, f"cost, {rate}, {size}", None, kind=kind, rate=rate,
                 size=size, busy=found["busy_ns"] / 1e9 / found["seconds"],
                 sweeps=found["sweeps"] / found["seconds"])

    def rate_rows(self):
        for senders in (1, MANY):
            for rate in RATES:
                for size in SIZES:
                    own = self.of(senders=senders, rate=rate, size=size)
                    like = {"senders": senders, "rate": rate, "size": size, "feasible": True}
                    head = [str(senders), rate, size]
                    if self.of(**like):
                        yield [*head, self.spread("error", 3, 100, **like),
                               self.spread("greatest", 3, 100, **like),
                               f"{self.sum('lost', **like)} of {self.sum('sent', **like)}"]
                    elif own:
                        yield [*head, "not feasible here", "", ""]

    def cost_rows(self):
        for rate in MANY_RATES:
            for size in SIZES:
                shaped, free = ({"what": f"cost, {rate}, {size}", "kind": kind}
                                for kind in ("shaped", UNSHAPED))
                if self.of(**shaped):
                    yield [rate, size, self.spread("busy", 1, 100, **shaped),
                           self.spread("busy", 1, 100, **free), self.ratio("busy", shaped, free),
                           self.spread("sweeps", 0, 1e-3, **shaped),
                           self.spread("sweeps", 0, 1e-3, **free)]

    def tables(self):
        return [
            *table(["shapers", "rate of each", "bytes", "error %, median", "greatest error %",
                    "lost (target 0)"], list(self.rate_rows())), "",
            *table([f"{MANY} senders at", "bytes", "worker busy %, shaped", "unshaped", "ratio",
                    "thousand sweeps a second, shaped", "unshaped"], list(self.cost_rows()))]
