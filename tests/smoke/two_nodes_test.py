#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The appliance on a machine with two NUMA nodes: one in QEMU, since most have but one."""
import json
import re
import unittest

import harness
from linux_guest import build_image
from machine import Machine, build_disk

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


HARDWARE = ["-smp", "4", "-m", "1G", *(argument for node, cpus in enumerate(("0-1", "2-3"))
                                       for argument in (
    "-object", f"memory-backend-ram,id=memory{node},size=512M",
    "-numa", f"node,nodeid={node},memdev=memory{node},cpus={cpus}"))]


class Placement(harness.Scenario):
    def setUp(self):
        super().setUp()
        build_image()
        disk = build_disk(self.directory, PROGRAMS, files={"config.json": json.dumps(CONFIG)})
        self.machine = Machine(self, disk, HARDWARE).ready()

    def reserve(self, *pages):
        for node, count in enumerate(pages):
            self.machine.run(f"echo {count} >/sys/devices/system/node/node{node}/hugepages/"
                             "hugepages-2048kB/nr_hugepages")

    def serve(self):
        return self.machine.serve("/config.json")

    def stop(self):
        self.machine.stop()

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
