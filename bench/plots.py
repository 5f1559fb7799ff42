# SPDX-License-Identifier: BSD-3-Clause
"""The comparison as pictures: gnuplot's data and commands."""
import statistics
import subprocess

COLOURS = {"bare": "#999999", "turnpike": "#0060a8", "ovs": "#c05800", "testpmd": "#3a8a3a",
           "turnpike2": "#66aadd"}
HEAD = """set terminal svg size 760,460 noenhanced font "sans,13" background "white"
set output "{path}"
set title "{title}"
set ylabel "{ylabel}"
set xlabel "{xlabel}"
set grid ytics lc "#dddddd"
set key below noenhanced
set border 3
set tics nomirror
"""


def gnuplot(commands):
    subprocess.run(["gnuplot"], input=commands, text=True, check=True, timeout=60)


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(lines) + "\nEOD\n"


def spread(rows):
    mpps = [row["mpps"] for row in rows]
    return statistics.median(mpps), min(mpps), max(mpps)


def picture(path, head, series, style):
    """One line for each candidate with data: median, and what the rounds range over."""
    commands = HEAD.format(path=path, **head) + head.get("extra", "")
    plots = []
    for name, title, lines in series:
        if lines:
            commands += block(name, lines)
            plots.append(f'${name} {style} lc rgb "{COLOURS[name]}" title "{title}"')
    if plots:
        gnuplot(commands + "plot " + ", \\\n ".join(plots) + "\n")


def draw_sizes(path, runs, titles):
    rows = [row for row in runs if row["scene"] == "two"]
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    series = []
    for number, name in enumerate(titles):
        lines = []
        for place, size in enumerate(sizes):
            own = [row for row in rows if row["candidate"] == name and row["size"] == size]
            if own:
                lines.append(f"{place + 0.2 * (number - 1.5):.2f} "
                             + " ".join(f"{value:.3f}" for value in spread(own)))
        series.append((name, titles[name], lines))
    ticks = ", ".join(f'"{size}" {place}' for place, size in enumerate(sizes))
    picture(path, {"title": "Two guests, both ways at full rate: median and range",
                   "ylabel": "Mpps", "xlabel": "bytes a frame", "extra":
                   f"set xtics ({ticks})\nset yrange [0:*]\nset boxwidth 0.18\n"
                   "set style fill solid 0.7\n"},
            series, "using 1:2:3:4:(0.18) with boxerrorbars")


def draw_attached(path, runs, titles):
    rows = [row for row in runs if row["case"].endswith("2 talk")
            or row["case"] == "64 bytes, 2 guests"]
    series = []
    for name in ("turnpike", "turnpike2", "ovs"):
        lines = []
        for guests in sorted({row["guests"] for row in rows}):
            own = [row for row in rows if row["candidate"] == name and row["guests"] == guests]
            if own:
                lines.append(f"{guests} " + " ".join(f"{value:.3f}" for value in spread(own)))
        series.append((name, titles[name] + (" at the same time" if name == "turnpike2" else ""),
                       lines))
    picture(path, {"title": "Two guests talk, the others are attached and silent",
                   "ylabel": "Mpps, 64 bytes", "xlabel": "guests attached",
                   "extra": "set logscale x 2\nset yrange [0:*]\n"},
            series, "using 1:2:3:4 with yerrorlines lw 2 pt 7")


def draw_latency(path, searches, titles):
    series = []
    for name in titles:
        own = [row for row in searches if row["candidate"] == name]
        lines = []
        for share in ("10", "50", "90"):
            found = [row["latency"][share]["p99"] for row in own if share in row["latency"]]
            if found:
                lines.append(f"{share} {statistics.median(found):.2f} {min(found):.2f} "
                             f"{max(found):.2f}")
        series.append((name, titles[name], lines))
    picture(path, {"title": "Latency below the rate without loss (each candidate's own)",
                   "ylabel": "p99, microseconds", "xlabel": "% of that rate",
                   "extra": "set logscale y\nset xrange [0:100]\n"},
            series, "using 1:2:3:4 with yerrorlines lw 2 pt 7")


def draw(directory, results, titles):
    draw_sizes(directory / "sizes.svg", results["runs"], titles)
    draw_attached(directory / "attached.svg", results["runs"], titles)
    if results["searches"]:
        draw_latency(directory / "latency.svg", results["searches"], titles)
