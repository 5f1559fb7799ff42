# SPDX-License-Identifier: BSD-3-Clause
"""Children: ended by their id; and the one that plays the guests."""
import json
import os
import select
import signal
import subprocess

from machine import Failure


class Process:
    """A child in a session of its own, ended by its id."""

    def __init__(self, command, log, **options):
        self.name = log.stem
        self.log = log
        with log.open("ab") as file:
            self.child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE, stderr=file,
                stdout=options.pop("stdout", file), start_new_session=True, **options)

    def signal(self, number):
        if self.child.poll() is None:
            os.kill(self.child.pid, number)

    def expect_alive(self):
        if self.child.poll() is not None:
            raise Failure(f"{self.name} ended with {self.child.returncode}: {self.last_words()}")

    def last_words(self):
        return " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])

    def stop(self, patience=5):
        """SIGTERM, and SIGKILL if that does not help."""
        self.signal(signal.SIGCONT)
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            if self.ends(patience):
                break

    def ends(self, seconds):
        """Whether it does within so many."""
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True


class Load(Process):
    """The guests: turnpike-guest, which answers each command with one line of JSON."""

    def __init__(self, command, log):
        super().__init__(command, log, stdout=subprocess.PIPE)
        self.attached = self.answer(120)

    def stop(self, patience=5):
        """Guests whose input ends leave in order."""
        self.signal(signal.SIGCONT)
        try:
            self.child.stdin.close()
        except OSError:
            pass
        if not self.ends(patience / 5):
            super().stop(patience)

    def answer(self, timeout):
        readable, _, _ = select.select([self.child.stdout], [], [], timeout)
        line = self.child.stdout.readline() if readable else b""
        if not line:
            raise Failure(f"{self.name}: no answer within {timeout:.0f} s: {self.last_words()}")
        found = json.loads(line)
        if "error" in found:
            raise Failure(f"{self.name}: {found['error']}")
        return found

    def say(self, command):
        self.child.stdin.write(f"{command}\n".encode())
        self.child.stdin.flush()

    def ask(self, command, timeout=10):
        self.say(command)
        return self.answer(timeout)

    def set(self, **words):
        """Properties of the load; several values are set one after the other."""
        for name, values in words.items():
            for value in values if isinstance(values, (list, tuple)) else [values]:
                self.ask(f"set {name} {value}")

    def begin(self, seconds):
        """A run; finish() waits for its end."""
        self.say(f"run {seconds}")

    def finish(self, seconds):
        return self.answer(seconds + 30)["run"]

    def run(self, seconds):
        self.begin(seconds)
        return self.finish(seconds)

    def search(self, seconds):
        return self.ask(f"search ndr {seconds}", 60 * (seconds + 2))["search"]
