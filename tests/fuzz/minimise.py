#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Choose what a corpus keeps of what was found: the inputs that reach most beyond its seeds.

    minimise.py CONTROL SEEDS DIRECTORY MOST

CONTROL is the control file of a set-cover merge of libFuzzer's (-merge_control_file), which says what
each input reaches. What is chosen of the inputs that are not in SEEDS, at most MOST of them, is copied
to DIRECTORY.
"""
import pathlib
import shutil
import sys


def read(control):
    """Path to what it reaches."""
    lines = pathlib.Path(control).read_text(errors="replace").splitlines()
    names = lines[2:2 + int(lines[0])]
    reached = {}
    for line in lines[2 + len(names):]:
        word, *numbers = line.split()
        if word == "FT":
            reached[pathlib.Path(names[int(numbers[0])])] = frozenset(numbers[1:])
    return reached


def choose(reached, known, most):
    """Greedy set cover; of equals the shortest input, so that the choice is always the same."""
    left = {path: what - known for path, what in reached.items()}
    for _ in range(most):
        path = max(left, key=lambda one: (len(left[one]), -one.stat().st_size, one.name), default=None)
        if path is None or not left[path]:
            return
        yield path
        new = left[path]
        left = {one: what - new for one, what in left.items() if what - new}


def main(control, seeds, directory, most):
    reached = read(control)
    of_seeds = [path for path in reached if path.parent == pathlib.Path(seeds)]
    known = frozenset().union(*(reached.pop(path) for path in of_seeds))
    for path in choose(reached, known, most):
        shutil.copy(path, pathlib.Path(directory) / path.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4], int(sys.argv[4])))
