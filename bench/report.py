# SPDX-License-Identifier: BSD-3-Clause
"""What the comparison says: tables and the page."""
import shlex
import statistics
import sys

from candidates import CANDIDATES
from machine import Failure, say

UNDISTURBED = 0.97  # share of its core that the load, or the switch, must have had
MARK = "<!-- written by bench/compare: {} -->"


def ratios(results, case, rival):
    """Turnpike over the rival: ratio of medians, and the least and greatest of the rounds'."""
    by_round = {}
    for result in results:
        if result["case"] == case and result["candidate"] in ("turnpike", rival):
            by_round.setdefault(result["round"], {})[result["candidate"]] = result["mpps"]
    both = [pair for pair in by_round.values() if len(pair) == 2 and pair[rival] > 0]
    if not both:
        return None
    each = [pair["turnpike"] / pair[rival] for pair in both]
    medians = [statistics.median(pair[name] for pair in both) for name in ("turnpike", rival)]
    return medians[0] / medians[1], min(each), max(each)


def table_row(results, case, kind):
    rows = [row for row in results if row["case"] == case and row["candidate"] == kind.name]
    if not rows:
        return None
    mpps = [row["mpps"] for row in rows]
    lost, sent = sum(row["lost"] for row in rows), sum(row["frames_sent"] for row in rows)
    ratio = ratios(results, case, kind.name) if kind.name != "turnpike" else None
    return [kind.title, f"{statistics.median(mpps):.2f}", f"{min(mpps):.2f}", f"{max(mpps):.2f}",
            f"{statistics.median(row['gbits'] for row in rows):.1f}",
            f"{lost} ({100 * lost / max(1, sent):.4f} %)",
            "" if ratio is None else "{:.2f} ({:.2f} to {:.2f})".format(*ratio)]


def tables(results, cases):
    head = ["candidate", "median Mpps", "min", "max", "median Gbit/s", "frames lost",
            "Turnpike / this (min to max of rounds)"]
    lines = []
    for case in cases:
        rows = [row for row in (table_row(results, case.name, kind) for kind in CANDIDATES)
                if row is not None]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
        lines += [f"### {case.name}", ""]
        for row in [head, ["-" * width for width in widths], *rows]:
            lines.append("| " + " | ".join(cell.ljust(width)
                                           for cell, width in zip(row, widths)) + " |")
        lines.append("")
    disturbed = sum(row["cpu"] < UNDISTURBED for row in results)
    if disturbed:
        lines += [f"In {disturbed} of {len(results)} runs another process had a part of a core.",
                  ""]
    return "\n".join(lines)


def write_page(path, text):
    begin, end = MARK.format("begin"), MARK.format("end")
    page = path.read_text() if path.exists() else f"# Performance\n\n{begin}\n{end}\n"
    if begin not in page or end not in page:
        raise Failure(f"{path}: the lines '{begin}' and '{end}' are missing")
    before, rest = page.split(begin, 1)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
    say(f"wrote {path}")


def section(options, machine, table):
    return "\n".join([
        "## Switches side by side", "",
        f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
        f"{machine['memory']}; DPDK {machine['dpdk']}, Open vSwitch {machine['openvswitch']}; "
        f"{machine['date']}.", "",
        "One switch core, one load core" +
        (", real-time scheduling for all candidates and the load" if options.real_time else "") +
        ". The load fills split rings of "
        f"{options.ring} with IPv4/UDP frames (at {options.frame_offset} bytes in aligned "
        "buffers, the virtio-net header just before), both directions at full rate; frames a "
        "second are the sum of both directions as received. "
        f"{options.rounds} interleaved rounds of {options.seconds:g} s. A ratio is that of the "
        "medians, with the least and greatest ratio of one round.", "",
        f"    {shlex.join(['bench/compare', *sys.argv[1:]])}", "", table])
