# SPDX-License-Identifier: BSD-3-Clause
"""Switches whose guests are not alike: each has a role, which is its class in the switch and its
group in the load."""
import time
from dataclasses import dataclass, field

from candidates import Candidate, OpenVSwitch, Turnpike

LAYER_3 = 64 - 14  # bytes of a 64-byte frame that Open vSwitch's policers count


@dataclass(frozen=True)
class Scene:
    roles: tuple              # of each guest
    talk: str = "star"        # as turnpike-guest has it
    classes: dict = field(default_factory=dict)    # by role
    dataplane: dict = field(default_factory=dict)  # of Turnpike's configuration
    size: str = "64"
    more: tuple = ()          # further options of the load

    def guests(self, role):
        return [number for number, own in enumerate(self.roles) if own == role]


class Mixed(Candidate):
    """Between two runs nothing of the load stays as it was."""

    def __init__(self, options, directory, scene, name=None, title=None):
        self.scene = scene
        super().__init__(options, directory, len(scene.roles), {}, name, title)

    @property
    def load_options(self):
        groups = []
        for role in dict.fromkeys(self.scene.roles):
            groups += ["--group", f"{role}={','.join(map(str, self.scene.guests(role)))}"]
        return (*super().load_options, "--talk", self.scene.talk, *groups, *self.scene.more)

    def set_up(self, case):
        """@param case  words of the load, {"rate": ["none", "gold=full"], ...}"""
        self.load.set(**{"rate": "full", "arrival": "constant", "size": self.scene.size,
                         "slow": "none", "deaf": "none", "talk": self.scene.talk, **case})

    def measure(self, seconds, case):
        run = super().measure(seconds, case)
        run["cpu"] = run["load_cpu"]  # a switch that is not fully loaded may sleep
        run["groups"] = {group["name"]: group for group in run["groups"]}
        return run

    def during(self, seconds, case, look, since):
        """What a switch shows in the middle of a run, where nothing starts or ends."""
        self.resume()
        try:
            self.set_up(case)
            self.load.begin(seconds + 0.4)
            time.sleep(0.3)  # of which 0.1 are its warm-up
            before = look()
            time.sleep(seconds)
            found = since(before)
            self.load.finish(seconds + 0.4)
        finally:
            self.pause()
        return found


class MixedTurnpike(Mixed, Turnpike):
    def classes(self):
        return self.scene.classes

    @property
    def dataplane(self):
        return self.scene.dataplane

    def interfaces(self):
        return {f"guest{number}": {"mac": mac(number), "class": role,
                                   "socket": self.socket(number)}
                for number, role in enumerate(self.scene.roles)}

    def look(self):
        workers = self.show("workers")
        return {**super().look(), **{name: sum(worker[name] for worker in workers)
                                     for name in ("busy_ns", "sweeps")}}


class MixedOpenVSwitch(Mixed, OpenVSwitch):
    title = "OVS-DPDK"

    def partner(self, guest):
        return 0 if self.scene.talk == "star" and guest > 0 else guest ^ 1


class PolicedOpenVSwitch(MixedOpenVSwitch):
    """Ports of a role are policed where they come in. Of what OVS 3.1 has for vhost-user ports
    (ingress policing, egress-policer, trtcm-policer) this leaves the others most beside a flood: what
    is dropped at once costs least."""
    name, title = "ovs-policed", "OVS-DPDK, flood policed"
    flood, favoured = "bronze", "gold"

    def settle(self):
        super().settle()
        weights = {role: one.get("weight", 1) for role, one in self.scene.classes.items()}
        senders = self.scene.roles[1:]
        share = weights[self.flood] / sum(weights[role] for role in senders)
        self.set_up({"rate": ["none", f"{self.favoured}=full"]})
        frames = 1e6 * self.load.run(0.3)["mpps"] * share
        self.policing = max(1, round(frames * LAYER_3 * 8 / 1000))  # kbit/s
        words = []
        for guest in self.scene.guests(self.flood):
            words += ["--", *self.shown_command(f"g{guest}").split()[1:]]
        self.vsctl(*words[1:])

    def shown_command(self, port):
        return (f"ovs-vsctl set Interface {port} ingress_policing_rate={self.policing} "
                f"ingress_policing_burst={max(1, self.policing // 10)}")


def mac(number):
    return ":".join(f"{byte:02x}" for byte in (0x020000000001 + number).to_bytes(6, "big"))
