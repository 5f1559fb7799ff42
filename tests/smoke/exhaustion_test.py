#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Out of hugepages, descriptors, address space, heap: a start says what helps; while it runs the
guest that comes too late is refused for a named reason, and nobody else notices."""
import os
import pathlib
import re
import resource
import time
import unittest

import harness
from fault_harness import (FaultScenario, Neighbours, descriptors, descriptors_below, memory,
                           set_limit)
from harness import SWITCH
from load_harness import GUEST

# Hugepages are not there for a process that does not see them.
NO_HUGEPAGES = ["unshare", "--mount", "--", "sh", "-c",
                'mount -t tmpfs none /sys/kernel/mm/hugepages && exec "$@"', "sh"]
KEPT = 48  # descriptors that guests may not have


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class AtStart(FaultScenario):
    def test_no_hugepages(self):
        """Small pages are taken, and it says how many hugepages would have been."""
        appliance = self.limited([self.crowd(2)], NO_HUGEPAGES, eal=()).start()
        self.assertRegex(appliance.process.text(), r"warning: \d+ MiB of free 2 MiB hugepages "
                         r"wanted, 0 found: going on without hugepages \(slower; echo \d+ > ")
        self.assertEqual(len(appliance.show()), 2)
        appliance.stop()

    def test_too_few_hugepages_for_what_is_asked(self):
        said = self.limited([self.crowd(2)], eal=("--in-memory", "-m", "9000000")).refused()
        self.assertRegex(said, r"want of hugepages: \d+ MiB are free in pages of 2 MiB; more into "
                               r"vm\.nr_hugepages reserves them")

    def test_too_little_address_space(self):
        said = self.limited([self.crowd(2)], ["prlimit", f"--as={256 << 20}"],
                            eal=("--no-huge", "-m", "300")).refused()
        self.assertIn("limited to 256 MiB", said)
        self.assertIn("lift LimitAS= or ulimit -v", said)

    def test_too_small_a_heap(self):
        said = self.limited([self.crowd(15000)], eal=("--no-huge", "-m", "4")).refused()
        self.assertIn("give it more with -m MEGABYTES before --", said)

    def test_no_locked_memory(self):
        """Nothing is locked, so the limit does not matter, also without the right to exceed it."""
        limit = ["prlimit", "--memlock=0:0", "setpriv", "--bounding-set=-ipc_lock"]
        appliance = self.limited([self.crowd(2)], limit).start()
        self.expect_served(self.run_of("--rate", "10kpps", "--seconds", 0.3))
        appliance.stop()

    def test_memory_is_limited_by_a_cgroup(self):
        """Guests could have the kernel kill it, so it warns. (docs/security.md)"""
        groups = pathlib.Path("/sys/fs/cgroup/memory")
        name = "memory.limit_in_bytes"
        if not groups.exists():
            groups, name = groups.parent, "memory.max"
        group = groups / f"turnpike-test-{os.getpid()}"
        try:
            group.mkdir()
            self.addCleanup(group.rmdir)
            (group / name).write_text(str(512 << 20))
        except OSError as error:
            self.skipTest(f"no memory cgroup can be made here: {error}")
        inner = group / "inner"  # the limit of one above counts as well
        inner.mkdir()
        try:
            appliance = self.limited([self.crowd(2)], [
                "sh", "-c", f'echo $$ >{inner}/cgroup.procs && exec "$@"', "sh"]).start()
            self.assertRegex(appliance.process.text(), r"warning: memory: a cgroup limits this "
                                                       r"process to 512 MiB\. .* lift MemoryMax=")
            appliance.stop()
        finally:
            self.processes[-1].kill()
            inner.rmdir()

    def test_too_few_descriptors(self):
        crowd = [self.crowd(200)]
        said = self.limited(crowd, ["prlimit", "--nofile=250:250"]).refused()
        self.assertRegex(said, r"needs 3\d\d before any guest comes, this process may open 250; "
                               r"raise it with LimitNOFILE=")
        appliance = self.limited(crowd, ["prlimit", "--nofile=500:500"]).start()
        self.assertRegex(appliance.process.text(), r"warning: descriptors: up to 1\d\d\d are needed "
                                                   r"when all guests are there, this process may "
                                                   r"open 500: the last guests will be refused")
        appliance.stop()


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class AtRunTime(FaultScenario):
    def serve(self, count, **more):
        appliance = self.limited([*Neighbours.interfaces(self), self.crowd(count)],
                                 billing={"directory": f"{self.directory}/ledger"}, **more)
        return appliance.start()

    def reasons(self, appliance):
        return [one["reason"] for one in appliance.show() if one["tenant"] == "pods"]

    def expect_commands(self, appliance):
        """Operators and bills have what they need."""
        for command in (("show", "interfaces"), ("show", "drops"), ("bill",)):
            _, seconds = self.turnpike(appliance, *command)
            self.assertLess(seconds, 5, command)

    def expect_guests(self, appliance, count):
        """So many come, are served, and are gone."""
        self.expect_served(self.run_of("--count", count, "--rate", "1kpps", "--seconds", 0.5,
                                       "--timeout", 20))
        harness.wait_for("they are gone", lambda: all(
            one["state"] == "listening" for one in appliance.show() if one["tenant"] == "pods"))

    def test_out_of_descriptors(self):
        appliance = self.serve(60)
        neighbours = Neighbours(self)
        self.expect_guests(appliance, 60)
        normal = set_limit(appliance.pid, resource.RLIMIT_NOFILE,
                           descriptors_below(appliance.pid) + KEPT + 40)
        # They are many, so some have come when the first is refused.
        said = self.guest("--count", 60, "--seconds", 1, "--reconnect", "--timeout", 3, status=1,
                          words="pod")
        self.assertEqual(said, [])
        refused = [reason for reason in self.reasons(appliance) if "no descriptor is left" in reason]
        self.assertGreater(len(refused), 0, self.reasons(appliance))
        self.progress(f"reason: {refused[0]}")
        # Whoever stays takes all that guests may have; operators and bills do not notice.
        crowd = self.start("crowd", [GUEST, "--socket", self.sockets, "--json", "--count", 4,
                                     "--rate", "1kpps"])
        crowd.wait_text('"attached"')
        set_limit(appliance.pid, resource.RLIMIT_NOFILE, descriptors_below(appliance.pid) + KEPT)
        self.guest("--socket", f"{self.directory}/pod50.sock", "--socket",
                   f"{self.directory}/pod51.sock", "--seconds", 1, "--timeout", 2, status=1,
                   to=False)
        self.assertIn("no descriptor is left", self.reasons(appliance)[50])
        self.expect_commands(appliance)
        self.assertIn("no descriptor is left for guests: this process may open",
                      appliance.process.text())
        # A limit that is raised holds at once.
        set_limit(appliance.pid, resource.RLIMIT_NOFILE, normal)
        self.assertEqual(crowd.stop(), 0)
        self.expect_guests(appliance, 60)
        neighbours.end_well()
        self.expect_balance(appliance)
        appliance.stop()

    def test_out_of_address_space(self):
        """A guest whose memory cannot be mapped, then none left at all."""
        appliance = self.serve(20)
        neighbours = Neighbours(self)
        self.expect_guests(appliance, 20)
        before = descriptors(appliance.pid)
        normal = set_limit(appliance.pid, resource.RLIMIT_AS,
                           memory(appliance.pid, "VmSize") + (8 << 20))
        self.guest("--count", 2, "--seconds", 1, "--timeout", 3, "--", "--rxd=8192", "--txd=8192",
                   status=1)
        reason = self.reasons(appliance)[0]
        self.assertRegex(reason, r"memory region: \d+ bytes cannot be mapped: Cannot allocate "
                                 r"memory \(limits: vm\.max_map_count, LimitAS=\)")
        self.progress(f"reason: {reason}")
        self.expect_commands(appliance)
        set_limit(appliance.pid, resource.RLIMIT_AS, 1 << 20)
        for _ in range(20):
            self.guest("--count", 20, "--seconds", 0.1, "--timeout", 1, status=1)
        self.assertTrue(appliance.process.alive(), appliance.process.text()[-2000:])
        time.sleep(2)  # bills are to be written meanwhile, and no thread can be started
        self.assertTrue(appliance.process.alive(), appliance.process.text()[-2000:])
        set_limit(appliance.pid, resource.RLIMIT_AS, normal)
        self.expect_commands(appliance)
        self.expect_guests(appliance, 20)
        harness.wait_for("descriptors come back", lambda: descriptors(appliance.pid) <= before + 4)
        run = neighbours.end_well()
        self.expect_balance(appliance)
        self.expect_bill(appliance, run)
        appliance.stop()

    def expect_bill(self, appliance, run):
        """Nothing that neighbours have sent is missing in it."""
        text, _ = self.turnpike(appliance, "bill", "--csv")
        frames = int(re.search(r"^acme,2,(\d+),", text, re.M).group(1))
        self.assertGreaterEqual(frames, run["order"]["received"])

    def test_out_of_heap(self):
        """Workers that share a tenant share words for each place of its rings, in the EAL's
        heap."""
        self.worker_cores = [0, 1]
        appliance = self.serve(100, eal=("--no-huge", "-m", "6"))
        neighbours = Neighbours(self)
        worker = appliance.counters()["pods/pod0"]["worker"]
        appliance.ask(command="move", tenant="pods", interface="pod0", worker=1 - worker)
        self.assertIs(appliance.show("tenants")[1]["spread"], True)
        # A word of two bytes for each place: the guests ask for more than there is.
        self.guest("--count", 100, "--seconds", 0.5, "--timeout", 10, "--buffer-size", 64, "--",
                   "--rxd=32768", "--txd=32768", status=1)
        refused = [one for one in self.reasons(appliance) if "no memory in the EAL's heap" in one]
        self.assertGreater(len(refused), 0, self.reasons(appliance))
        self.progress(f"reason: {refused[0]}")
        self.expect_commands(appliance)
        self.expect_guests(appliance, 100)
        neighbours.end_well()
        self.expect_balance(appliance)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
