# SPDX-License-Identifier: BSD-3-Clause
"""What the comparison says: tables and the page."""
import shlex
import statistics
import sys

from candidates import CANDIDATES
from machine import Failure, say
from plots import draw

UNDISTURBED = 0.97  # share of its core that the load, or the switch, must have had
MARK = "<!-- written by {} -->"
TITLES = {kind.name: kind.title for kind in CANDIDATES} | {"turnpike2": "Turnpike, 2 attached"}


def names_in(rows):
    found = {row["candidate"] for row in rows}
    return [name for name in TITLES if name in found]


def ratios(rows, other):
    """Turnpike over the other: ratio of medians, and the least and greatest of the rounds'."""
    by_round = {}
    for row in rows:
        by_round.setdefault(row["round"], {})[row["candidate"]] = row["mpps"]
    both = [pair for pair in by_round.values()
            if "turnpike" in pair and pair.get(other, 0) > 0]
    if not both or other == "turnpike":
        return ""
    each = [pair["turnpike"] / pair[other] for pair in both]
    medians = [statistics.median(pair[name] for pair in both) for name in ("turnpike", other)]
    return f"{medians[0] / medians[1]:.2f} ({min(each):.2f} to {max(each):.2f})"


def table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
            for row in [head, ["-" * width for width in widths], *rows]]


def run_row(rows, name):
    own = [row for row in rows if row["candidate"] == name]
    mpps = [row["mpps"] for row in own]
    lost, sent = sum(row["lost"] for row in own), sum(row["sent"] for row in own)
    faults = sum(row["corrupt"] + row["wrong"] + row["order"]["duplicates"] +
                 row["order"]["reordered"] for row in own)
    return [TITLES[name], f"{statistics.median(mpps):.2f}", f"{min(mpps):.2f}", f"{max(mpps):.2f}",
            f"{statistics.median(row['gbits'] for row in own):.1f}",
            f"{lost} ({100 * lost / max(1, sent):.4f} %)",
            str(sum(row["explained"] for row in own)), str(faults),
            f"{statistics.median(row['jain'] for row in own):.3f}", ratios(rows, name)]


def run_tables(results):
    head = ["candidate", "median Mpps", "min", "max", "Gbit/s", "frames lost",
            "drops the switch counted", "other faults", "Jain",
            "Turnpike / this (min to max of rounds)"]
    lines = []
    for case in dict.fromkeys(row["case"] for row in results["runs"]):
        rows = [row for row in results["runs"] if row["case"] == case]
        lines += [f"### {case}", "", *table(head, [run_row(rows, name) for name in names_in(rows)]),
                  ""]
    return lines


def median_latency(rows, share, what):
    found = [row["latency"][share][what] for row in rows if share in row["latency"]]
    return f"{statistics.median(found):.1f}" if found else "-"


def search_table(results):
    rows = []
    for name in names_in(results["searches"]):
        own = [row for row in results["searches"] if row["candidate"] == name]
        rows.append([TITLES[name], f"{statistics.median(row['mpps'] for row in own):.2f}",
                     f"{min(row['mpps'] for row in own):.2f} to "
                     f"{max(row['mpps'] for row in own):.2f}"] +
                    [" / ".join(median_latency(own, share, what)
                                for what in ("p50", "p99", "stall_us"))
                     for share in ("10", "50", "90")])
    if not rows:
        return []
    return ["### No loss at all (NDR), 64 bytes, 2 guests, and the latency below it", "",
            "Bisection to 1 %; a trial passes when not one frame is lost and none waited longer "
            "than a millisecond for room. Latency from stamp to look, us: p50 / p99 / longest "
            "stall of the load generator itself in the same trial, which a latency may be owed "
            "to.", "",
            *table(["candidate", "median Mpps", "min to max", "at 10 %", "at 50 %", "at 90 %"],
                   rows), ""]


def memory_per_guest(facts, name, fact):
    """KiB that each guest beyond those of the smallest scene has cost."""
    base = min((one for one in facts if one["candidate"] == name), key=lambda one: one["guests"])
    if fact["guests"] == base["guests"]:
        return "-"
    grown = fact["memory"] - base["memory"]
    return f"{grown / (fact['guests'] - base['guests']) / 1024:.1f}"


def fact_table(results):
    facts, rows = results["facts"], []
    for fact in facts:
        if fact["candidate"] == "turnpike2":
            continue
        rows.append([TITLES[fact["candidate"]], str(fact["guests"]),
                     f"{fact['attach_seconds']:.3f}",
                     f"{fact['guests'] / max(1e-9, fact['attach_seconds']):.0f}",
                     f"{fact['memory'] / 2**20:.1f}",
                     memory_per_guest(facts, fact["candidate"], fact),
                     f"{100 * fact['idle']:.0f} %"])
    if not rows:
        return []
    return ["### Attaching, memory, idle", "",
            "Handshakes of all guests, step by step together. Memory is anonymous and huge pages "
            "of the switch, without what it maps of its guests, whose pages are small here; a "
            "guest's is the growth over the smallest scene. Idle: share of a core while no guest "
            "sends.", "",
            *table(["candidate", "guests", "attached in s", "guests a second", "memory MiB",
                    "KiB a guest", "idle CPU"], rows), ""]


def generator_lines(results):
    """Medians and ranges of what the load generator sends and receives by itself."""
    lines = []
    for mode, verb in (("sink", "sent"), ("source", "received")):
        for verify in ("burst", "stamp"):
            mpps = [row["mpps"] for row in results["generator"]
                    if row["mode"] == mode and row["verify"] == verify]
            if mpps:
                lines.append(f"{verb} {statistics.median(mpps):.1f} Mpps ({min(mpps):.1f} to "
                             f"{max(mpps):.1f}) as for --verify {verify}")
    return lines


def generator_section(results):
    return ["### The load generator by itself", "",
            "turnpike-guest on one core, 64-byte frames (60 received), against a back-end that "
            "only takes frames or only gives them (turnpike-bench-backend, a sink and a source):",
            "",
            *[f"* {line}" for line in generator_lines(results)], ""]


def tables(results):
    lines = [*generator_section(results), *run_tables(results), *search_table(results),
             *fact_table(results)]
    runs = results["runs"]
    disturbed = sum(row["cpu"] < UNDISTURBED for row in runs)
    if disturbed:
        lines += [f"In {disturbed} of {len(runs)} runs another process had a part of a core.", ""]
    return "\n".join(lines)


def replace_section(docs, program, text, page="performance.md"):
    """The part of a page of docs/ that a program writes."""
    path = docs / page
    begin, end = (MARK.format(f"{program}, {which}") for which in ("begin", "end"))
    old = path.read_text()
    if begin not in old or end not in old:
        raise Failure(f"{path}: the lines '{begin}' and '{end}' are missing")
    before, rest = old.split(begin, 1)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
    say(f"wrote {path}")


def write_page(docs, text, results):
    (docs / "plots").mkdir(parents=True, exist_ok=True)
    draw(docs / "plots", results, TITLES)
    replace_section(docs, "bench/compare", text)


def page(options, machine, results):
    failures = [f"* not measured: {failure}" for failure in options.failures]
    return "\n".join([
        "## Switches side by side", "",
        f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
        f"{machine['memory']}; DPDK {machine['dpdk']}, Open vSwitch {machine['openvswitch']}; "
        f"{machine['date']}.", "",
        "One switch core, one load core" +
        (", real-time scheduling for all candidates and the load" if options.real_time else "") +
        ". turnpike-guest fills split rings of "
        f"{options.ring} with IPv4/UDP frames (at {options.frame_offset} bytes in aligned "
        "buffers, the virtio-net header just before), pairs of guests send to each other at full "
        "rate; frames a second are the sum of all as received. IMIX is 7 frames of 60, 4 of 566 "
        f"and 1 of 1514 bytes. {options.rounds} interleaved rounds of {options.seconds:g} s. A "
        "ratio is that of the medians, with the least and greatest ratio of one round. What the "
        "switch counted are its own drop counters, over warm-up and end as well. \"Other faults\" "
        "are corrupt, duplicate, reordered and misdelivered frames.", "",
        f"    {shlex.join(['bench/compare', *sys.argv[1:]])}", "", *failures,
        *([""] if failures else []),
        "![Throughput by frame size](plots/sizes.svg)", "",
        "![Throughput by guests attached](plots/attached.svg)", "",
        "![Latency by load](plots/latency.svg)", "", tables(results)])
