# SPDX-License-Identifier: BSD-3-Clause
"""What every scenario stands on: a temporary directory, processes that are ended by their id, the
appliance and its configuration.

A test case derives from Scenario and uses self.directory, self.start() and self.appliance().
Output of every process goes to self.directory; when a test fails the directory is kept under
build/logs. Environment:

  TURNPIKE_BUILD   build directory (default: build beside tests)
  TURNPIKE_SWITCH  "testpmd" puts dpdk-testpmd with net_vhost in the appliance's place, which
                   connects interface 0 with 1 and 2 with 3 of the configuration: it tells trouble
                   of the guests from trouble of the switch. Default "turnpiked".
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TURNPIKE_BUILD", ROOT / "build")).resolve()
SWITCH = os.environ.get("TURNPIKE_SWITCH", "turnpiked")
# The time allowed for everything that emulation and a busy machine can slow down, in seconds.
PATIENCE = 60


def wait_for(what, condition, seconds=PATIENCE, pause=0.02):
    """Return condition()'s first true value, or fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def memory_arguments(megabytes):
    """EAL arguments for a process of our own that keeps to itself."""
    return ["--no-huge", "-m", str(megabytes), "--no-pci", "--no-telemetry"]


# In front of a command: the kernel ends it with us, should we be killed before we can do it.
WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


class Process:
    """A child with its output in a file; ended by its id."""

    def __init__(self, name, arguments, directory):
        self.name = name
        self.log = pathlib.Path(directory) / f"{name}.log"
        with open(self.log, "ab") as log:
            log.write((" ".join(map(str, arguments)) + "\n").encode())
            log.flush()
            self.child = subprocess.Popen(
                WITH_US + [str(argument) for argument in arguments], stdin=subprocess.PIPE,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def text(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        return self.child.poll() is None

    def say(self, line):
        self.child.stdin.write((line + "\n").encode())
        self.child.stdin.flush()

    def wait_text(self, wanted, seconds=PATIENCE, start=0):
        """Wait until `wanted` stands in the output beyond offset `start`."""
        def there():
            if wanted in self.text()[start:]:
                return True
            if not self.alive():
                raise AssertionError(
                    f"{self.name} ended with {self.child.returncode}, see {self.log}:\n"
                    + self.text()[-2000:])
            return False
        wait_for(f'{self.name} prints "{wanted}"', there, seconds)

    def wait(self, seconds=PATIENCE):
        return self.child.wait(seconds)

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Send a signal, wait, return the exit status; SIGKILL if that does not help."""
        if self.alive():
            self.child.send_signal(number)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        if self.child.stdin:
            self.child.stdin.close()
            self.child.stdin = None
        return self.child.returncode

    def kill(self):
        return self.stop(signal.SIGKILL)


class Interface:
    """One interface of a test's configuration."""

    def __init__(self, tenant, name, socket, mac, mode="server", **more):
        self.tenant, self.name, self.socket, self.mac = tenant, name, str(socket), mac
        self.mode, self.more = mode, more

    def as_json(self):
        value = {"mac": self.mac, "class": "gold", "socket": self.socket, **self.more}
        if self.mode != "server":
            value["mode"] = self.mode
        return value


class Appliance:
    """turnpiked on a configuration made of `interfaces`, or what stands in for it."""

    def __init__(self, scenario, interfaces, change=None, uplinks=None, networks=None):
        """change: called with the configuration; uplinks: as in it; networks: by tenant."""
        self.scenario, self.interfaces = scenario, interfaces
        self.uplinks, self.networks = uplinks or {}, networks or {}
        self.control = scenario.directory / "control.sock"
        self.config = scenario.directory / "config.json"
        self.change = change
        self.write_configuration()
        self.process = None

    def write_configuration(self):
        """Its file, also anew."""
        configuration = self.configuration()
        if self.change is not None:
            self.change(configuration)
        self.config.write_text(json.dumps(configuration, indent=4))

    def configuration(self):
        tenants = {}
        for interface in self.interfaces:
            tenant = tenants.setdefault(interface.tenant, {"interfaces": {}})
            tenant["interfaces"][interface.name] = interface.as_json()
        cores = self.scenario.worker_cores or [max(os.sched_getaffinity(0))]
        # A long hold: guests that share a core with others take frames late, and lose none.
        for name, network in self.networks.items():
            tenants.setdefault(name, {})["network"] = network
        return {"dataplane": {"worker_cores": cores, "control_socket": str(self.control)},
                "uplinks": self.uplinks,
                "classes": {"gold": {"bid": 16, "weight": 8, "on_full": {"hold": "1s"}}},
                "tenants": tenants}

    def _turnpiked(self):
        return [BUILD / "app/turnpiked/turnpiked", "--no-shconf", "--no-telemetry",
                f"--file-prefix=turnpiked{os.getpid()}", "--", "--config", self.config]

    def _stand_in(self):
        vdevs = []
        for number, interface in enumerate(self.interfaces):
            client = int(interface.mode == "client")
            vdevs += ["--vdev", f"net_vhost{number},iface={interface.socket},client={client}"]
            if not client:
                pathlib.Path(interface.socket).unlink(missing_ok=True)
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[-1:]))
        count = len(self.interfaces) & ~1
        return ["dpdk-testpmd", *memory_arguments(256), "--file-prefix", f"switch{os.getpid()}",
                f"--lcores=0@0,1@{cores}", *vdevs, "--", "-i", "--nb-cores=1",
                f"--portmask={(1 << count) - 1:#x}", "--max-pkt-len=9100", "--mbuf-size=10240",
                "--total-num-mbufs=8192", "--no-lsc-interrupt"]

    def start(self):
        stand_in = SWITCH == "testpmd"
        arguments = self._stand_in() if stand_in else self._turnpiked()
        name = "switch"
        offset = 0
        if (self.scenario.directory / f"{name}.log").exists():
            offset = len((self.scenario.directory / f"{name}.log").read_text(errors="replace"))
        self.process = self.scenario.start(name, arguments)
        self.process.wait_text("testpmd>" if stand_in else "ready", start=offset)
        if stand_in:
            self.process.say("set fwd io retry")
            self.process.say("start")
        return self

    def stop(self):
        """End it as an operator does; the exit status must be 0."""
        status = self.process.stop(signal.SIGTERM)
        if SWITCH != "testpmd":
            self.scenario.assertEqual(status, 0, "turnpiked's exit status after SIGTERM")

    def kill(self):
        self.process.kill()

    def show(self, what="interfaces"):
        """`turnpike show WHAT -j`, parsed; None where a stand-in runs."""
        if SWITCH == "testpmd":
            return None
        done = subprocess.run(
            [BUILD / "app/turnpike/turnpike", "-s", self.control, "show", what, "-j"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"turnpike show {what}: {done.stderr}")
        return json.loads(done.stdout)

    def ask(self, **request):
        """A command of the control socket that the `turnpike` program does not have."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(PATIENCE)
            control.connect(str(self.control))
            control.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(control.makefile().readline())
        if not answer.get("ok"):
            raise AssertionError(f"{request}: {answer}")
        return answer

    def counters(self):
        """Interfaces by "tenant/name", as `show` gives them; {} where a stand-in runs."""
        return {f'{one["tenant"]}/{one["name"]}': one for one in self.show() or []}


class Scenario(unittest.TestCase):
    """A test with a directory and processes of its own."""

    worker_cores = None  # of the appliance: its default is the last CPU

    def setUp(self):
        # Short, for a UNIX socket's path has at most 107 characters.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-test-"))
        self.processes = []
        self.channels = []
        self.switches = []
        self.namespaces = []
        self.kept = False

    def tearDown(self):
        if self._failed():
            self.keep_evidence()
        for channel in self.channels:
            channel.close()
        for process in reversed(self.processes):
            process.kill()
        if self.kept:
            kept = BUILD / "logs" / self.id()
            shutil.rmtree(kept, ignore_errors=True)
            sockets = shutil.ignore_patterns("*.sock", "*.ctl", "*.mgmt", "*.snoop",
                                             "dpdk_telemetry*", "notify")
            shutil.copytree(self.directory, kept, ignore=sockets)
            print(f"  logs kept in {kept}", flush=True)
        shutil.rmtree(self.directory)

    def keep_evidence(self, when="at the end"):
        """Where do frames stand still? What the switch has counted, and what the kernel tells of
        sockets and links in the scenario's namespaces. Logs are kept, even if the test passes."""
        self.kept = True
        for switch in self.switches:
            told = {}
            for what in ("interfaces", "uplinks", "workers"):
                try:
                    told[what] = switch.show(what)
                except (AssertionError, subprocess.TimeoutExpired) as error:
                    told[what] = str(error)
            (self.directory / f"counters {when}.json").write_text(json.dumps(told, indent=4) + "\n")
        with open(self.directory / f"sockets {when}.txt", "w", encoding="utf-8") as file:
            for namespace in self.namespaces:
                # -0: packet sockets, which lose frames that the switch has delivered
                for command in (("ss", "-tinmoa"), ("ss", "-0mn"), ("ip", "-s", "link"),
                                ("ip", "neigh")):
                    file.write(f"--- {namespace.name}: {' '.join(command)}\n")
                    file.write(namespace.run(*command, check=False).stdout)

    def expect_uplink_balance(self, counters, drops):
        """received = delivered + drops (their names), accepted = sent + losses + waiting."""
        self.assertEqual(counters["received"],
                         counters["delivered"] + sum(counters[name] for name in drops), counters)
        self.assertEqual(counters["accepted"], counters["sent"] + counters["waiting"]
                         + counters["lost_link_down"] + counters["lost_device_gone"], counters)

    def _failed(self):
        result = self._outcome.result
        broken = [test for test, _ in result.failures + result.errors]
        return any(test is self for test in broken) or not self._outcome.success

    def start(self, name, arguments):
        process = Process(name, arguments, self.directory)
        self.processes.append(process)
        return process

    def appliance(self, interfaces, change=None, **beyond):
        """Start one. `change` is called with its configuration, to add to it."""
        self.switches.append(Appliance(self, interfaces, change, **beyond))
        return self.switches[-1].start()

    def interface(self, tenant, name, number, mode="server", **more):
        """An interface with its socket in the scenario's directory and a MAC from its number."""
        return Interface(tenant, name, self.directory / f"{tenant}-{name}.sock",
                         f"02:00:00:00:00:{number:02x}", mode, **more)

    def progress(self, text):
        print(f"  {text}", flush=True)
