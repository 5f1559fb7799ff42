#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance on a machine with two NUMA nodes: one in QEMU, since most have but one."""
import json
import pathlib
import re
import shutil
import subprocess
import unittest

import harness
from linux_guest import IMAGE, LinuxGuest, build_image

PROGRAMS = ("app/turnpiked/turnpiked", "app/turnpike/turnpike",
            "app/turnpike-guest/turnpike-guest", "tests/unit/node_test")
# CPUs 0 and 1 are node 0's, 2 and 3 node 1's: a worker on each, control and guests beside them.
WORKERS, GUEST_CPU = [1, 2], 3
CONFIG = {
    "dataplane": {"worker_cores": WORKERS, "control_core": 0, "control_socket": "/tmp/control"},
    "classes": {"gold": {"bid": 16, "on_full": {"hold": "1s"}}},
    # Dealt out to the workers in order.
    "tenants": {name: {"interfaces": {"vm": {
        "count": 2, "mac": "02:00:00:00:00:01", "class": "gold", "socket": f"/tmp/{name}%d"}}}
        for name in ("moves", "stays")}}


def libraries(program):
    """What a program needs of the machine, its loader among it."""
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


def build_disk(directory):
    """The test guest's initial file system with our programs in it: two archives, one behind the
    other, are one to Linux."""
    root = directory / "root"
    for program in (harness.BUILD / name for name in PROGRAMS):
        for source in (program, *map(pathlib.Path, libraries(program))):
            place = root / "bin" if source is program else root / str(source.parent)[1:]
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source.resolve(), place / source.name)
            if source is program:
                subprocess.run(["strip", place / source.name], check=True)
    (root / "config.json").write_text(json.dumps(CONFIG))
    disk = directory / "initramfs"
    shutil.copy(IMAGE / "initramfs", disk)
    with disk.open("ab") as file:
        subprocess.run("find . | cpio --quiet -o -H newc -R 0:0", shell=True, check=True,
                       cwd=root, stdout=file)
    return disk


class TwoNodes(LinuxGuest):
    """A machine of two nodes without a network."""

    def __init__(self, scenario, disk):
        self.disk = disk
        super().__init__(scenario, "machine", None, None)

    def _command(self):
        nodes = [argument for node, cpus in enumerate(("0-1", "2-3")) for argument in (
            "-object", f"memory-backend-ram,id=memory{node},size=512M",
            "-numa", f"node,nodeid={node},memdev=memory{node},cpus={cpus}")]
        return ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp",
                "4", "-m", "1G", *nodes, "-nodefaults", "-no-user-config", "-display", "none",
                "-kernel", IMAGE / "vmlinuz", "-initrd", self.disk,
                "-append", "console=ttyS0 panic=-1 tsc=reliable random.trust_cpu=on",
                "-chardev",
                f"file,id=console,path={self.scenario.directory}/{self.name}-console.log",
                "-serial", "chardev:console",
                "-chardev", f"socket,id=shell,path={self.path}", "-serial", "chardev:shell"]

    def ready(self):
        while self._line(harness.PATIENCE).strip() != b"ready":
            pass
        return self

    def show(self, what):
        return json.loads(self.run(f"turnpike -s /tmp/control show {what} -j"))


class Placement(harness.Scenario):
    def setUp(self):
        super().setUp()
        build_image()
        self.machine = TwoNodes(self, build_disk(self.directory)).ready()

    def reserve(self, *pages):
        for node, count in enumerate(pages):
            self.machine.run(f"echo {count} >/sys/devices/system/node/node{node}/hugepages/"
                             "hugepages-2048kB/nr_hugepages")

    def serve(self):
        self.machine.run("turnpiked -- --config /config.json >/tmp/log 2>&1 &")
        self.machine.run("for i in $(seq 300); do grep -q ready: /tmp/log && exit 0; sleep 0.1; "
                         "done; cat /tmp/log; exit 1")
        return self.machine.run("cat /tmp/log")

    def stop(self):
        self.machine.run("turnpike -s /tmp/control stop")
        self.machine.run("for i in $(seq 300); do grep -q stopped /tmp/log && exit 0; sleep 0.1; "
                         "done; cat /tmp/log; exit 1")

    def guests(self, cpu, *tenants):
        """Guests whose memory lies where they run, sending slowly for some seconds."""
        for tenant in tenants:
            self.machine.run(
                f"taskset {1 << cpu:x} turnpike-guest --socket /tmp/{tenant}%d --json --cores "
                f"{cpu} --rate 100pps --seconds 8 --warm-up 1 --timeout 60 "
                f">/tmp/{tenant}.json 2>&1 &")

    def result(self, tenant):
        text = self.machine.run(
            f"for i in $(seq 600); do grep '\"run\"' /tmp/{tenant}.json && exit 0; sleep 0.1; "
            f"done; cat /tmp/{tenant}.json; exit 1")
        return json.loads(text)["run"]

    def interfaces(self):
        table = {}
        for one in self.machine.show("interfaces"):
            table.setdefault(one["tenant"], set()).add((one["worker"], one["memory_node"]))
        return table

    def huge_pages(self):
        """Of the appliance on each node."""
        text = self.machine.run("cat /proc/$(pidof turnpiked)/numa_maps")
        lines = [line for line in text.splitlines() if " huge" in line]
        return [sum(int(n) for line in lines for n in re.findall(rf" N{node}=(\d+)", line))
                for node in (0, 1)]

    def test_nodes_are_known_and_planned(self):
        self.machine.run("node_test")
        self.reserve(30, 0)
        _, text = self.machine.try_run("turnpike plan -j /config.json")
        nodes = {row["resource"]: row for row in json.loads(text) if "node" in row["resource"]}
        self.assertEqual(list(nodes), ["hugepage MiB, node 0", "hugepage MiB, node 1"])
        self.assertEqual([row["enough"] for row in nodes.values()], [True, False], nodes)
        self.assertEqual([row["here"] for row in nodes.values()], [60, 0])

    def test_a_tenant_follows_its_memory(self):
        self.reserve(40, 40)
        log = self.serve()
        self.assertNotIn("find no room", log)
        self.assertEqual([(one["core"], one["node"]) for one in self.machine.show("workers")],
                         [(1, 0), (2, 1)])
        self.assertGreater(min(self.huge_pages()), 0)
        self.assertEqual(self.interfaces(), {"moves": {(0, None)}, "stays": {(1, None)}})
        self.guests(GUEST_CPU, "moves", "stays")
        harness.wait_for("all are where their memory is", lambda: self.interfaces() == {
            "moves": {(1, 1)}, "stays": {(1, 1)}})
        self.assertIn("moves came: most of its guests' memory lies on node 1",
                      self.machine.show("workers")[1]["reason"])
        for tenant in ("moves", "stays"):
            order = self.result(tenant)["order"]
            self.assertGreater(order["received"], 100)
            self.assertEqual((order["lost"], order["reordered"]), (0, 0), order)
        self.stop()

    def test_a_node_without_room(self):
        self.reserve(40, 0)
        self.assertRegex(self.serve(), "contexts: [0-9]+ bytes find no room on NUMA node 1")
        self.guests(0, "stays")
        order = self.result("stays")["order"]
        self.assertEqual((order["lost"], order["reordered"]), (0, 0), order)
        self.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
