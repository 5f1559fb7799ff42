#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What became of the tests of one run of meson.

    meson_results.py testlog.json DIRECTORY NAME...

A line for each NAME, "ok NAME SECONDS" or "FAILED NAME SECONDS"; what a failed one wrote is in the
file DIRECTORY/failed-NAME. One that meson has not run has failed.
"""
import json
import pathlib
import sys


def read(path):
    """{name: result}; a name may stand behind its suite: "turnpike:smoke / life"."""
    found = {}
    try:
        for line in path.read_text(errors="replace").splitlines():
            result = json.loads(line)
            found[result["name"].rsplit(" / ", 1)[-1]] = result
    except (OSError, ValueError):
        pass  # those that are missing have failed
    return found


def main():
    results, directory = read(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])
    for name in sys.argv[3:]:
        result = results.get(name, {"result": "not run", "stdout": "", "duration": 0})
        good = result["result"] == "OK"
        if not good:
            (directory / f"failed-{name}").write_text(
                f"{result['stdout']}\n{result.get('stderr', '')}\n{result['result']}\n")
        print("ok" if good else "FAILED", name, round(result["duration"]))


main()
