#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""systemd's unit: sound, as closed as docs/security.md says, and open for what the appliance does."""
import pathlib
import re
import subprocess
import tempfile
import unittest

from harness import BUILD, ROOT

UNIT = BUILD / "systemd/turnpike.service"
SECURITY = (ROOT / "docs/security.md").read_text()


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", "--no-pager", *map(str, arguments)],
                          capture_output=True, text=True, timeout=60, check=False)


def calls_of(group):
    """All system calls of a group of systemd's, and of those in it."""
    found = set()
    for line in map(str.strip, analyze("syscall-filter", group).stdout.splitlines()):
        if line.startswith("@") and line != group:
            found |= calls_of(line)
        elif line and line[0] not in "#@":
            found.add(line)
    return found


def allowed_calls():
    """What the unit's SystemCallFilter lines leave, read in their order (systemd.exec(5))."""
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        for name in line.lstrip("~").split():
            calls = calls_of(name) if name.startswith("@") else {name}
            assert calls, f"{name} is no group here"
            allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def listed_calls(name):
    """Those of a list in the appliance's own filter."""
    source = (ROOT / "lib/ctl/system_calls.c").read_text()
    text = re.search(rf"{name}\[\] = {{(.*?)}};", source, re.S).group(1)
    return set(re.findall(r"SCMP_SYS\((\w+)\)", text))


class Service(unittest.TestCase):
    def test_the_unit_is_sound(self):
        """The program is where a build has it: no other line may give rise to a word."""
        with tempfile.TemporaryDirectory(prefix="service.") as directory:
            unit = pathlib.Path(directory) / "turnpike.service"
            unit.write_text(re.sub(r"(?m)^ExecStart=\S+",
                                   f"ExecStart={BUILD}/app/turnpiked/turnpiked", UNIT.read_text()))
            done = analyze("verify", unit)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_it_is_as_closed_as_documented(self):
        done = analyze("security", "--offline=true", UNIT)
        score = float(re.search(r"exposure level for turnpike.service: ([0-9.]+)",
                                done.stdout).group(1))
        documented = float(re.search(r"exposure of ([0-9.]+)", SECURITY).group(1))
        self.assertLessEqual(score, documented)
        self.assertEqual(done.stderr, "")

    def test_it_lets_the_appliance_work(self):
        allowed = allowed_calls()
        needed = listed_calls("useful") | {
            "mmap", "mprotect", "clone", "prctl", "tgkill", "socket", "ioctl", "seccomp"}
        self.assertGreater(len(needed), 100)
        self.assertEqual(needed - allowed, set())
        self.assertEqual(allowed & {"ptrace", "mount", "bpf", "setuid", "capset", "kexec_load"},
                         set())

    def test_its_user_is_made(self):
        sysusers = (ROOT / "systemd/turnpike.sysusers.conf").read_text()
        user = re.search(r"^User=(\w+)$", UNIT.read_text(), re.M).group(1)
        self.assertRegex(sysusers, rf"(?m)^u {user} ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
