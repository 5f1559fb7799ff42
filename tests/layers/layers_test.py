#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each library of lib/ can include what docs/architecture.md allows it, and nothing else.

    layers_test.py BUILD_DIRECTORY

Each library's own compiler command, without the source, gets one #include at a time: every header
of every library, public or private. An allowed one must compile, another must not be found.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The public headers that each may include beside its own. `state` brings vring, which brings base.
ALLOWED = {
    "base": set(),
    "vring": {"base"},
    "vhost": {"base"},
    "frontend": {"base"},
    "traffic": {"frontend", "base"},
    "state": {"vring", "base"},
    "path": {"state", "vring", "base"},
    "ctl": {"state", "vhost", "vring", "base"},
}
WITHOUT_DPDK = ("base", "vring", "vhost", "frontend", "traffic")
# The configuration, the control socket and the ledger are libraries of their own within lib/ctl, with less.
PARTS = {"config": "ctl", "control": "ctl", "billing": "ctl"}
PARTS_ALLOWED = {"config": {"base"}, "control": {"base"}, "billing": {"base"}}


def compiler_commands(build):
    """Library to compiler and include arguments, as meson uses them for its C files."""
    text = subprocess.run(["meson", "introspect", "--targets", build], check=True,
                          capture_output=True, text=True).stdout
    commands = {}
    for target in json.loads(text):
        sources = [one for one in target["target_sources"] if one.get("language") == "c"]
        if target["name"] in (*ALLOWED, *PARTS) and target["type"] == "static library":
            includes = [flag for flag in sources[0]["parameters"] if flag.startswith("-I")]
            commands[target["name"]] = sources[0]["compiler"] + includes + [
                "-D_GNU_SOURCE", "-std=gnu17", "-march=corei7"]
    return commands


def headers(folder):
    """What one can write into an #include for each header of a library: public, then private."""
    base = ROOT / "lib" / folder
    public = [str(path.relative_to(base / "include")) for path in (base / "include").rglob("*.h")]
    return sorted(public), sorted(path.name for path in base.glob("*.h"))


def try_include(build, command, header):
    """None if it compiles, else the compiler's message."""
    done = subprocess.run(
        [*command, "-fsyntax-only", "-x", "c", "-"], cwd=build, check=False, text=True,
        input=f'#include "{header}"\n', capture_output=True)
    return None if done.returncode == 0 else done.stderr


def cases(commands):
    for library in commands:
        folder = PARTS.get(library, library)
        allowed = PARTS_ALLOWED.get(library, ALLOWED.get(folder)) | {folder}
        for other in ALLOWED:
            public, private = headers(other)
            if other == folder and library in PARTS:
                continue  # shares its folder with others: nothing to tell apart
            for header in public:
                yield library, header, other in allowed
            if other != folder:
                for header in private:
                    yield library, header, False
        if library in WITHOUT_DPDK or library in PARTS:
            yield library, "rte_eal.h", False


def judge(build, commands, case):
    library, header, allowed = case
    message = try_include(build, commands[library], header)
    if allowed and message is not None:
        return f'{library} cannot include "{header}", but may:\n{message}'
    if not allowed and message is None:
        return f'{library} can include "{header}", but must not'
    if not allowed and f"{header}: No such file" not in message and "not found" not in message:
        return f'{library} finds "{header}", but must not; it only fails to compile:\n{message}'
    return None


def main(build):
    commands = compiler_commands(build)
    missing = set(ALLOWED) - set(commands)
    if missing:
        sys.exit(f"no such library in {build}: {', '.join(sorted(missing))}")
    every = list(cases(commands))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [one for one in pool.map(lambda case: judge(build, commands, case), every) if one]
    print("\n".join(wrong))
    print(f"{len(every)} includes tried, {sum(1 for one in every if one[2])} of them allowed, "
          f"{len(wrong)} wrong")
    return 1 if wrong or len(every) < 100 else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
