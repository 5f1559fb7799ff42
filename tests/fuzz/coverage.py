#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which lines were reached, and which were not, from a trace file of lcov's format.

    coverage.py FILE FOLDER=PERCENT...

Fails if less of a folder's lines was reached than that.

Source: geninfo(1), "TRACEFILE FORMAT".
"""
import collections
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read(path, folders):
    """File in one of the folders to {line: count}; a line is reached if any copy of it was."""
    files = collections.defaultdict(collections.Counter)
    name = None
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            name = pathlib.Path(value).resolve()
            name = name.relative_to(ROOT) if name.is_relative_to(ROOT) else name
        elif key == "DA" and any(name.is_relative_to(folder) for folder in folders):
            number, count = value.split(",")[:2]
            files[name][int(number)] += int(count)
    return files


def missed_runs(lines):
    """First and last of lines in a row that were not reached; lines without code do not end a row."""
    run = []
    for number in sorted(lines):
        if lines[number] > 0:
            if run:
                yield run[0], run[-1]
            run = []
        else:
            run.append(number)
    if run:
        yield run[0], run[-1]


def show(reached, total):
    return f"{reached:6} of {total:5} {100 * reached / total:6.1f} %"


def main(path, floors):
    files = read(path, list(floors))
    sums = collections.defaultdict(lambda: [0, 0])
    print("Lines reached")
    for name in sorted(files):
        reached, total = sum(count > 0 for count in files[name].values()), len(files[name])
        folder = sums["/".join(name.parts[:2])]
        folder[0] += reached
        folder[1] += total
        print(f"  {str(name):48} {show(reached, total)}")
    for folder in sorted(sums):
        print(f"{folder:50} {show(*sums[folder])}")
    print("\nNot reached")
    for name in sorted(files):
        text = (ROOT / name).read_text().splitlines()
        for first, last in missed_runs(files[name]):
            print(f"  {name}:{first}-{last}: {text[first - 1].strip()}")
    low = [folder for folder, floor in floors.items()
           if 100 * sums[folder][0] < floor * sums[folder][1] or not sums[folder][1]]
    for folder in low:
        print(f"{folder}: less than {floors[folder]} % of its lines were reached")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], {folder: int(percent) for folder, _, percent in
                                (argument.partition("=") for argument in sys.argv[2:])}))
