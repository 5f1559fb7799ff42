# SPDX-License-Identifier: BSD-3-Clause
"""Classes that compete: a flood beside one that pays, shares by weight, a guest that is deaf."""
import math

from case import Case
from class_candidates import MixedOpenVSwitch, MixedTurnpike, PolicedOpenVSwitch, Scene
from report import table

OFFERED = 0.3  # of what gold reaches alone, where it offers a fixed rate
NARROW = 0.5   # of it, where the receiver takes a fixed rate


PATIENT = {"on_full": {"hold": "20ms"}}  # the load generator may be away for milliseconds


def pps(mpps):
    return f"{max(1, round(1e6 * mpps))}pps"


class Gold(Case):
    name, title = "gold", "Gold beside a flood"
    scene = Scene(("receiver", "gold", *["bronze"] * 15), "star", {
        "receiver": {"bid": 16}, "gold": {"bid": 16, "weight": 8, **PATIENT},
        "bronze": {"bid": 2, "weight": 1, **PATIENT}})
    ways = ("fixed", "full", "narrow")
    names_of_ways = {
        "fixed": f"gold offers {100 * OFFERED:.0f} % of what it reaches alone",
        "full": "gold offers all it can",
        "narrow": f"the same, and the receiver takes {100 * NARROW:.0f} % of what gold reaches "
                  "alone"}

    @property
    def about(self):
        policed = next((row["command"] for row in self.rows if row.get("command")), None)
        lines = [
            "One gold guest (bid 16, weight 8) and 15 bronze ones (bid 2, weight 1), 64-byte "
            "frames, all to one receiver. \"Alone\" the bronze ones are silent, \"beside\" they "
            "send as fast as their rings take frames; \"waiting\" is how full their rings were "
            "when the time was over, which shows that the flood is not limited by the load "
            "generator. A ratio is gold's throughput (or p99) beside over that alone, in the same "
            "round.", "",
            "Gold at full rate may take all that there is: where a worker's time is what is "
            "scarce its due is its weight's part, 8 of 23, and not what it reaches alone. The "
            f"target of 0.95 is meant for a fixed rate ({100 * OFFERED:.0f} % of what this "
            "candidate's gold reached alone in the round, less than its due), and for a receiver "
            "that takes less than the worker can give, where the price decides. A frame is held "
            "for 20 ms at most."]
        if policed:
            lines += ["", "OVS-DPDK's best answer among those that its documentation has for "
                      "vhost-user ports, each bronze port policed to its weight's part (1 of 23) "
                      f"of what gold reaches alone: `{policed}`."]
        return lines

    def candidates(self, directory):
        kinds = {"turnpike": MixedTurnpike, "ovs": MixedOpenVSwitch,
                 "ovs-policed": PolicedOpenVSwitch}
        return [kind(self.options, directory, self.scene) for name, kind in kinds.items()
                if name in self.options.candidates]

    def note(self, number, candidate, way, side, run):
        gold, bronze = (run["groups"][role] for role in ("gold", "bronze"))
        sent = gold["from"]
        figures = {"gold": sent["mpps"], "gold_lost": sent["order"]["lost"],
                   "gold_sent": sent["order"]["sent"], "missed": gold["missed"],
                   "p50": sent["latency_us"]["p50"], "p99": sent["latency_us"]["p99"],
                   "bronze": bronze["from"]["mpps"],
                   "waiting": bronze["from"]["waiting"] / (self.options.ring * bronze["devices"])}
        if "busy_ns" in run["switch"]:
            figures["busy"] = run["switch"]["busy_ns"] / 1e9 / run["switch"]["seconds"]
        if hasattr(candidate, "policing"):
            figures["command"] = candidate.shown_command("gN")
        self.add(number, candidate, f"{way}, {side}", run, **figures)
        return sent["mpps"]

    def measure(self, candidate, number):
        run = self.run(candidate, {"rate": ["none", "gold=full"]})
        alone = self.note(number, candidate, "full", "alone", run)
        given = {"fixed": (pps(OFFERED * alone), {}), "full": ("full", {}),
                 "narrow": ("full", {"slow": f"0:{max(1, round(1e6 * NARROW * alone))}"})}
        plan = [("fixed", "alone"), ("fixed", "beside"), ("full", "beside"),
                ("narrow", "alone"), ("narrow", "beside")]
        for way, side in plan[::-1] if number % 2 else plan:
            rate, more = given[way]
            others = "none" if side == "alone" else "full"
            words = {"rate": ["none", f"gold={rate}", f"bronze={others}"], **more}
            self.note(number, candidate, way, side, self.run(candidate, words))

    def row(self, candidate, way):
        own = [{"candidate": candidate, "what": f"{way}, {side}"} for side in ("alone", "beside")]
        alone, beside = own
        lost = [f"{self.sum('gold_lost', **side)} of {self.sum('gold_sent', **side)}"
                for side in own]
        busy = self.spread("busy", 0, 100, **beside)
        return [self.titles[candidate], self.spread("gold", 2, **alone),
                self.spread("gold", 2, **beside), self.ratio("gold", beside, alone), *lost,
                self.spread("p99", 1, **alone), self.spread("p99", 1, **beside),
                self.ratio("p99", beside, alone), self.spread("bronze", 2, **beside),
                self.spread("waiting", 0, 100, **beside), busy]

    titles = {"turnpike": "Turnpike", "ovs": MixedOpenVSwitch.title,
              "ovs-policed": PolicedOpenVSwitch.title}

    def tables(self):
        head = ["", "gold alone, Mpps", "beside", "ratio (target 0.95)", "gold lost alone",
                "lost beside (target 0)", "p99 us alone", "beside", "ratio (target 3)",
                "flood, Mpps", "waiting %", "worker busy %"]
        lines = []
        for way in self.ways:
            lines += [f"{self.names_of_ways[way][0].upper()}{self.names_of_ways[way][1:]}:", "",
                      *table(head, [self.row(name, way) for name in self.names("candidate")]), ""]
        return lines


WEIGHTS = {"one": 1, "two": 2, "four": 4, "eight": 8}
MIXED = {"one": 64, "two": 256, "four": 700, "eight": 1500}


def cost(size):
    """Of a frame, in credits: the tariff's default."""
    return 16 + math.ceil(size / 64)


class Shares(Case):
    name, title = "shares", "Shares by weight"
    about = (
        "Four senders of weights 1, 2, 4 and 8 at full rate. A sender's share is the cost of its "
        "frames (16 credits and 1 for each 64 bytes begun, the default tariff) as part of that of "
        "the four; its error is that share over its weight's part (1, 2, 4, 8 of 15), less 1; the "
        "greatest of the four, without its sign, counts. \"Mixed\" has sizes of 64, 256, 700 and "
        "1500 bytes by rising weight. The fifth sender has weight 4, sends for 50 ms and is silent "
        "for 50 ms; the shares are those of the other four among themselves. \"Waiting\" is how "
        "full the senders' rings were when the time was over.",)
    classes = {name: {"bid": 16, "weight": weight, **PATIENT}
               for name, weight in WEIGHTS.items()} | {
        "fifth": {"bid": 16, "weight": 4, **PATIENT}, "receiver": {"bid": 16}}
    into_one = Scene(("receiver", *WEIGHTS, "fifth"), "star", classes)
    into_four = Scene(tuple(role for name in WEIGHTS for role in (name, "receiver")), "pairs",
                      classes)

    def candidates(self, directory):
        return [MixedTurnpike(self.options, directory, self.into_one, "into-one",
                              "Turnpike, into one receiver"),
                MixedTurnpike(self.options, directory, self.into_four, "into-four",
                              "Turnpike, into four receivers")]

    def measure(self, candidate, number):
        sizes = {"equal": dict.fromkeys(WEIGHTS, 64), "mixed": MIXED}
        plan = [(what, size, False) for what, size in sizes.items()]
        if candidate.scene is self.into_one:
            plan.append(("equal, a fifth comes and goes", sizes["equal"], True))
        for what, size, fifth in plan[::-1] if number % 2 else plan:
            words = {"rate": ["none", *[f"{name}=full" for name in WEIGHTS]],
                     "size": ["64", *[f"{name}={bytes_}" for name, bytes_ in size.items()]]}
            if fifth:
                words["rate"].append("fifth=full")
                words["arrival"] = ["constant", "fifth=on-off:50ms,50ms"]
            self.note(number, candidate, what, size, self.run(candidate, words))

    def note(self, number, candidate, what, size, run):
        spent = {name: run["groups"][name]["from"]["mpps"] * cost(size[name]) for name in WEIGHTS}
        total, weights = max(1e-12, sum(spent.values())), sum(WEIGHTS.values())
        shares = {name: value / total for name, value in spent.items()}
        error = max(abs(shares[name] * weights / weight - 1) for name, weight in WEIGHTS.items())
        waiting = min(run["groups"][name]["from"]["waiting"] for name in WEIGHTS)
        self.add(number, candidate, what, run, error=error, credits=1e6 * total,
                 waiting=waiting / self.options.ring,
                 **{f"share_{name}": share for name, share in shares.items()})

    def tables(self):
        weights = sum(WEIGHTS.values())
        head = ["into", "sizes", "greatest error %", "Mpps",
                *[f"share of weight {weight}, % (due {100 * weight / weights:.1f})"
                  for weight in WEIGHTS.values()], "lost", "waiting %, least"]
        body = []
        for name, into in (("into-one", "one receiver"), ("into-four", "four receivers")):
            for what in self.names("what"):
                like = {"candidate": name, "what": what}
                if self.of(**like):
                    body.append([into, what, self.spread("error", 1, 100, **like),
                                 self.spread("mpps", 2, **like),
                                 *[self.spread(f"share_{one}", 1, 100, **like) for one in WEIGHTS],
                                 self.sum("lost", **like),
                                 self.spread("waiting", 0, 100, **like)])
        return table(head, body)


class Deaf(Case):
    name, title = "deaf", "One deaf receiver among 16"
    about = (
        "16 guests, 64-byte frames. \"Star\": each of 15 sends to the first guest and to its "
        "neighbour, in turn; \"all to all\": each to each of the others. In one run of two the "
        "first guest takes no frame. The throughput of the other flows, those that do not end at "
        "the first guest, is compared with the same round's run in which it takes its frames: at "
        "full rate, and at half of the frames a second that were sent at full rate with nobody "
        "deaf.",)
    scene = Scene(("deaf", *["other"] * 15), "wheel",
                  {"deaf": {"bid": 16}, "other": {"bid": 16}})
    patterns = (("star", "wheel"), ("all to all", "all"))

    def candidates(self, directory):
        return [MixedTurnpike(self.options, directory, self.scene)]

    def measure(self, candidate, number):
        for name, talk in self.patterns[::-1] if number % 2 else self.patterns:
            full = self.run(candidate, {"talk": talk})
            self.note(number, candidate, f"{name}, full rate", False, full)
            half = {"talk": talk, "rate": f"{pps(full['tx_mpps'] / 2)}/total"}
            plan = [("full rate", {"talk": talk}, True), ("half", half, False),
                    ("half", half, True)]
            for rate, words, deaf in plan[::-1] if number % 2 else plan:
                run = self.run(candidate, {**words, "deaf": "0" if deaf else "none"})
                self.note(number, candidate, f"{name}, {rate}", deaf, run)

    def note(self, number, candidate, what, deaf, run):
        others = run["groups"]["other"]
        self.add(number, candidate, what, run, deaf=deaf,
                 others=others["rx_frames"] / run["seconds"] / 1e6,
                 others_lost=others["order"]["lost"], others_sent=others["order"]["sent"],
                 p99=others["latency_us"]["p99"])

    def tables(self):
        head = ["", "other flows, nobody deaf, Mpps", "one deaf", "ratio (target 0.95)",
                "other flows lost, nobody deaf", "one deaf", "p99 us, nobody deaf", "one deaf"]
        body = []
        for what in self.names("what"):
            hearing, deaf = ({"what": what, "deaf": value} for value in (False, True))
            body.append([what, self.spread("others", 2, **hearing), self.spread("others", 2, **deaf),
                         self.ratio("others", deaf, hearing),
                         *[f"{self.sum('others_lost', **like)} of {self.sum('others_sent', **like)}"
                           for like in (hearing, deaf)],
                         *[self.spread("p99", 1, **like) for like in (hearing, deaf)]])
        return table(head, body)
