#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The control socket under fire: silent clients, half requests, garbage, floods of requests whose
answers nobody takes. Guests do not notice, and other operators are answered within bounds."""
import os
import random
import socket
import threading
import time
import unittest

import harness
from fault_harness import FaultScenario, Neighbours, descriptors, memory
from harness import SWITCH

SECONDS = 2          # of each kind of fire
BOUND = 5.0          # for an operator's command, and for a guest to attach
INTERFACES = 200
SHOW = b'{"command":"show","what":"interfaces"}\n'


class Fire:
    """Clients that do something to the socket, each again as soon as it is hung up on."""

    def __init__(self, path, clients, act):
        self.path, self.act, self.stop, self.connections = path, act, False, 0
        self.threads = [threading.Thread(target=self._run, args=(seed, clients // 4))
                        for seed in range(4)]
        for thread in self.threads:
            thread.start()

    def _run(self, seed, count):
        # It is about the socket, not about who gets a busy machine's processors.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        chance = random.Random(seed)
        clients = {}
        while not self.stop:
            for number in range(count):
                try:
                    if number not in clients:
                        clients[number] = self._dial()
                    self.act(clients[number], chance)
                except BlockingIOError:
                    continue
                except OSError:
                    if number in clients:
                        clients.pop(number).close()
            time.sleep(0.001)
        for client in clients.values():
            client.close()

    def _dial(self):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(str(self.path))
        except OSError:
            client.close()
            raise
        self.connections += 1
        return client

    def cease(self):
        self.stop = True
        for thread in self.threads:
            thread.join()
        return self.connections


def silent(client, _):
    """Notices only that it is hung up on."""
    if client.recv(4096) == b"":
        raise ConnectionResetError


def half(client, chance):
    client.send(SHOW[:chance.randrange(1, len(SHOW))].replace(b"\n", b""))
    silent(client, chance)


def garbage(client, chance):
    client.send(bytes(chance.randrange(256) for _ in range(chance.randrange(1, 3000))))
    silent(client, chance)


def never_reading(client, _):
    client.send(SHOW * 100)


def hasty(client, _):
    """Asks and leaves."""
    client.send(SHOW)
    raise ConnectionResetError


@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class ControlFlood(FaultScenario):
    def operator(self, appliance, *command):
        return self.turnpike(appliance, *command, seconds=20)[1]

    def guest_attaches(self):
        begin = time.monotonic()
        self.expect_served(self.run_of("--count", 2, "--rate", "1kpps", "--seconds", 0.1))
        return time.monotonic() - begin - 0.3  # its own warm-up and run

    def under_fire(self, appliance, act, clients):
        fire = Fire(appliance.control, clients, act)
        longest, asked, end = 0, 0, time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                for command in (("show", "drops"), ("show", "summary"), ("bill",)):
                    longest = max(longest, self.operator(appliance, *command))
                    asked += 1
            attach = self.guest_attaches()
        finally:
            connections = fire.cease()
        self.progress(f"{act.__name__}: {clients} clients, {connections} connections; "
                      f"{asked} commands, the longest {longest:.2f} s; a guest in {attach:.2f} s")
        self.assertGreater(connections, 32)
        self.assertLess(longest, BOUND, act.__name__)
        self.assertLess(attach, BOUND, act.__name__)

    def test_fire(self):
        crowd = self.crowd(INTERFACES)
        appliance = self.limited([*Neighbours.interfaces(self), crowd],
                                 billing={"directory": f"{self.directory}/ledger"}).start()
        neighbours = Neighbours(self)
        self.operator(appliance, "show", "interfaces")
        before = descriptors(appliance.pid)
        for act, clients in ((silent, 200), (half, 200), (garbage, 64), (never_reading, 64),
                             (hasty, 16)):
            self.under_fire(appliance, act, clients)
            if act is silent:
                begin = memory(appliance.pid)
        harness.wait_for("descriptors come back", lambda: descriptors(appliance.pid) == before, 15)
        # An answer of 200 interfaces has some 400 kB; 32 clients have one each, for a while.
        self.assertLess(memory(appliance.pid), begin + (32 << 20))
        run = neighbours.end_well()
        self.assertLess(run["latency_us"]["p50"], 1e6)
        self.expect_balance(appliance)
        self.assertLess(os.path.getsize(appliance.process.log), 200000)
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
