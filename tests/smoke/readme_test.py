#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every command of README.md does what stands beside it, in the order in which they stand there."""
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TURNPIKE_BUILD", ROOT / "build")).resolve()


def commands():
    """The commands of all ```sh blocks, without sudo and without the remark."""
    text = (ROOT / "README.md").read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words[1:] if words[0] == "sudo" else words


class Readme(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-readme-"))
        self.addCleanup(subprocess.run, ["rm", "-rf", self.directory], check=True)
        for name in ("scripts", "config"):
            (self.directory / name).symlink_to(ROOT / name)
        (self.directory / "build").symlink_to(BUILD)
        self.write_config()
        self.appliance = None
        self.addCleanup(self.end_appliance)

    def write_config(self):
        """my.json: the demo's, with sockets of our own; the control socket stays the default."""
        config = json.loads((ROOT / "config/demo.json").read_text())
        for tenant in config["tenants"].values():
            for interface in tenant["interfaces"].values():
                interface["socket"] = f"{self.directory}/{os.path.basename(interface['socket'])}"
        (self.directory / "my.json").write_text(json.dumps(config))

    def end_appliance(self):
        if self.appliance and self.appliance.poll() is None:
            self.appliance.kill()
            self.appliance.wait()

    def run_command(self, words, seconds=60):
        done = subprocess.run(words, cwd=self.directory, timeout=seconds, check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, f"{shlex.join(words)}:\n{done.stdout}")
        return done.stdout

    def serve(self, words):
        with open(self.directory / "log", "w", encoding="utf-8") as log:
            self.appliance = subprocess.Popen(words, cwd=self.directory, stdout=log, stderr=log,
                                              stdin=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while "ready" not in (text := (self.directory / "log").read_text()):
            self.assertIsNone(self.appliance.poll(), text)
            self.assertLess(time.monotonic(), end, "not ready within 30 s: " + text)
            time.sleep(0.05)

    def see_top(self, words):
        top = subprocess.Popen(words, cwd=self.directory, stdout=subprocess.PIPE, text=True)
        time.sleep(2.5)
        top.send_signal(signal.SIGINT)
        output, _ = top.communicate(timeout=20)
        self.assertEqual(top.returncode, 0)
        self.assertIn("TENANT", output)

    def first_contact(self, words):
        output = self.run_command([*words, "3"], 600)
        for wanted in ("acme", "umbra", "realtime", "gold", "bronze", "Summary"):
            self.assertIn(wanted, output)
        frames = re.search(r"tx_frames: (\d+)", output)
        self.assertGreater(int(frames.group(1)), 100, output)
        self.assertTrue(output.rstrip().splitlines()[-1].startswith("Ended: no process"), output)
        self.assertFalse(pathlib.Path("/run/turnpike/control.sock").exists())

    def stop(self, words):
        self.run_command(words)
        self.assertEqual(self.appliance.wait(20), 0)

    def test_commands(self):
        seen = 0
        for words in commands():
            with self.subTest(shlex.join(words)):
                self.do(words)
                seen += 1
        self.assertGreaterEqual(seen, 7, "commands found in README.md")

    def do(self, words):
        program, rest = os.path.basename(words[0]), words[1:]
        if words == ["scripts/run"]:
            self.first_contact(words)
        elif words == ["scripts/test"]:
            self.assertIn("build-gcc", self.run_command([*words, "--list"]))
        elif program == "turnpiked":
            self.serve(words)
        elif program == "turnpike-guest":
            text = self.run_command(words)
            self.assertIn("6 of 6 devices connected", text)
            received = re.search(r"received (\d+), lost (\d+)", text)
            self.assertGreater(int(received.group(1)), 10000)
        elif program == "turnpike" and rest == ["top"]:
            self.see_top(words)
        elif program == "turnpike" and rest == ["stop"]:
            self.stop(words)
        elif program == "turnpike":
            self.run_command(words)
        else:
            self.fail(f"README.md has a command that this test does not know: {words}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
