# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces with hosts and guests in them, and what is done there.

As a program, inside a namespace (Namespace.python runs it so):

  serve PORT BYTES          take one TCP connection, print the SHA-256 of what came
  send ADDRESS PORT BYTES   make one, send random bytes, print theirs
  echoes ADDRESS COUNT      ping it, print how many answers came
  frame INTERFACE HEX [N]   send one frame as it stands, or N of them
  frames INTERFACE HEX      send it again and again, until killed
  strangers INTERFACE N [P] send a broadcast from each of N MACs that nobody has, which begin with P
  sniff INTERFACE MARK      print "seen" for each frame that has these bytes (hex), until killed
  vlan INTERFACE ID NAME    be an interface NAME for the frames with a tag; until killed
  plain INTERFACE           no checksum offload: frames that leave are complete
"""

import ctypes
import fcntl
import hashlib
import os
import select
import socket
import struct
import subprocess
import sys
import time

from vxlan import internet_sum

try:
    import harness
except ImportError:  # inside a namespace
    harness = None

PYTHON = "/usr/bin/python3"


def ip(*words, check=True):
    return subprocess.run(["ip", *map(str, words)], check=check, capture_output=True, text=True,
                          timeout=30)


class Namespace:
    """A network namespace of a scenario; tearDown of the scenario deletes it."""

    count = 0

    def __init__(self, scenario, name):
        Namespace.count += 1
        self.scenario, self.name = scenario, f"tp{os.getpid()}-{Namespace.count}-{name}"
        ip("netns", "add", self.name)
        scenario.addCleanup(ip, "netns", "del", self.name, check=False)
        scenario.namespaces.append(self)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words, check=True):
        return ip("-n", self.name, *words, check=check)

    def within(self, *command):
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def run(self, *command, check=True, seconds=60):
        return subprocess.run(self.within(*command), check=check, capture_output=True, text=True,
                              timeout=seconds)

    def python(self, *words, check=True, seconds=60):
        return self.run(PYTHON, __file__, *words, check=check, seconds=seconds).stdout

    def start(self, name, *command):
        return self.scenario.start(name, self.within(*command))

    def up(self, interface, address, mtu=1500):
        """Bring an interface up with an address (of /24)."""
        self.ip("link", "set", interface, "mtu", mtu, "up")
        self.ip("addr", "add", f"{address}/24", "dev", interface)

    def hears(self, address, size=56, count=3):
        """How many echoes come back?"""
        ran = self.run("busybox", "ping", "-c", count, "-i", "0.2", "-W", "2", "-s", size, address,
                       check=False)
        return ran.stdout.count("bytes from")

    def echoes(self, address, count=1):
        """The same amid a flood of requests to this host. Of those ping's socket takes each, too,
        and has no room for the answer if ping gets no CPU for a tenth of a second."""
        return int(self.python("echoes", address, count))


class Veth:
    """A wire: one end here, for the switch, the other in a namespace."""

    MAC = "02:00:00:00:01:00"  # of the far end

    def __init__(self, scenario, namespace, number=0):
        self.namespace = namespace
        self.here, self.there = f"tp{os.getpid()}w{number}", f"wire{number}"
        self.make()
        scenario.addCleanup(ip, "link", "del", self.here, check=False)

    def make(self):
        ip("link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns",
           self.namespace.name)
        ip("link", "set", self.here, "mtu", 1504, "up")
        self.namespace.ip("link", "set", self.there, "address", self.MAC, "mtu", 1504, "up")
        self.namespace.python("plain", self.there)

    def vlan(self, number, namespace=None):
        """An interface that sends and takes the frames of one VLAN, in any namespace."""
        name = f"vlan{number}"
        process = self.namespace.start(f"{name}-of-{self.here}", PYTHON, __file__, "vlan",
                                       self.there, number, name)
        process.wait_text("ready")
        if namespace is not None:
            self.namespace.ip("link", "set", name, "netns", namespace.name)
        return name

    def delete(self):
        ip("link", "del", self.here)


class TapGuest:
    """A guest whose stack is the kernel's, in a namespace of its own."""

    def __init__(self, scenario, name, interface, address):
        self.scenario, self.name, self.address = scenario, name, address
        self.namespace = Namespace(scenario, name)
        self.process = self.namespace.start(
            name, harness.BUILD / "tests/smoke/tap_guest", interface.socket, "eth0",
            interface.mac)
        self.process.wait_text("attached")
        self.namespace.up("eth0", address)

    def announce(self, mac, count=1):
        """As if it had come from another host: its front-end asks for so many announcements."""
        start = len(self.process.text())
        self.process.say(f"announce {mac} {count}")
        self.process.wait_text("announced", start=start)

    def __getattr__(self, name):
        return getattr(self.namespace, name)


def announcement(mac):
    """What an announcement has behind its addresses, in hex."""
    mac = mac.replace(":", "")
    return "80350001080006040003" + mac + "00000000" + mac


def transfer(source, sink, address, size, port=5000):
    """TCP from one namespace to another. Do both ends agree on every byte?"""
    server = sink.start(f"serve-{sink.name}-{port}-{time.monotonic_ns()}", PYTHON, __file__,
                        "serve", port, size)
    server.wait_text("listening")
    sent = source.python("send", address, port, size, seconds=120)
    server.wait()
    return sent.split()[-1] == server.text().split()[-1]


# --- inside a namespace --------------------------------------------------------------------------

def serve(port, size):
    listener = socket.create_server(("0.0.0.0", int(port)))
    print("listening", flush=True)
    connection, _ = listener.accept()
    digest, left = hashlib.sha256(), int(size)
    while left > 0:
        part = connection.recv(1 << 16)
        if not part:
            break
        digest.update(part)
        left -= len(part)
    connection.sendall(b"done")
    print(digest.hexdigest(), flush=True)


def send(address, port, size):
    data = os.urandom(int(size))
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        connection.sendall(data)
        connection.recv(4)
    print(hashlib.sha256(data).hexdigest())


def echoes(address, count):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as opened:
        opened.setsockopt(255, 1, struct.pack("I", 0xfffffffe))  # SOL_RAW, ICMP_FILTER: answers only
        opened.connect((address, 0))
        opened.settimeout(5)
        came = 0
        for number in range(int(count)):
            mark = struct.pack("!HH", os.getpid() & 0xffff, number) + b"turnpike" * 7
            opened.send(struct.pack("!BBH", 8, 0, internet_sum(b"\x08\0" + mark)) + mark)
            try:
                while opened.recv(2048)[24:] != mark:
                    pass
                came += 1
            except OSError:
                pass  # none in time, or nobody is there
    print(came)


def raw(interface):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    opened.bind((interface, 3))
    return opened


def frame(interface, text, count=1):
    opened = raw(interface)
    for _ in range(int(count)):
        opened.send(bytes.fromhex(text))


def frames(interface, text):
    opened, data = raw(interface), bytes.fromhex(text)
    print("sending", flush=True)
    while True:
        try:
            opened.send(data)
        except OSError:  # the interface's queue is full
            time.sleep(0)


def strangers(interface, count, prefix="0aaa"):
    opened = raw(interface)
    for number in range(int(count)):
        opened.send(bytes.fromhex("ff" * 6 + prefix) + struct.pack("!I", number) + b"\x88\xb5"
                    + bytes(46))


def sniff(interface, mark):
    opened = raw(interface)
    print("listening", flush=True)
    while True:
        if bytes.fromhex(mark) in opened.recv(65536):
            print("seen", flush=True)


def plain(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in (0x17, 0x1f, 0x24):  # ETHTOOL_STXCSUM, _STSO, _SGSO
            value = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(control, 0x8946, request)  # SIOCETHTOOL
            except OSError:
                pass  # a driver without it has nothing to turn off


def tagged(interface, number):
    """What comes with a tag, and nothing else. A kernel's own VLAN interface waits for no process:
    all that may come while this one has no CPU fits. What gets lost here no switch has dropped,
    and TCP stands still for as long as it loses what it sends again."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    instructions = ((0x28, 0, 0, 0xfffff000 + 44),  # the tag, which the kernel takes out of frames
                    (0x54, 0, 0, 0xfff), (0x15, 0, 1, number), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0))
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    memory = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HL", len(instructions), ctypes.addressof(memory))
    opened.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
    opened.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    opened.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
    opened.bind((interface, 3))
    return opened


def vlan(interface, number, name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH14x", name.encode(), 0x1002))  # TUNSETIFF
    wire = tagged(interface, int(number))
    tag = struct.pack("!HH", 0x8100, int(number))
    print("ready", flush=True)
    while True:
        ready = select.select([tap, wire], [], [])[0]
        if tap in ready:
            sent = os.read(tap, 65536)
            wire.send(sent[:12] + tag + sent[12:])
        if wire in ready:
            os.write(tap, wire.recv(65536))


if __name__ == "__main__":
    {"serve": serve, "send": send, "echoes": echoes, "frame": frame, "frames": frames, "sniff": sniff,
     "plain": plain, "strangers": strangers, "vlan": vlan}[
        sys.argv[1]](*sys.argv[2:])
