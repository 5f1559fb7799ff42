# SPDX-License-Identifier: BSD-3-Clause
"""A machine in QEMU in which programs of ours run: it has what the machine of the test has not. It
boots the image of tests/guest with the programs behind it."""

import json
import pathlib
import re
import shutil
import socket
import subprocess

import harness
from linux_guest import IMAGE, LinuxGuest

PLUGINS = pathlib.Path("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0")
MODULES = IMAGE / "modules"


def libraries(program):
    """What a program needs of the machine, its loader among it."""
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return map(pathlib.Path, re.findall(r"(/\S+) \(0x", text))


def place(root, file):
    """At its path, and once only: what is a link here is one there, since a driver that is loaded
    as a library and as a plug-in has to be the same file."""
    real = file.resolve()
    at = root / str(real)[1:]
    name = root / str(file)[1:]
    for one in (at, name):
        one.parent.mkdir(parents=True, exist_ok=True)
    if not at.exists():
        shutil.copy(real, at)
    if not name.is_symlink() and not name.exists():
        name.symlink_to(real)


def build_disk(directory, programs, drivers=(), modules=(), files=None):
    """An initial file system: that of the test guest with `programs` (paths in the build directory)
    in /bin, DPDK's `drivers` where DPDK looks for them, `modules` of the kernel in /modules, and
    `files`, each with its text. Two archives, one behind the other, are one to Linux."""
    root = directory / "root"
    (root / "bin").mkdir(parents=True)
    for program in (harness.BUILD / name for name in programs):
        shutil.copy(program, root / "bin")
        subprocess.run(["strip", root / "bin" / program.name], check=True)
        for library in libraries(program):
            place(root, library)
    for driver in (PLUGINS / f"librte_{name}.so.23.0" for name in drivers):
        place(root, driver)
        for library in libraries(driver):
            place(root, library)
    if drivers:  # taken up by the C library when a thread is cancelled
        place(root, pathlib.Path("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"))
    if modules:
        (root / "modules").mkdir()
    for module in modules:
        shutil.copy(MODULES / f"{module}.ko", root / "modules")
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    disk = directory / "initramfs"
    shutil.copy(IMAGE / "initramfs", disk)
    with disk.open("ab") as file:
        subprocess.run("find . | cpio --quiet -o -H newc -R 0:0", shell=True, check=True,
                       cwd=root, stdout=file)
    shutil.rmtree(root)
    return disk


class Machine(LinuxGuest):
    """A machine without a network of its own; `hardware` are QEMU's words for what it has, with its
    memory and CPUs, `words` of the kernel's command line."""

    def __init__(self, scenario, disk, hardware, words="", namespace=None):
        self.disk, self.hardware, self.words = disk, hardware, words
        self.namespace = namespace
        super().__init__(scenario, "machine", None, None)

    def _command(self):
        command = [*self._machine(self.disk, self.words), *self.hardware,
                   "-qmp", f"unix:{self.scenario.directory}/monitor.sock,server=on,wait=off"]
        return self.namespace.within(*command) if self.namespace else command

    def ready(self):
        return self.shell()

    def wait_for(self, condition, log="/dev/null", seconds=harness.PATIENCE):
        """Until a command of the shell succeeds there, else fail with what stands in `log`."""
        return self.run(f"for i in $(seq {10 * seconds}); do {condition} && exit 0; sleep 0.1; "
                        f"done; cat {log}; exit 1", seconds + 30)

    def show(self, what):
        return json.loads(self.run(f"turnpike -s /tmp/control show {what} -j"))

    def ask(self, **request):
        """A command of the control socket that the `turnpike` program does not have. Needs the
        program `tests/smoke/ask`."""
        answer = json.loads(self.run(f"ask /tmp/control '{json.dumps(request)}'"))
        if not answer.get("ok"):
            raise AssertionError(f"{request}: {answer}")
        return answer

    def serve(self, config):
        """Start the appliance there. Returns its log."""
        self.run(f"(turnpiked -- --config {config}; echo ended with $?) >/tmp/log 2>&1 &")
        self.wait_for("grep -q ready: /tmp/log", "/tmp/log")
        return self.run("cat /tmp/log")

    def stop(self):
        # What its threads do is evidence, if it does not end.
        self.run("turnpike -s /tmp/control stop & asked=$!; "
                 "for i in $(seq 100); do kill -0 $asked || break; sleep 0.2; "
                 "done; kill -0 $asked || { wait $asked; exit; }; cat /tmp/log; "
                 "for one in /proc/$(pidof turnpiked)/task/*; do "
                 "cat $one/comm $one/wchan $one/stat; echo; done; exit 1", 2 * harness.PATIENCE)
        self.wait_for("grep -q 'ended with 0' /tmp/log", "/tmp/log")

    def monitor(self, command, **arguments):
        """A command of QEMU's own."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(harness.PATIENCE)
            control.connect(f"{self.scenario.directory}/monitor.sock")
            lines = control.makefile("rw")
            lines.readline()
            for name, given in (("qmp_capabilities", {}), (command, arguments)):
                lines.write(json.dumps({"execute": name, "arguments": given}) + "\n")
                lines.flush()
                answer = json.loads(lines.readline())
                while "event" in answer:
                    answer = json.loads(lines.readline())
                if "return" not in answer:
                    raise AssertionError(f"{name} {given}: {answer}")
            return answer["return"]
