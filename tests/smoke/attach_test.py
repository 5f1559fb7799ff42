#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""500 interfaces attached at once, twice to one appliance: together, then one after the other.

    attach_test.py TURNPIKED ATTACH_GUESTS
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

COUNT = 500
MAC = "02:00:00:00:ff:00"  # so that counting carries into the next byte


def write_config(directory):
    path = directory / "config.json"
    path.write_text(json.dumps({
        "dataplane": {"worker_cores": [max(os.sched_getaffinity(0))],
                      "control_socket": f"{directory}/control.sock"},
        "classes": {"gold": {"bid": 16, "weight": 8}},
        "tenants": {"acme": {"interfaces": {"pod": {
            "count": COUNT, "mac": MAC, "class": "gold", "socket": f"{directory}/pod%d.sock"}}}}}))
    return path


def wait_for(path, process):
    deadline = time.monotonic() + 30
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"turnpiked does not serve {path} (ended: {process.poll()})")
        time.sleep(0.05)


def attach(program, directory, *manner):
    subprocess.run([program, f"{directory}/pod%d.sock", str(COUNT), MAC, "500", *manner],
                   check=True, timeout=100)


def main(turnpiked, program):
    with tempfile.TemporaryDirectory(prefix="attach.") as name:
        directory = pathlib.Path(name)
        switch = subprocess.Popen([turnpiked, "--config", str(write_config(directory))],
                                  stdin=subprocess.DEVNULL, stderr=(directory / "log").open("w"))
        try:
            wait_for(directory / f"pod{COUNT - 1}.sock", switch)
            attach(program, directory)
            attach(program, directory, "sequential")
        except subprocess.SubprocessError:
            print((directory / "log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            switch.terminate()
            try:
                ended = switch.wait(20)
            except subprocess.TimeoutExpired:
                switch.kill()
                raise
        if ended != 0:
            sys.exit(f"turnpiked ended with {ended}")
        left = list(directory.glob("*.sock"))
        if left:
            sys.exit(f"sockets left behind: {left}")


if __name__ == "__main__":
    main(*sys.argv[1:])
