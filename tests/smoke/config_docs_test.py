#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/config.md tells the truth: its examples pass, its messages are real, its tables name every
key of the schema with the schema's default.

usage: config_docs_test.py PATH_OF_TURNPIKE SOURCE_ROOT

An example that is not a whole file is completed by the smallest "classes" and "tenants".
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

turnpike, root = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2])
text = (root / "docs/config.md").read_text()
schema = json.loads((root / "config/schema.json").read_text())
SMALLEST = {"classes": {"any": {"bid": 2}}, "tenants": {"any": {}}}
failures = []


def check(config):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "demo.json"
        path.write_text(config if isinstance(config, str) else json.dumps(config))
        ran = subprocess.run([turnpike, "check", "demo.json"], cwd=directory, capture_output=True,
                             text=True, timeout=60)
    return ran.stdout + ran.stderr


def check_examples():
    examples = re.findall(r"^```json\n(.*?)^```$", text, re.S | re.M)
    for example in examples:
        said = check({**SMALLEST, **json.loads(example)})
        if not said.endswith(": ok\n"):
            failures.append(f"{said}{example}")
    return len(examples)


def check_messages():
    demo = (root / "config/demo.json").read_text()
    said = check(demo.replace('"bid": 16', '"bid": "high"'))
    said = said.removeprefix("turnpike: ")
    if said not in text:
        failures.append(f"not in the text: {said}")
    if "duplicate object key near '\"gold\"'" not in check(demo.replace('"realtime": {',
                                                                     '"gold": {')):
        failures.append("the message about a duplicate key is another")


def rows():
    """{key: defaults} of all tables, of all keys of that name; a default in code marks is JSON, a plain
    one is text."""
    found = collections.defaultdict(list)
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `"):
            found[cells[0].strip("` ").split(".")[-1]].append(cells[1].strip("`"))
    return found


def keys(part):
    for name, value in part.get("properties", {}).items():
        yield name, value
        if "$ref" not in value:
            yield from keys(value)
        for variant in value.get("oneOf", ()):
            yield from keys(variant)


def check_tables():
    documented = rows()
    listed = [entry for name in ("dataplane", "process", "access", "tariff", "billing", "class",
                                 "uplink", "tenant", "remote", "interface")
              for entry in keys(schema["$defs"][name]) if entry[0] != "hold"]
    for name, value in listed:
        if name not in documented:
            failures.append(f"key {name} has no row")
        elif "default" in value:
            default = value["default"]
            if not any(plain in (str(default), json.dumps(default)) or
                       (plain.startswith("{") and json.loads(plain) == default)
                       for plain in documented[name]):
                failures.append(f"default of {name}: {documented[name]} is not {default}")
    for name in documented:
        if name not in dict(listed):
            failures.append(f"the row {name} is no key of the schema")
    return len(listed)


counted = check_examples(), check_tables()
check_messages()
print(*failures, sep="\n")
print(f"{counted[0]} examples, {counted[1]} keys: {len(failures)} wrong")
sys.exit(1 if failures or counted[0] < 5 or counted[1] < 20 else 0)
