# SPDX-License-Identifier: BSD-3-Clause
"""The candidates of the comparison: how each switch is started and how guests get to it."""
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from machine import PACKAGES, Failure, run_tool


class Process:
    """A child in a session of its own, ended by its id."""

    def __init__(self, command, log, **options):
        self.name = log.stem
        self.log = log
        self.child = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                      stdout=options.pop("stdout", log.open("ab")),
                                      stderr=log.open("ab"), start_new_session=True, **options)

    def signal(self, number):
        if self.child.poll() is None:
            os.kill(self.child.pid, number)

    def expect_alive(self):
        if self.child.poll() is not None:
            raise Failure(f"{self.name} ended with {self.child.returncode}: {self.last_words()}")

    def last_words(self):
        return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])

    def stop(self, patience=5):
        self.signal(signal.SIGCONT)
        try:
            self.child.stdin.close()
        except OSError:
            pass
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self.signal(number)
            try:
                self.child.wait(patience if number else patience / 5)
                return
            except subprocess.TimeoutExpired:
                pass


class Load(Process):
    """The guests: a program that runs once for every line that it is given."""

    def __init__(self, command, log):
        super().__init__(command, log, stdout=subprocess.PIPE)
        self.attach_ms = self.answer(60)["attach_ms"]

    def answer(self, timeout):
        readable, _, _ = select.select([self.child.stdout], [], [], timeout)
        line = self.child.stdout.readline() if readable else b""
        if not line:
            raise Failure(f"{self.name}: no answer within {timeout:.0f} s: {self.last_words()}")
        return json.loads(line)

    def run(self, seconds, size):
        self.child.stdin.write(f"run {seconds} {size}\n".encode())
        self.child.stdin.flush()
        return self.answer(seconds + 30)


class Candidate:
    """A switch and its load. A subclass starts the switch and says how guests get to it."""
    name = title = None
    guests_max = 1 << 20
    load_options = ()
    settle_seconds = 0.2

    def __init__(self, options, directory, guests, pairs):
        self.options, self.guests, self.pairs = options, guests, pairs
        self.directory = directory / self.name
        self.directory.mkdir()
        self.switch = []  # processes that are held between runs
        self.load = None

    def start_switch(self):
        raise NotImplementedError

    def spawn(self, command, name=None, **options):
        name = name or os.path.basename(command[0])
        process = Process(command, self.directory / f"{name}.log", **options)
        self.switch.append(process)
        return process

    def socket(self, guest="%d"):
        return f"{self.directory}/guest{guest}.sock"

    def wait_for(self, path, process, timeout=30):
        deadline = time.monotonic() + timeout
        while not os.path.exists(path):
            process.expect_alive()
            if time.monotonic() > deadline:
                raise Failure(f"{self.title}: {path} did not appear in {timeout} s")
            time.sleep(0.02)

    def common_load_options(self):
        return ["--core", self.options.load_core, "--ring", self.options.ring,
                "--frame-offset", self.options.frame_offset, "--json", "--interactive",
                *(["--huge"] if self.options.huge else [])]

    def start(self):
        self.start_switch()
        self.load = Load([self.options.build / "bench/turnpike-bench-load",
                          "--socket-pattern", self.socket(), "--count", self.guests,
                          "--pairs", self.pairs, *self.load_options,
                          *self.common_load_options()], self.directory / "load.log")
        self.settle()
        self.pause()

    def settle(self):
        """A switch may set its ports up after the guests are there; let it, till frames flow."""
        for _ in range(10):
            time.sleep(self.settle_seconds)
            if self.load.run(0.1, self.options.first_size)["frames_received"] > 0:
                return
        raise Failure(f"{self.title}: no frame arrives")

    def pause(self):
        for process in self.switch:
            process.signal(signal.SIGSTOP)

    def resume(self):
        for process in self.switch:
            process.expect_alive()
            process.signal(signal.SIGCONT)

    def switch_seconds(self):
        """CPU time of the switch so far."""
        ticks = 0
        for process in self.switch:
            stat = pathlib.Path(f"/proc/{process.child.pid}/stat").read_text()
            ticks += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def measure(self, seconds, size):
        self.resume()
        try:
            time.sleep(0.05)
            start, before = time.monotonic(), self.switch_seconds()
            result = self.load.run(seconds, size)
            share = (self.switch_seconds() - before) / (time.monotonic() - start)
            return {**result, "cpu": round(min(result["cpu"], share), 3)}
        finally:
            self.pause()

    def stop(self):
        for process in self.switch:  # awake, so that the guests can leave in order
            process.signal(signal.SIGCONT)
        for process in [self.load, *reversed(self.switch)]:
            if process is not None:
                process.stop()


class BareCopy(Candidate):
    name, title, guests_max = "bare", "bare ring-to-ring copy (ceiling)", 2

    def start(self):
        self.load = Load([self.options.build / "bench/turnpike-bench-bare", "--copy-core",
                          self.options.switch_core, *self.common_load_options()],
                         self.directory / "bare.log")
        self.switch = [self.load]
        self.pause()

    def stop(self):
        if self.load is not None:
            self.load.stop()


class Turnpike(Candidate):
    name, title = "turnpike", "Turnpike"

    def start_switch(self):
        config = {
            "dataplane": {"worker_cores": [self.options.switch_core],
                          "control_core": self.options.load_core,
                          "control_socket": f"{self.directory}/control.sock"},
            "classes": {"gold": {"bid": 64, "weight": 8}},
            "tenants": {"bench": {"interfaces": {"guest": {
                "count": self.guests, "mac": "02:00:00:00:00:01", "class": "gold",
                "socket": self.socket()}}}}}
        path = self.directory / "turnpike.json"
        path.write_text(json.dumps(config, indent=2))
        process = self.spawn([self.options.build / "app/turnpiked/turnpiked",
                              "--config", str(path)])
        self.wait_for(self.socket(self.guests - 1), process)


class OpenVSwitch(Candidate):
    name, title, load_options = "ovs", "OVS-DPDK, one flow a direction", ("--server",)
    settle_seconds = 1  # it configures ports anew when guests come, beside the load

    def start_switch(self):
        self.environment = {**os.environ, "OVS_RUNDIR": str(self.directory),
                            "OVS_LOGDIR": str(self.directory), "OVS_DBDIR": str(self.directory)}
        database, remote = f"{self.directory}/conf.db", f"{self.directory}/db.sock"
        run_tool(["ovsdb-tool", "create", database,
                  "/usr/share/openvswitch/vswitch.ovsschema"])
        server = self.spawn(["ovsdb-server", database, f"--remote=punix:{remote}",
                             f"--unixctl={self.directory}/ovsdb.ctl"], env=self.environment)
        self.wait_for(remote, server)
        extra = "--no-pci --in-memory" if self.options.huge else "--no-pci --no-huge -m 1024"
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={1 << self.options.switch_core:#x}",
                   f"other_config:dpdk-lcore-mask={1 << self.options.load_core:#x}",
                   f"other_config:dpdk-extra={extra}")
        # Its bridge makes a network device: in a namespace of its own, out of everybody's way.
        self.spawn(["unshare", "--net", PACKAGES["openvswitch-switch-dpdk"], f"unix:{remote}",
                    f"--unixctl={self.directory}/vswitchd.ctl"], "ovs-vswitchd",
                   env=self.environment)
        self.add_bridge()

    def vsctl(self, *arguments):
        return run_tool(["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", *arguments])

    def add_bridge(self):
        self.vsctl("--timeout=30", "add-br", "br0", "--", "set", "bridge", "br0",
                   "datapath_type=netdev", "fail_mode=secure")
        ports = []
        for guest in range(self.guests):
            ports += ["--", "add-port", "br0", f"g{guest}", "--", "set", "Interface",
                      f"g{guest}", "type=dpdkvhostuserclient", f"ofport_request={guest + 1}",
                      f"options:vhost-server-path={self.socket(guest)}"]
        self.vsctl("--timeout=60", *ports[1:])
        errors = self.vsctl("--columns=error", "--bare", "list", "Interface").split()
        if errors:
            raise Failure(f"OVS: {' '.join(errors)}")
        for guest in range(2 * self.pairs):
            run_tool(["ovs-ofctl", "add-flow", f"unix:{self.directory}/br0.mgmt",
                      f"in_port={guest + 1},actions=output:{(guest ^ 1) + 1}"],
                     env=self.environment)


class Testpmd(Candidate):
    name, title, guests_max = "testpmd", "testpmd io, two net_vhost ports", 2

    def start_switch(self):
        memory = ["--in-memory"] if self.options.huge else ["--no-huge", "--no-shconf"]
        devices = [f"--vdev=net_vhost{guest},iface={self.socket(guest)}" for guest in range(2)]
        process = self.spawn(
            [PACKAGES["dpdk-dev"], "--no-pci", "--no-telemetry", *memory, "-m", "512",
             f"--lcores=0@{self.options.load_core},1@{self.options.switch_core}", *devices, "--",
             "--auto-start", "--forward-mode=io", "--nb-cores=1", "--disable-link-check",
             "--total-num-mbufs=65536"])
        self.wait_for(self.socket(1), process)


CANDIDATES = [BareCopy, Turnpike, OpenVSwitch, Testpmd]
