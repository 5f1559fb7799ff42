# SPDX-License-Identifier: BSD-3-Clause
"""What scenarios of faults share: an appliance under limits, neighbours that must not notice, and
what a process has of the machine."""
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import harness
from harness import BUILD
from load_harness import FAULTS, GUEST, LoadScenario, lines_of

TURNPIKE = BUILD / "app/turnpike/turnpike"
TURNPIKED = BUILD / "app/turnpiked/turnpiked"
HEAP = ("--no-huge", "-m", "160")


class Limited(harness.Appliance):
    """turnpiked behind a command that limits it, with EAL options of the test's, and more members
    of its configuration."""

    def __init__(self, scenario, interfaces, limit=(), eal=HEAP, **sections):
        self.limit, self.eal, self.sections = list(limit), list(eal), sections
        super().__init__(scenario, interfaces)

    def configuration(self):
        config = super().configuration()
        for name, section in self.sections.items():
            config.setdefault(name, {}).update(section)
        return config

    def _turnpiked(self):
        return [*self.limit, TURNPIKED, *self.eal, "--no-shconf", "--no-telemetry",
                f"--file-prefix=turnpiked{os.getpid()}", "--", "--config", self.config]

    def refused(self):
        """Its start, which has to fail by itself and leave no socket; what it says."""
        done = subprocess.run([*harness.WITH_US, *map(str, self._turnpiked())], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              check=False)
        self.scenario.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.scenario.assertEqual(list(self.scenario.directory.glob("*.sock")), [])
        return done.stderr

    @property
    def pid(self):
        return self.process.child.pid


class Neighbours:
    """Two guests of the tenant "acme" that talk at a steady rate while others have trouble."""

    def __init__(self, scenario, *more, rate="20kpps", name="neighbours", ready=None):
        """@param ready  called when they wait at their sockets for an appliance that connects"""
        self.scenario = scenario
        self.process = scenario.start(name, [
            "nice", "-n", "5", GUEST, "--socket", scenario.directory / "acme-a.sock", "--socket",
            scenario.directory / "acme-b.sock", "--json", "--rate", rate, *more])
        if ready is not None:
            harness.wait_for("they wait", (scenario.directory / "acme-b.sock").exists)
            ready()
        self.process.wait_text('"attached"')

    @staticmethod
    def interfaces(scenario, mode="server"):
        return [scenario.interface("acme", name, number + 1, mode)
                for number, name in enumerate("ab")]

    def end(self):
        """What became of their frames, when all that were sent have come."""
        self.scenario.assertEqual(self.process.stop(signal.SIGINT, 30), 0, self.process.text())
        return lines_of(self.process.text())[-1]["run"]

    def end_well(self):
        """They have lost nothing, and nothing was changed or came twice. What they saw."""
        run = self.end()
        self.scenario.assertGreater(run["order"]["received"], 1000)
        self.scenario.expect_served(run)
        self.scenario.progress(
            f'neighbours: {run["order"]["received"]} frames in {run["seconds"]:.1f} s, none lost; '
            f'us p50 {run["latency_us"]["p50"]:.1f} p99 {run["latency_us"]["p99"]:.1f}')
        return run


class FaultScenario(LoadScenario):
    """Has neighbours beside tenants in trouble."""

    def crowd(self, count, tenant="pods", **more):
        """`count` interfaces of one tenant; their sockets are those of self.sockets."""
        pod = self.interface(tenant, "pod", 1, count=count, **more)
        self.sockets = pod.socket = f"{self.directory}/pod%d.sock"
        return pod

    def limited(self, interfaces, *arguments, **options):
        self.switches.append(Limited(self, interfaces, *arguments, **options))
        return self.switches[-1]

    def expect_served(self, run):
        """Frames went through, none was lost or damaged. On a busy machine some may be on their
        way still."""
        self.assertGreater(run["order"]["received"], 0)
        for name in ("lost", "duplicates", "reordered", "late"):
            self.assertEqual(run["order"][name], 0, f"{name}: {run}")
        for name in FAULTS:
            self.assertEqual(run[name], 0, f"{name}: {run}")

    def turnpike(self, appliance, *arguments, status=0, seconds=harness.PATIENCE):
        """An operator's command; its output, and how long it took."""
        begin = time.monotonic()
        done = subprocess.run([str(TURNPIKE), "-s", str(appliance.control), *arguments], text=True,
                              capture_output=True, timeout=seconds, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr, time.monotonic() - begin

    def expect_balance(self, appliance):
        """completed = delivered + named drops, for every interface and uplink and in total, when
        nothing moves any more. The interfaces."""
        last = []

        def still():
            last.append((appliance.show(), appliance.show("uplinks")))
            return len(last) > 1 and last[-1] == last[-2]
        harness.wait_for("the counters come to rest", still, 20, 0.1)
        drops = [one["name"] for one in appliance.show("drops")]
        interfaces, uplinks = last[-1]
        total = {name: 0 for name in ("tx_frames", "rx_frames", "delivered", "flooded", "copies")}
        for one in uplinks:
            counters = one["counters"]
            self.expect_uplink_balance(counters, drops)
            total["rx_frames"] += counters["accepted"]
            for name in ("delivered", "flooded", "copies"):
                total[name] += counters[name]
        for one in interfaces:
            counters = one["counters"]
            dropped = sum(counters[name] for name in drops)
            self.assertEqual(counters["tx_frames"], counters["delivered"] + dropped, one)
            self.assertEqual(one["drops"], dropped, one)
            for name in total:
                total[name] += counters[name]
        self.assertEqual(total["rx_frames"],
                         total["delivered"] - total["flooded"] + total["copies"], total)
        return interfaces


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def descriptors_below(pid):
    """The lowest limit under which the process can do what it does, and no more."""
    return max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1


def mappings(pid):
    return len(pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines())


def memory(pid, key="RssAnon"):
    """Bytes that a process has of its own; guests' memory is not counted."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(re.search(rf"^{key}:\s+(\d+) kB", text, re.M).group(1))


def set_limit(pid, kind, soft):
    """Change a limit of a running process. @return what it was."""
    before = resource.prlimit(pid, kind)
    resource.prlimit(pid, kind, (soft, before[1]))
    return before[0]
