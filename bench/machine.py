# SPDX-License-Identifier: BSD-3-Clause
"""The machine under the comparison: packages, huge pages, scheduling, what it is."""
import os
import pathlib
import re
import resource
import shlex
import subprocess
import time

PACKAGES = {"openvswitch-switch-dpdk": "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk",
            "dpdk-dev": "/usr/bin/dpdk-testpmd",
            "gnuplot-nox": "/usr/bin/gnuplot"}


class Failure(Exception):
    """What a person has to know; ends the candidate or the run."""


def say(text):
    print(text, flush=True)


def run_tool(command, **options):
    done = subprocess.run(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=options.pop("timeout", 60), **options)
    if done.returncode != 0:
        raise Failure(f"{shlex.join(map(str, command))}: {done.stdout.strip()[-400:]}")
    return done.stdout


def install_missing():
    missing = [name for name, file in PACKAGES.items() if not os.path.exists(file)]
    if not missing:
        return
    say(f"installing {' '.join(missing)}")
    guard = pathlib.Path("/usr/sbin/policy-rc.d")
    own_guard = not guard.exists()
    if own_guard:  # nothing that we install shall start a service
        guard.write_text("#!/bin/sh\nexit 101\n")
        guard.chmod(0o755)
    try:
        run_tool(["apt-get", "install", "-y", "--no-install-recommends", *missing], timeout=900,
                 env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    finally:
        if own_guard:
            guard.unlink()
    if os.path.isdir("/run/systemd/system") and "openvswitch-switch-dpdk" in missing:
        run_tool(["systemctl", "disable", "--now", "openvswitch-switch"])


def give_descriptors():
    """As many as there may be, for us and all that we start: each guest takes a few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class HugePages:
    """Reserve what is missing, give just that back."""
    path = pathlib.Path("/proc/sys/vm/nr_hugepages")

    def __init__(self):
        self.added = 0

    @staticmethod
    def free():
        found = re.search(r"HugePages_Free: +(\d+)", pathlib.Path("/proc/meminfo").read_text())
        return int(found.group(1)) if found else 0

    def change(self, count):
        before = int(self.path.read_text())
        self.path.write_text(str(max(0, before + count)))
        return int(self.path.read_text()) - before

    def reserve(self, wanted):
        try:
            if self.free() < wanted:
                self.added = self.change(wanted - self.free())
        except OSError as error:
            say(f"no huge pages: {error}")
        return self.free() >= wanted

    def give_back(self):
        if self.added > 0:
            self.change(-self.added)
            self.added = 0


def package_version(name):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout or "not installed"


def describe_machine(huge):
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), "unknown CPU")
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": os.uname().release,
            "memory": "2 MiB pages" if huge else "4 KiB pages",
            "dpdk": package_version("dpdk-dev"),
            "openvswitch": package_version("openvswitch-switch-dpdk"),
            "date": time.strftime("%Y-%m-%d")}


class RealTime:
    """Real-time scheduling for this process and all that it starts, so that nothing else on the
    machine takes a core from a switch or from the load. All candidates have it alike."""
    limit = pathlib.Path("/proc/sys/kernel/sched_rt_runtime_us")

    def __init__(self):
        self.before = None

    def take(self):
        try:
            before = self.limit.read_text()
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(20))
            self.limit.write_text("-1")
            self.before = before
        except OSError as error:
            say(f"no real-time scheduling: {error}")
        return self.before is not None

    def give_back(self):
        if self.before is not None:
            self.limit.write_text(self.before)
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            self.before = None
