#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/tariff measures, fits, and says what is wrong with its arguments."""
import re
import subprocess
import unittest

from harness import BUILD, ROOT


class Tariff(unittest.TestCase):
    def run_tariff(self, *arguments):
        return subprocess.run([ROOT / "bench/tariff", "--build", BUILD, *arguments], text=True,
                              capture_output=True, timeout=120, check=False)

    def test_one_round(self):
        done = self.run_tariff("--rounds", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        cycles = {int(size): float(median)
                  for size, median in re.findall(r"^\| (\d+) +\| ([\d.]+)", done.stdout, re.M)}
        self.assertEqual(list(cycles), [64, 128, 256, 512, 1024, 1500])
        self.assertGreater(cycles[1500], cycles[64])
        self.assertRegex(done.stdout, r'"tariff": \{ "per_frame": \d+, "per_64_bytes": 1 \}')

    def test_bad_arguments(self):
        self.assertIn("found 0; accepted: 1 or more", self.run_tariff("--rounds", "0").stderr)
        self.assertIn("is not there; run scripts/build first",
                      self.run_tariff("--build", "/nowhere").stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
