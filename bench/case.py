# SPDX-License-Identifier: BSD-3-Clause
"""What the cases of bench/classes share: candidates in turn, rows, tables."""
import pathlib
import shlex
import sys

from figures import ratio_of, spread
from machine import say
from report import UNDISTURBED
from session import each, measure_undisturbed, start_one


class Case:
    """A question, the candidates that it is put to, and a table of the answers."""
    name = title = None
    about = ()          # lines for the reader: what is measured and how a share is computed
    seconds_least = 0   # of a run, whatever the options say
    real_time = True
    alone = True        # switch and load have a core each

    def __init__(self, options):
        self.options = options
        self.seconds = max(options.seconds, self.seconds_least)
        self.rows = []

    def candidates(self, directory):
        raise NotImplementedError

    def measure(self, candidate, number):
        """One round of one candidate: into self.rows."""
        raise NotImplementedError

    def tables(self):
        """Markdown lines."""
        raise NotImplementedError

    def play(self, directory):
        running = []
        place = directory / self.name
        place.mkdir()
        try:
            for candidate in self.candidates(place):
                start_one(candidate, running, self.options)
            for number in range(self.options.rounds):
                each(running, self.options, number,
                     lambda candidate, number=number: self.measure(candidate, number))
        finally:
            for candidate in running:
                candidate.stop()

    def run(self, candidate, words):
        return measure_undisturbed(candidate, self.seconds, words,
                                   1 if self.options.quick else 3)

    def add(self, number, candidate, what, run=None, **figures):
        """A row: of a run what every case wants to know, and this case's own figures."""
        row = {"case": self.name, "round": number, "candidate": candidate.name, "what": what}
        if run is not None:
            faults = {name: run["order"][name] for name in ("duplicates", "reordered", "late")}
            row |= {"cpu": run["cpu"]} if self.alone else {}
            row |= {"sent": run["sent"], "lost": run["lost"], **faults,
                    "dropped": run["explained"], "mpps": run["mpps"], "gbits": run["gbits"],
                    "stall_us": run["stalls"]["longest_us"]}
        self.rows.append(row | figures)
        shown = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                          for name, value in figures.items())
        note = "" if row.get("cpu", 1) >= UNDISTURBED else f"  (CPU {row['cpu']:.2f})"
        say(f"{number + 1}/{self.options.rounds}  {self.name:8} {candidate.name:14} "
            f"{what:30} {shown}{note}")

    def of(self, **like):
        return [row for row in self.rows
                if all(row.get(name) == value for name, value in like.items())]

    def names(self, column):
        return list(dict.fromkeys(row[column] for row in sorted(
            self.rows, key=lambda row: row["round"])))

    def spread(self, name, digits, scale=1, **like):
        return spread([scale * row[name] for row in self.of(**like)
                       if row.get(name) is not None], digits)

    def sum(self, name, **like):
        return str(sum(row[name] for row in self.of(**like)))

    def ratio(self, name, like, base):
        """Of the same rounds' values: ratio of medians, with the least and greatest of a round."""
        by = [{row["round"]: row[name] for row in self.of(**kind)} for kind in (like, base)]
        return ratio_of(*by)

    def disturbed(self):
        runs = [row for row in self.rows if "cpu" in row]
        count = sum(row["cpu"] < UNDISTURBED for row in runs)
        return [f"In {count} of {len(runs)} runs another process had a part of a core.",
                ""] if count else []

    def page(self, machine):
        options = self.options
        scheduling = "real-time scheduling" if options.real_time and self.real_time \
            else "ordinary scheduling"
        return "\n".join([
            f"### {self.title}", "",
            f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
            f"{machine['memory']}; {machine['date']}; {options.rounds} interleaved round"
            f"{'s' if options.rounds > 1 else ''} of {self.seconds:g} s, {scheduling}: medians, with "
            "the least and the greatest.", "",
            f"    {shlex.join([f'bench/{pathlib.Path(sys.argv[0]).name}', *sys.argv[1:]])}", "",
            *self.about, "", *self.tables(), "", *self.disturbed()]).rstrip() + "\n"
