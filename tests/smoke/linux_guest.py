# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest in QEMU (plain emulation): boots the image of tests/guest, runs shell commands."""

import base64
import pathlib
import socket
import subprocess
import time

import harness

IMAGE = harness.BUILD / "guest"


def build_image():
    subprocess.run([harness.ROOT / "tests/guest/build-image", IMAGE], check=True)


# An emulated serial port may lose an interrupt, and stand still until the next byte comes. An empty
# line has an empty answer, which nobody waits for.
PROD_SECONDS = 10


class LinuxGuest:
    """One guest on one interface of the switch.

    device  QEMU properties of virtio-net-pci, e.g. {"event_idx": "off"}
    The guest boots in the background; ready() waits for it, run() talks to it.
    """

    def __init__(self, scenario, name, interface, address, device=None):
        self.scenario, self.name, self.interface = scenario, name, interface
        self.address, self.device = address, device or {}
        self.process = self.channel = None
        self.number = 0
        self.boot()

    def boot(self):
        """Start QEMU; also after kill()."""
        self.path = self.scenario.directory / f"{self.name}-shell.sock"
        self.path.unlink(missing_ok=True)
        self.buffer = b""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(1)
        self.process = self.scenario.start(self.name, self._command())
        listener.settimeout(harness.PATIENCE)
        self.channel, _ = listener.accept()
        listener.close()
        self.scenario.channels.append(self.channel)

    def _machine(self, disk, words=""):
        """What all have: a kernel with more `words` on its command line, and a shell."""
        return [
            "qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max",
            "-nodefaults", "-no-user-config", "-display", "none",
            "-kernel", IMAGE / "vmlinuz", "-initrd", disk,
            "-append", f"console=ttyS0 panic=-1 tsc=reliable random.trust_cpu=on {words}",
            "-chardev", f"file,id=console,path={self.scenario.directory}/{self.name}-console.log",
            "-serial", "chardev:console",
            "-chardev", f"socket,id=shell,path={self.path}", "-serial", "chardev:shell"]

    def _command(self):
        # The switch is the server: QEMU connects, and connects again. Otherwise QEMU serves.
        ends = "reconnect=1" if self.interface.mode == "server" else "server=on,wait=off"
        properties = "".join(f",{key}={value}" for key, value in self.device.items())
        return [
            *self._machine(IMAGE / "initramfs"),
            # maxcpus=2: with one CPU at most, emulation before QEMU 8.1 leaves the guest's memory
            # barriers out, so that the driver's "interrupt me from here" can pass its last look
            # at the used index: a call is lost, and the guest stands still.
            "-smp", "1,maxcpus=2", "-m", "256M",
            "-object", "memory-backend-memfd,id=memory,size=256M,share=on",
            "-numa", "node,memdev=memory",
            "-chardev", f"socket,id=monitor,path={self._monitor()},server=on,wait=off",
            "-mon", "chardev=monitor",
            "-chardev", f"socket,id=net,path={self.interface.socket},{ends}",
            "-netdev", "vhost-user,id=net0,chardev=net",
            # vectors=0: Debian's QEMU 7.2 crashes in msix_set_vector_notifiers() when a vhost
            # device with MSI-X starts without KVM; a plain interrupt works.
            "-device", f"virtio-net-pci,netdev=net0,mac={self.interface.mac},romfile=,vectors=0"
                       f"{properties}",
        ]

    def _line(self, seconds):
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            self.channel.settimeout(max(0.01, min(PROD_SECONDS, end - time.monotonic())))
            try:
                part = self.channel.recv(65536)
            except TimeoutError:
                if time.monotonic() >= end:
                    raise AssertionError(f"{self.name} did not answer in {seconds} s") from None
                self.channel.sendall(b"\n")
                continue
            if not part:
                raise AssertionError(f"{self.name}: QEMU ended with {self.process.wait(5)}:\n"
                                     + self.process.text()[-2000:])
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def shell(self):
        """Wait for it. Returns self."""
        while self._line(harness.PATIENCE).strip() != b"ready":
            pass
        return self

    def ready(self):
        """The same, then give eth0 its address."""
        self.shell()
        self.run(f"ip link set eth0 up; ip addr add {self.address}/24 dev eth0")
        return self

    def send(self, commands):
        """Send shell commands without waiting for their answer."""
        self.number += 1
        request = base64.b64encode(commands.encode()).decode()
        self.channel.sendall(f"{self.number} {request}\n".encode())

    def answer(self, seconds=harness.PATIENCE):
        """Exit code and output of the commands sent last."""
        # The serial line may echo a part of what was sent before the guest turned that off.
        fields = []
        while fields[:1] != [str(self.number)] or len(fields) < 2:
            fields = self._line(seconds).decode(errors="replace").split()
        output = base64.b64decode(fields[2]).decode(errors="replace") if len(fields) > 2 else ""
        return int(fields[1]), output

    def try_run(self, commands, seconds=harness.PATIENCE):
        self.send(commands)
        return self.answer(seconds)

    def run(self, commands, seconds=harness.PATIENCE):
        """Run shell commands in the guest, return their output; fail if they do."""
        code, output = self.try_run(commands, seconds)
        if code != 0:
            raise AssertionError(f"{self.name}: {commands!r} gave {code}: {output}")
        return output

    def _monitor(self):
        return self.scenario.directory / f"{self.name}-monitor.sock"

    def command(self, text):
        """A command of QEMU's monitor, e.g. "announce_self"."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(harness.PATIENCE)
            monitor.connect(str(self._monitor()))
            said = monitor.makefile("rw")
            for line in (text, "info name"):  # the second shows that the first is done
                said.write(line + "\n")
            said.flush()
            while "info name" not in said.readline():
                pass

    def reboot(self):
        """Restart the guest from within; ready() waits for it as after boot()."""
        self.send("reboot -f")

    def kill(self):
        self.process.kill()
        self.channel.close()

    def hears(self, other, seconds):
        """Does an echo come back from the other guest? Ten requests a second; returns soon after
        the first answer."""
        return self.try_run(f"ping -i 0.1 -c {10 * seconds} -W 1 {other.address} "
                            "| grep -q 'bytes from'")[0] == 0

    def driver(self):
        """Virtio feature bits that the driver accepted, as a string of 0 and 1."""
        return self.run("cat /sys/bus/virtio/devices/virtio0/features").strip()
