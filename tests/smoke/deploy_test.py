#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/deploy.md: its steps run as they stand there, with a directory in place of "/". What only a
host that was booted with systemd, or real hardware, can do is left out by name below."""

import os
import pathlib
import re
import shlex
import subprocess
import unittest

import harness

DEPLOY = (harness.ROOT / "docs/deploy.md").read_text()
# Commands of the steps that need the host itself, by how their line begins.
HOST_ONLY = ("scripts/build", "sysctl --system", "systemctl ", "turnpike show")


def step(name):
    """The lines of a step, those of HOST_ONLY apart."""
    found = re.findall(rf"^```sh\n# step: {name}\n(.*?)^```", DEPLOY, re.S | re.M)
    if len(found) != 1:
        raise AssertionError(f"docs/deploy.md has {len(found)} steps {name}")
    lines = found[0].splitlines()
    return [line for line in lines if not line.startswith(HOST_ONLY)]


class Deploy(harness.Scenario):
    def run_step(self, name):
        root = pathlib.Path(self.directory) / "host"
        root.mkdir(exist_ok=True)
        ran = subprocess.run(
            ["bash", "-eu", "-c", "\n".join(step(name))], cwd=harness.ROOT, text=True,
            capture_output=True, timeout=120, check=False,
            env={**os.environ, "DESTDIR": str(root),
                 "PATH": f"{root}/usr/local/bin:{os.environ['PATH']}"})
        self.assertEqual(ran.returncode, 0, f"{name}: {ran.stdout}{ran.stderr}")
        return root, ran.stdout

    def test_every_step_is_known(self):
        self.assertEqual(re.findall(r"^# step: (.*)$", DEPLOY, re.M),
                         ["build", "hugepages", "configuration", "service"])

    def test_the_steps_in_order(self):
        root, _ = self.run_step("build")
        for program in ("turnpike", "turnpiked", "turnpike-guest"):
            self.assertTrue(os.access(root / "usr/local/bin" / program, os.X_OK), program)
        self.run_step("hugepages")
        settings = (root / "etc/sysctl.d/50-turnpike.conf").read_text().splitlines()
        for setting in settings:  # each is one that this kernel has
            name, _, value = setting.partition(" = ")
            self.assertTrue(pathlib.Path("/proc/sys", *name.split(".")).exists(), name)
            self.assertTrue(value.isdigit(), setting)
        _, said = self.run_step("configuration")
        self.assertRegex(said, r"turnpike.json: .*: ok\n")
        self.assertIn("hugepage MiB", said)
        self.run_step("service")
        self.assertIn("turnpike:", (root / "etc/passwd").read_text())
        self.serve(root)

    def serve(self, root):
        """The unit's command, with its files in the directory that stands for "/"."""
        unit = (root / "usr/local/lib/systemd/system/turnpike.service").read_text()
        command = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M).group(1))
        self.assertEqual(command[1:], ["--config", "/etc/turnpike/turnpike.json"])
        config = root / "etc/turnpike/turnpike.json"
        for directory in ("run/turnpike", "var/lib/turnpike"):
            (root / directory).mkdir(parents=True)
        config.write_text(config.read_text().replace('"/run/', f'"{root}/run/')
                          .replace('"/var/', f'"{root}/var/'))
        switch = self.start("turnpiked", [
            f"{root}{command[0]}", *harness.memory_arguments(64), "--", "--config", str(config)])
        turnpike = [f"{root}/usr/local/bin/turnpike", "-s", f"{root}/run/turnpike/control.sock"]

        def summary():
            return subprocess.run([*turnpike, "show", "summary"], capture_output=True, text=True,
                                  check=False).stdout

        self.assertIn("uptime_seconds", harness.wait_for("it answers", summary))
        subprocess.run([*turnpike, "stop"], check=True)
        harness.wait_for("it ends", lambda: not switch.alive())

    def test_settings_for_uplinks_are_a_unit_s(self):
        """What `systemctl edit` is given goes together with the unit."""
        drop_in = re.search(r"^```ini\n(.*?)^```", DEPLOY, re.S | re.M).group(1)
        unit = pathlib.Path(self.directory) / "turnpike.service"
        text = (harness.BUILD / "systemd/turnpike.service").read_text()
        unit.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", text, flags=re.M)
                        + "\n" + drop_in)
        ran = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True,
                             text=True, check=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""), ran)


if __name__ == "__main__":
    unittest.main()
