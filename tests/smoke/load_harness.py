# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-guest and the back-end that is no switch, for scenarios."""
import json
import signal
import subprocess

from harness import BUILD, WITH_US, Scenario

GUEST = BUILD / "app/turnpike-guest/turnpike-guest"
BACKEND = BUILD / "bench/turnpike-bench-backend"
FAULTS = ("corrupt", "wrong", "strays")


def lines_of(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def offered(counts):
    """Frames that were due: what a busy machine keeps from being sent in time is counted."""
    return counts["tx_frames"] + counts["missed"]


class LoadScenario(Scenario):
    """Has a back-end, and guests that are run to their end."""

    def backend(self, *arguments, count=2):
        """The back-end, serving; its sockets are those of self.sockets."""
        self.sockets = f"{self.directory}/b%d.sock"
        process = self.start("backend", [BACKEND, "--socket", self.sockets, "--count", count,
                                         *arguments])
        process.wait_text('"ready"')
        return process

    def counters(self, backend):
        """End the back-end and return what it has counted."""
        self.assertEqual(backend.stop(signal.SIGTERM), 0)
        return lines_of(backend.text())[-1]

    def guest(self, *arguments, status=0, timeout=60, words=None, to=None):
        """Run turnpike-guest, expect its exit status and words in its message; its JSON lines."""
        sockets = ["--socket", to or self.sockets] if to is not False else []
        done = subprocess.run(
            WITH_US + [str(GUEST), *sockets, *map(str, arguments)], timeout=timeout, text=True,
            capture_output=True, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if words is not None:
            self.assertIn(words, done.stderr)
        return lines_of(done.stdout)

    def run_of(self, *arguments, **options):
        return self.guest("--json", *arguments, **options)[-1]["run"]

    def talk(self, lines, *arguments, status=0):
        """Commands for the console; what it prints on standard output and standard error."""
        done = subprocess.run(
            WITH_US + [str(GUEST), "--socket", self.sockets, *map(str, arguments), "--", "-i"],
            input="\n".join(lines) + "\n", timeout=60, text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def expect_clean(self, run):
        """Something went through, all of it, whole and in order."""
        self.assertGreater(run["order"]["received"], 0)
        for name in ("lost", "duplicates", "reordered", "late", "in_ring"):
            self.assertEqual(run["order"][name], 0, f"{name}: {run}")
        for name in FAULTS:
            self.assertEqual(run[name], 0, f"{name}: {run}")
