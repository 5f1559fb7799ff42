# SPDX-License-Identifier: BSD-3-Clause
"""The candidates of the comparison: how each switch is started and how guests get to it."""
import json
import os
import re
import signal
import socket
import time

from machine import PACKAGES, Failure, run_tool
from processes import Load, Process


class Candidate:
    """A switch and its load. A subclass starts the switch and says how guests get to it."""
    name = title = None
    guests_max = 1 << 20
    load_options = ()
    settle_seconds = 0.2

    def __init__(self, options, directory, guests, first_case, name=None, title=None):
        self.options, self.guests, self.first_case = options, guests, first_case
        self.name, self.title = name or self.name, title or self.title
        self.directory = directory / self.name
        self.directory.mkdir()
        self.switch = []  # processes that are held between runs
        self.load = None

    def start_switch(self):
        raise NotImplementedError

    def dropped(self):
        """Frames that the switch says it has dropped so far."""
        raise NotImplementedError

    def spawn(self, command, name=None, **options):
        name = name or os.path.basename(command[0])
        process = Process(command, self.directory / f"{name}.log", **options)
        self.switch.append(process)
        return process

    def socket(self, guest="%d"):
        return f"{self.directory}/guest{guest}.sock"

    def wait_for(self, path, process, timeout=60):
        deadline = time.monotonic() + timeout
        while not os.path.exists(path):
            process.expect_alive()
            if time.monotonic() > deadline:
                raise Failure(f"{self.title}: {path} did not appear in {timeout} s")
            time.sleep(0.02)

    def start(self):
        self.start_switch()
        few = self.guests <= 2  # many guests have memory in small pages, whatever the switch has
        self.load = Load([self.options.build / "app/turnpike-guest/turnpike-guest",
                          "--socket", self.socket(), "--count", self.guests, "--json",
                          "--cores", self.options.load_core, "--timeout", 60,
                          "--frame-offset", self.options.frame_offset, "--warm-up", 0.1,
                          *(["--huge"] if self.options.huge and few else []),
                          *self.load_options, "--", "-i", f"--rxd={self.options.ring}",
                          f"--txd={self.options.ring}"], self.directory / "load.log")
        self.settle()
        self.pause()

    def set_up(self, case):
        """Make the load that of a case."""
        self.load.set(size=case.size, talking=case.talking, verify="burst")

    def settle(self):
        """A switch may set its ports up after the guests are there; let it, till frames flow."""
        self.set_up(self.first_case)
        for _ in range(20):
            time.sleep(self.settle_seconds)
            if self.load.run(0.1)["rx_frames"] > 0:
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
        """CPU time of the switch so far, to the nanosecond: what is idle runs for less than a
        tick of /proc/PID/stat. The clock of a process is that of clock_getcpuclockid(3)."""
        return sum(time.clock_gettime(~process.child.pid << 3 | 2) for process in self.switch)

    def memory(self):
        """Bytes of the switch that are its own: anonymous, and huge pages (guests' are small)."""
        own = 0
        for process in self.switch:
            for line in open(f"/proc/{process.child.pid}/smaps_rollup"):
                if line.startswith(("Anonymous:", "Shared_Hugetlb:", "Private_Hugetlb:")):
                    own += int(line.split()[1]) * 1024
        return own

    def look(self):
        """What counts up: time, and what the switch shows."""
        return {"seconds": time.monotonic(), "cpu_seconds": self.switch_seconds(),
                "dropped": self.dropped()}

    def since(self, before):
        return {name: value - before[name] for name, value in self.look().items()}

    def measure(self, seconds, case):
        self.resume()
        try:
            time.sleep(0.05)
            self.set_up(case)
            before = self.look()
            result = self.load.run(seconds)
            switch = self.since(before)
            share = switch["cpu_seconds"] / switch["seconds"]
            order = result["order"]
            return {**result, "lost": order["lost"], "sent": order["sent"], "switch": switch,
                    "explained": switch["dropped"], "load_cpu": result["cpu"],
                    "cpu": round(min(result["cpu"], share), 3)}
        finally:
            self.pause()

    def search(self, seconds, case):
        self.resume()
        try:
            self.set_up(case)
            return self.load.search(seconds)
        finally:
            self.pause()

    def idle_share(self, seconds):
        self.resume()
        try:
            time.sleep(0.3)
            before = self.switch_seconds()
            time.sleep(seconds)
            return (self.switch_seconds() - before) / seconds
        finally:
            self.pause()

    def stop(self):
        for process in self.switch:  # awake, so that the guests can leave in order
            process.signal(signal.SIGCONT)
        for process in [self.load, *reversed(self.switch)]:
            if process is not None:
                process.stop()


class BareCopy(Candidate):
    name, title = "bare", "bare ring-to-ring copy (ceiling)"

    def start_switch(self):
        process = self.spawn([self.options.build / "bench/turnpike-bench-backend",
                              "--socket", self.socket(), "--count", self.guests,
                              "--look-up", "02:00:00:00:00:01",
                              "--core", self.options.switch_core,
                              "--control-core", self.options.load_core])
        self.wait_for(self.socket(self.guests - 1), process)

    def dropped(self):
        return 0  # it waits for room


class Generator:
    """turnpike-guest against a back-end that only takes frames, or only gives them."""

    def __init__(self, options, directory, mode, forward):
        self.mode = mode
        socket = f"{directory}/{mode}%d.sock"
        self.backend = Process([options.build / "bench/turnpike-bench-backend",
                                "--socket", socket, "--mode", mode, "--core", options.switch_core,
                                "--control-core", options.load_core], directory / f"{mode}.log")
        self.load = None
        try:
            self.load = Load([options.build / "app/turnpike-guest/turnpike-guest",
                              "--socket", socket, "--json", "--cores", options.load_core,
                              "--warm-up", 0.1, *(["--huge"] if options.huge else []), "--", "-i",
                              f"--forward-mode={forward}"], directory / f"{mode}-load.log")
        except Failure:
            self.stop()
            raise

    def measure(self, verify, seconds):
        self.load.ask(f"set verify {verify}")
        run = self.load.run(seconds)
        return run["tx_mpps"] if self.mode == "sink" else run["mpps"]

    def stop(self):
        for process in (self.load, self.backend):
            if process is not None:
                process.stop()


class Turnpike(Candidate):
    name, title = "turnpike", "Turnpike"
    dataplane = {}  # of its configuration, beside the cores
    pinned = 0      # interfaces of a pinned class beside the guests
    hold = "1ms"    # of a frame whose destination is full
    build = None    # whose switch it is; None: that of all

    def classes(self):
        return {"gold": {"bid": 64, "weight": 8, "on_full": {"hold": self.hold}},
                "pinned": {"bid": 128, "pinned": True}}

    def interfaces(self):
        return {"guest": {"count": self.guests, "mac": "02:00:00:00:00:01", "class": "gold",
                          "socket": self.socket()}}

    def configuration(self):
        tenants = {"bench": {"interfaces": self.interfaces()}}
        if self.pinned:  # in a tenant of its own, on the same worker
            tenants["pinned"] = {"interfaces": {"pin": {
                "count": self.pinned, "mac": "02:01:00:00:00:01", "class": "pinned",
                "socket": f"{self.directory}/pin%d.sock"}}}
        return {"dataplane": {"worker_cores": [self.options.switch_core],
                              "control_core": self.options.load_core,
                              "control_socket": self.control, **self.dataplane},
                "classes": self.classes(), "tenants": tenants}

    def program(self, name):
        return (self.build or self.options.build) / "app" / name / name

    def start_switch(self):
        self.control = f"{self.directory}/control.sock"
        config = self.configuration()
        path = self.directory / "turnpike.json"
        path.write_text(json.dumps(config, indent=2))
        # Names of its own: who starts while another is held must not ask it whether it lives.
        process = self.spawn([self.program("turnpiked"),
                              f"--file-prefix={self.directory.parent.parent.name}-{self.name}-"
                              f"{self.guests}", "--", "--config", str(path)])
        self.wait_for(self.socket(self.guests - 1), process)

    def ask(self, **request):
        """A command of the control socket that the program `turnpike` does not have."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.connect(self.control)
            control.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(control.makefile().readline())
        if not answer["ok"]:
            raise Failure(f"{request}: {answer}")

    def show(self, what):
        return json.loads(run_tool([self.program("turnpike"), "-s", self.control, "show", what,
                                    "-j"]))

    def dropped(self):
        return sum(one["frames"] for one in self.show("drops"))


class OpenVSwitch(Candidate):
    name, title, load_options = "ovs", "OVS-DPDK, one flow a direction", ("--server",)
    flow_options = ()
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
        if not self.options.huge:  # it insists on --in-memory, which goes with huge pages alone
            raise Failure("OVS-DPDK needs huge pages")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={1 << self.options.switch_core:#x}",
                   f"other_config:dpdk-lcore-mask={1 << self.options.load_core:#x}",
                   "other_config:dpdk-extra=--no-pci --in-memory")
        # Its bridge makes a network device: in a namespace of its own, out of everybody's way.
        self.spawn(["unshare", "--net", PACKAGES["openvswitch-switch-dpdk"], f"unix:{remote}",
                    f"--unixctl={self.directory}/vswitchd.ctl"], "ovs-vswitchd",
                   env=self.environment)
        self.add_bridge()

    def vsctl(self, *arguments):
        return run_tool(["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", *arguments])

    def ports(self):
        """Name and settings of each: it connects to sockets that the guests serve."""
        return [(f"g{guest}", ["type=dpdkvhostuserclient",
                               f"options:vhost-server-path={self.socket(guest)}"])
                for guest in range(self.guests)]

    def add_bridge(self):
        self.vsctl("--timeout=30", "add-br", "br0", "--", "set", "bridge", "br0",
                   "datapath_type=netdev", "fail_mode=secure",
                   "protocols=OpenFlow10,OpenFlow13")
        ports = []
        for number, (name, settings) in enumerate(self.ports()):
            ports += ["--", "add-port", "br0", name, "--", "set", "Interface", name,
                      f"ofport_request={number + 1}", *settings]
        self.vsctl("--timeout=120", *ports[1:])
        errors = self.vsctl("--columns=error", "--bare", "list", "Interface").split()
        if errors:
            raise Failure(f"OVS: {' '.join(errors)}")
        flows = self.directory / "flows"
        flows.write_text(self.flows())
        run_tool(["ovs-ofctl", *self.flow_options, "add-flows", f"unix:{self.directory}/br0.mgmt", str(flows)],
                 env=self.environment)

    def flows(self):
        """A line each."""
        return "".join(f"in_port={guest + 1},actions=output:{self.partner(guest) + 1}\n"
                       for guest in range(self.guests))

    def partner(self, guest):
        """To whom its frames go."""
        return guest ^ 1

    def dropped(self):
        text = run_tool(["ovs-ofctl", "dump-ports", f"unix:{self.directory}/br0.mgmt"],
                        env=self.environment)
        return sum(int(number) for number in re.findall(r"drop=(\d+)", text))


class Testpmd(Candidate):
    name, title, guests_max = "testpmd", "testpmd io, two net_vhost ports", 2

    def start_switch(self):
        memory = ["--in-memory"] if self.options.huge else ["--no-huge", "--no-shconf"]
        devices = [f"--vdev=net_vhost{guest},iface={self.socket(guest)}" for guest in range(2)]
        process = self.spawn(
            ["stdbuf", "-oL", PACKAGES["dpdk-dev"], "--no-pci", "--no-telemetry", *memory,
             "-m", "512", f"--lcores=0@{self.options.load_core},1@{self.options.switch_core}",
             *devices, "--", "-i", "--auto-start", "--forward-mode=io", "--nb-cores=1",
             "--disable-link-check", "--total-num-mbufs=65536"])
        self.wait_for(self.socket(1), process)

    def dropped(self):
        process = self.switch[0]
        seen = process.log.stat().st_size
        process.child.stdin.write(b"show fwd stats all\n")
        process.child.stdin.flush()
        for _ in range(200):
            time.sleep(0.01)
            text = process.log.read_bytes()[seen:].decode(errors="replace")
            found = re.search(r"Accumulated.*?TX-dropped: (\d+).*?\+\+\+\+\n", text, re.S)
            if found:
                return int(found.group(1))
        raise Failure("testpmd does not show its statistics")


CANDIDATES = [BareCopy, Turnpike, OpenVSwitch, Testpmd]
