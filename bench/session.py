# SPDX-License-Identifier: BSD-3-Clause
"""What every benchmark here stands on: the machine taken and given back, candidates started and
stopped, and runs in turn."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import types

from machine import (Failure, HugePages, RealTime, describe_machine, give_descriptors, say)
from report import UNDISTURBED

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TROUBLE = (Failure, OSError, ValueError, KeyError, subprocess.SubprocessError)


def interrupted(number, _frame):
    for other in SIGNALS:  # once is enough: what follows is the cleaning up
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def add_options(parser, program):
    """What the benchmarks have in common."""
    parser.add_argument("--build", type=pathlib.Path, default=SOURCE / "build",
                        help="meson build directory (build)")
    parser.add_argument("--switch-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, help=f"every result (BUILD/{program}.json)")
    parser.add_argument("--no-real-time", action="store_true", help="ordinary scheduling, for a "
                        "machine on which nothing else runs")


def finish_options(options, program):
    options.build = options.build.resolve()
    options.output = options.output or options.build / f"{program}.json"
    options.failures = []
    if os.geteuid() != 0:
        sys.exit(f"bench/{program} must be root: it reserves huge pages and starts switches")
    if not (options.build / "app/turnpike-guest/turnpike-guest").exists():
        sys.exit(f"{options.build}: no turnpike-guest there; build first, or give --build")


@contextlib.contextmanager
def session(options, program, huge_pages, prepare=None):
    """The machine for a while: huge pages, descriptors, scheduling, a directory. What ends it early
    is in options.failures, and what was measured until then counts.
    @param prepare  called first, for what the machine must have"""
    for number in SIGNALS:
        signal.signal(number, interrupted)
    pages, scheduling = HugePages(), RealTime()
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{program}."))
    with contextlib.ExitStack() as end:
        end.callback(shutil.rmtree, directory, ignore_errors=True)
        end.callback(pages.give_back)
        end.callback(scheduling.give_back)
        try:
            if prepare is not None:
                prepare()
            give_descriptors()
            options.huge = pages.reserve(huge_pages)
            machine = describe_machine(options.huge)
            options.real_time = not options.no_real_time and scheduling.take()
        except Failure as error:
            sys.exit(f"bench/{program}: {error}")
        try:
            yield types.SimpleNamespace(directory=directory, machine=machine,
                                        scheduling=scheduling)
        except (KeyboardInterrupt, Failure) as error:
            options.failures.append(str(error) or "interrupted")


def give_up(candidate, error, running, options):
    say(f"{candidate.title}: {error}")
    options.failures.append(f"{candidate.title}, {candidate.guests} guests: {error}")
    running.remove(candidate)
    candidate.stop()


def start_one(candidate, running, options):
    running.append(candidate)  # before it starts: it is stopped whatever happens
    say(f"starting {candidate.title}, {candidate.guests} guests")
    try:
        candidate.start()
    except TROUBLE as error:
        give_up(candidate, error, running, options)


def order_of(candidates, round_number):
    """Each starts the round in its turn; every second round runs backwards."""
    shift = round_number // 2 % max(1, len(candidates))
    order = candidates[shift:] + candidates[:shift]
    return order[::-1] if round_number % 2 else order


def each(running, options, round_number, do):
    for candidate in order_of(list(running), round_number):
        try:
            do(candidate)
        except TROUBLE as error:
            give_up(candidate, error, running, options)


def measure_undisturbed(candidate, seconds, case, tries=3):
    """A run in which another process had a part of a core says little: try again."""
    for _ in range(tries):
        result = candidate.measure(seconds, case)
        if result["cpu"] >= UNDISTURBED:
            break
    return result
