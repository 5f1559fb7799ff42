#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write the seeds of the corpora: inputs with a meaning, which fuzzing begins with.

    make_seeds.py [--check]

A seed has the name of what it is. Inputs that fuzzing found are named by their hash and are left
alone. --check writes nothing, but fails if the seeds in the tree are not these.
"""
import pathlib
import sys

sys.dont_write_bytecode = True

from seeds import backend, frames, texts, vhost, vring

HERE = pathlib.Path(__file__).resolve().parent
TARGETS = {
    "vhost_message": vhost.seeds,
    "vring": vring.seeds,
    "vring_race": vring.race_seeds,
    "vring_between": vring.between_seeds,
    "classify": frames.classify_seeds,
    "received_frame": frames.received_seeds,
    "backend": backend.seeds,
    "config": texts.config_seeds,
    "control_request": texts.request_seeds,
    "control_stream": texts.stream_seeds,
    "ledger_record": texts.record_seeds,
    "ledger_files": texts.ledger_seeds,
    "texts": texts.text_seeds,
}
DICTIONARIES = {
    "config": texts.config_words,
    "control_request": texts.control_words,
    "control_stream": texts.control_words,
    "ledger_record": texts.ledger_words,
    "ledger_files": texts.ledger_words,
    "texts": texts.text_words,
}


def quoted(word):
    return '"' + "".join(f"\\x{ord(c):02x}" if c in '"\\' or ord(c) < 32 else c for c in word) + '"\n'


def files():
    """Path below this directory, and content."""
    for target, seeds in TARGETS.items():
        for name, data in seeds():
            yield f"corpus/{target}/{name}", data
    for target, words in DICTIONARIES.items():
        yield f"dictionary/{target}.dict", "".join(map(quoted, words())).encode()


def main(check):
    wrong = 0
    for name, data in files():
        path = HERE / name
        if check and (not path.is_file() or path.read_bytes() != data):
            print(f"{name}: is not what make_seeds.py makes; run it")
            wrong += 1
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
