#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Least privilege: whom the appliance becomes and what it may do then, whose its sockets are, what
the service manager hears, while guests come, exchange frames and go."""
import ctypes
import grp
import json
import os
import pathlib
import pwd
import signal
import socket
import stat
import subprocess
import time
import unittest

from harness import BUILD, SWITCH, Appliance, wait_for
from load_harness import FAULTS, GUEST, LoadScenario

USER, GROUP = "nobody", "nogroup"
OTHER = "daemon"  # a user, and a group that USER is not a member of
NONE = "0" * 16
CAP_CHOWN = f"{1 << 0:016x}"
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_ALL = 0x40000000  # __WALL of waitpid(2)


def uid(name):
    return pwd.getpwnam(name).pw_uid


def gid(name):
    return grp.getgrnam(name).gr_gid


def status_of(directory):
    """/proc/PID/status, or a thread's, as a dictionary."""
    lines = (pathlib.Path(directory) / "status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def as_user(name, *command):
    return ["setpriv", f"--reuid={name}", f"--regid={pwd.getpwnam(name).pw_gid}", "--clear-groups",
            "--", *map(str, command)]


class Confined(Appliance):
    """With its sockets in a directory of its own, and further sections in its configuration."""

    def __init__(self, scenario, interfaces, sections, before=()):
        self.sections, self.before = sections, list(before)
        self.run = scenario.directory / "run"
        super().__init__(scenario, interfaces)

    def configuration(self):
        config = super().configuration()
        self.control = self.run / "control.sock"
        config["dataplane"]["control_socket"] = str(self.control)
        config["billing"] = {"directory": str(self.scenario.directory / "kept/ledger"),
                             "interval": "1s"}
        for key, value in self.sections.items():
            if key != "tenants":
                config[key] = value
        for tenant, sockets in self.sections.get("tenants", {}).items():
            config["tenants"][tenant]["sockets"] = sockets
        return config

    def _turnpiked(self):
        return [*self.before, BUILD / "app/turnpiked/turnpiked", "--no-shconf",
                f"--file-prefix=privilege{os.getpid()}", "--", "--config", self.config]


@unittest.skipUnless(os.getuid() == 0, "needs root, to give it up")
@unittest.skipIf(SWITCH != "turnpiked", "of the appliance alone")
class Privilege(LoadScenario):
    def setUp(self):
        super().setUp()
        self.directory.chmod(0o755)  # the user may look, and make nothing

    def confined(self, sections, count=2, tenant="acme", before=()):
        pod = self.interface(tenant, "pod", 1)
        pod.socket = f"{self.directory}/run/{tenant}/pod%d.sock"
        pod.more["count"] = count
        self.sockets = pod.socket
        self.switches.append(Confined(self, [pod], sections, before))
        return self.switches[-1]

    def expect_rights(self, appliance, main, user=USER, group=GROUP):
        """Those of all threads; `main` has these capabilities, the others none."""
        pid = appliance.process.child.pid
        threads = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
        self.assertGreater(len(threads), 2)
        for thread in threads:
            status = status_of(f"/proc/{pid}/task/{thread}")
            wanted = main if thread == pid else NONE
            name = status["Name"]
            self.assertEqual(status["Uid"].split(), [str(uid(user))] * 4, name)
            self.assertEqual(status["Gid"].split(), [str(gid(group))] * 4, name)
            for which, value in {"CapEff": wanted, "CapPrm": wanted, "CapInh": NONE,
                                 "CapBnd": NONE, "CapAmb": NONE}.items():
                self.assertEqual(status[which].strip(), value, f"{which} of {name}")
            self.assertEqual(status["NoNewPrivs"].strip(), "1", name)
            self.assertEqual(status["Seccomp"].strip(), "2", name)
            # The filter has not slowed the processor down.
            for which in ("Speculation_Store_Bypass", "SpeculationIndirectBranch"):
                self.assertEqual(status.get(which), status_of("/proc/self").get(which))

    def expect_whole(self, run):
        """Nothing was lost or spoilt; on a busy machine the last frames may still be on their way
        when the guests leave."""
        self.assertGreater(run["order"]["received"], 0)
        for name in ("lost", "duplicates", "reordered", "late"):
            self.assertEqual(run["order"][name], 0, f"{name}: {run}")
        for name in FAULTS:
            self.assertEqual(run[name], 0, f"{name}: {run}")

    def exchange(self, appliance, count=2, rate="2kpps/total"):
        """Guests come, exchange frames and go."""
        before = appliance.show("summary")["tx_frames"]
        run = self.run_of("--count", count, "--rate", rate, "--seconds", 1, "--timeout", 60,
                          timeout=120)
        self.expect_whole(run)
        self.assertGreater(appliance.show("summary")["tx_frames"], before + 100)

    def test_root_becomes_the_user(self):
        appliance = self.confined({"process": {"user": USER}}).start()
        self.expect_rights(appliance, NONE)
        for name in ("run", "run/acme", "kept", "kept/ledger"):
            self.assertEqual((self.directory / name).stat().st_uid, uid(USER), name)
        for _ in range(2):
            self.exchange(appliance)
        bill = subprocess.run([BUILD / "app/turnpike/turnpike", "-s", appliance.control, "bill"],
                              capture_output=True, text=True, timeout=60, check=True)
        self.assertIn("acme", bill.stdout)
        self.expect_rights(appliance, NONE)
        appliance.stop()
        self.assertEqual([path.name for path in (self.directory / "run").rglob("*")], ["acme"])
        self.assertNotIn("type=1326", appliance.process.text())
        appliance.start()  # what is there now is the user's
        self.exchange(appliance)
        appliance.stop()
        appliance.start()
        appliance.kill()  # stale sockets are the user's too
        appliance.start()
        self.exchange(appliance)
        appliance.stop()

    def test_thousands_of_guests(self):
        appliance = self.confined({"process": {"user": USER}}, count=4000).start()
        descriptors = f"/proc/{appliance.process.child.pid}/fd"
        before = len(os.listdir(descriptors))
        run = self.run_of("--count", 4000, "--talking", 64, "--churn", 0.02, "--rate",
                          "20kpps/total", "--seconds", 1, "--timeout", 60, timeout=120)
        self.expect_whole(run)
        wait_for("descriptors come back", lambda: len(os.listdir(descriptors)) == before)
        self.expect_rights(appliance, NONE)
        appliance.stop()
        self.assertEqual(list((self.directory / "run/acme").iterdir()), [])

    def apply(self, appliance, change):
        """What the running appliance says to its configuration with this change."""
        config = json.loads(appliance.config.read_text())
        change(config)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(60)
            control.connect(str(appliance.control))
            control.sendall(json.dumps({"command": "apply", "config": config}).encode() + b"\n")
            return json.loads(control.makefile().readline())

    def test_interfaces_are_made_while_it_runs(self):
        """In directories that the user may write to, for groups that it has joined; owners whose
        sockets it cannot make are refused, and nothing has changed."""
        appliance = self.confined({"process": {"user": USER},
                                   "sockets": {"guests": {"group": OTHER}}}).start()
        new = self.directory / "run/umbra/new.sock"

        def add(config, **sockets):
            config["tenants"]["umbra"] = {"sockets": sockets, "interfaces": {"new": {
                "mac": "02:00:00:00:09:09", "class": "gold", "socket": str(new)}}}

        for sockets, words in (
                ({"owner": OTHER}, f"cannot be given to user {uid(OTHER)}"),
                ({"group": "games"}, "or put its user into the group"),
                ({"group": "no-such"}, '$.tenants.umbra.sockets.group: found "no-such"')):
            answer = self.apply(appliance, lambda config, s=sockets: add(config, **s))
            self.assertFalse(answer["ok"], answer)
            self.assertIn(words, answer["error"])
            self.assertFalse(new.exists())
        answer = self.apply(appliance, lambda config: config["process"].update(user=OTHER))
        self.assertIn("user", answer["error"])
        self.assertTrue(self.apply(appliance, add)["ok"])
        self.assertEqual(self.access_of(new), (uid(USER), gid(OTHER), 0o660))
        answer = self.apply(appliance, lambda config: add(config, permissions="0600"))
        self.assertTrue(answer["ok"], answer)
        self.assertEqual(self.access_of(new), (uid(USER), gid(OTHER), 0o600))
        self.assertEqual(self.access_of(self.sockets % 0), (uid(USER), gid(OTHER), 0o660))
        self.exchange(appliance)
        self.expect_rights(appliance, NONE)
        self.assertTrue(self.apply(appliance, lambda config: None)["ok"])
        self.assertFalse(new.exists())
        appliance.stop()

    def access_of(self, path):
        found = pathlib.Path(path).lstat()
        self.assertTrue(stat.S_ISSOCK(found.st_mode))
        return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)

    def can_connect(self, path, user, group):
        program = ("import socket, sys; "
                   "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(sys.argv[1])")
        done = subprocess.run(
            ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--",
             "/usr/bin/python3", "-c", program, path], capture_output=True, text=True, timeout=60,
            check=False)
        self.assertIn(done.returncode, (0, 1))
        self.assertTrue(done.returncode == 0 or "PermissionError" in done.stderr, done.stderr)
        return done.returncode == 0

    def test_sockets_have_group_and_permissions(self):
        """A group takes no capability: the process has joined it."""
        os.umask(0o026)  # which is not to touch what the file says
        appliance = self.confined({
            "process": {"user": USER, "group": GROUP},
            "sockets": {"guests": {"group": OTHER}, "control": {"permissions": "0666"}}}).start()
        os.umask(0o022)
        first = self.sockets % 0
        self.expect_rights(appliance, NONE)
        self.assertEqual(self.access_of(first), (uid(USER), gid(OTHER), 0o660))
        self.assertEqual(self.access_of(appliance.control), (uid(USER), gid(GROUP), 0o666))
        self.assertTrue(self.can_connect(appliance.control, OTHER, OTHER))
        self.assertTrue(self.can_connect(first, "games", OTHER))
        self.assertFalse(self.can_connect(first, "games", "games"))
        appliance.stop()

    def test_an_uplink_is_opened_before(self):
        """What opens a device is gone when the first guest comes; the link is looked at as before.
        In a network namespace of its own."""
        script = ("ip link add name up0 type veth peer name far0 && ip link set up0 up && "
                  "ip link set far0 up && exec \"$@\"")
        appliance = self.confined(
            {"process": {"user": USER},
             "uplinks": {"wan0": {"device": "net_af_packet0,iface=up0"}}},
            before=["unshare", "--net", "--", "sh", "-c", script, "sh"]).start()
        self.expect_rights(appliance, NONE)
        uplink = appliance.show("uplinks")[0]
        self.assertEqual((uplink["name"], uplink["state"]), ("wan0", "up"), uplink)
        self.exchange(appliance)
        appliance.stop()

    def test_sockets_have_an_owner(self):
        """Another owner takes CAP_CHOWN, of which the log tells."""
        appliance = self.confined({
            "process": {"user": USER},
            "tenants": {"acme": {"owner": OTHER, "permissions": "0600"}}}).start()
        self.expect_rights(appliance, CAP_CHOWN)
        self.assertIn("CAP_CHOWN", appliance.process.text())
        self.assertEqual(self.access_of(self.sockets % 0), (uid(OTHER), gid(GROUP), 0o600))
        self.assertEqual(self.access_of(appliance.control), (uid(USER), gid(GROUP), 0o600))
        self.exchange(appliance)
        appliance.stop()
        self.assertFalse(pathlib.Path(self.sockets % 0).exists())

    def test_defaults(self):
        appliance = self.confined({"process": {"system_call_filter": "off"}}).start()
        self.assertIn("runs as root", appliance.process.text())
        self.assertIn("not filtered", appliance.process.text())
        self.assertEqual(self.access_of(self.sockets % 1), (0, 0, 0o660))
        self.assertEqual(self.access_of(appliance.control), (0, 0, 0o600))
        status = status_of(f"/proc/{appliance.process.child.pid}")
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "0"))
        appliance.stop()

    def refused(self, sections, words, before=()):
        """It ends at once with these words, and nothing of it is left."""
        appliance = self.confined(sections, before=before)
        done = subprocess.run(map(str, appliance._turnpiked()), capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual([path for path in self.directory.rglob("*") if path.is_socket()], [])

    def test_bad_names(self):
        unknown = {"process": {"user": "no-such"}}
        self.refused(unknown, ['$.process.user: found "no-such"', "useradd"])
        self.refused({"process": {"user": USER, "group": "no-such"}},
                     ['$.process.group: found "no-such"', "groupadd"])
        self.refused({"sockets": {"guests": {"owner": "no-such"}}},
                     ['$.sockets.guests.owner: found "no-such"', "useradd"])
        self.refused({"sockets": {"control": {"group": "no-such"}}},
                     ['$.sockets.control.group: found "no-such"', "groupadd"])
        self.refused({"tenants": {"acme": {"group": "no-such"}}},
                     ['$.tenants.acme.sockets.group: found "no-such"', "groupadd"])

    def test_an_ordinary_user(self):
        """It serves where it may; where it may not, it says what to do."""
        before = as_user(USER)
        self.refused({}, ["directory " + str(self.directory / "run"), "Permission denied"], before)
        (self.directory / "run/acme").mkdir(parents=True)
        self.refused({}, [f"user {uid(USER)}", "may not write in its directory", "chown"], before)
        for name in ("run", "run/acme"):
            os.chown(self.directory / name, uid(USER), gid(GROUP))
        self.refused({}, ["kept: Permission denied"], before)
        (self.directory / "kept").mkdir()
        os.chown(self.directory / "kept", uid(USER), gid(GROUP))
        self.refused({"process": {"user": OTHER}},
                     [f'$.process.user: found "{OTHER}"', "only root can become another"], before)
        self.refused({"sockets": {"guests": {"owner": OTHER}}},
                     [f"cannot be given to user {uid(OTHER)}", "start it as root"], before)
        appliance = self.confined({"process": {"user": USER}}, before=before).start()
        status = status_of(f"/proc/{appliance.process.child.pid}")
        self.assertEqual(status["CapEff"].strip(), NONE)
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))
        self.exchange(appliance)
        appliance.stop()

    def test_an_ordinary_user_with_capabilities(self):
        """As a service with AmbientCapabilities: the one that is needed is kept, if it is."""
        before = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups",
                  "--inh-caps=+chown,+net_raw", "--ambient-caps=+chown,+net_raw", "--"]
        for name in ("run", "run/acme", "kept"):
            (self.directory / name).mkdir()
            os.chown(self.directory / name, uid(USER), gid(GROUP))
        for sections, kept in (({}, NONE), ({"sockets": {"guests": {"owner": OTHER}}}, CAP_CHOWN)):
            appliance = self.confined(sections, before=before).start()
            for thread in os.listdir(f"/proc/{appliance.process.child.pid}/task"):
                status = status_of(f"/proc/{appliance.process.child.pid}/task/{thread}")
                for which, value in {"CapEff": kept, "CapPrm": kept, "CapInh": NONE,
                                     "CapAmb": NONE}.items():
                    self.assertEqual(status[which].strip(), value, which)
            self.exchange(appliance)
            appliance.stop()

    def test_who_connected_is_told(self):
        appliance = self.confined({"process": {"user": USER}, "sockets": {
            "guests": {"group": GROUP}}}).start()
        one = appliance.counters()["acme/pod0"]
        self.assertEqual((one["peer_pid"], one["peer_uid"], one["peer_gid"], one["peer_program"]),
                         (0, None, None, ""))
        guest = self.start("guest", as_user(USER, GUEST, "--socket", self.sockets, "--count", 2,
                                            "--timeout", 60, "--", "-i"))
        wait_for("guests attach", lambda: all(
            one["state"] == "running" for one in appliance.counters().values()))
        one = appliance.counters()["acme/pod0"]
        self.assertEqual(
            (one["peer_pid"], one["peer_uid"], one["peer_gid"], one["peer_program"]),
            (guest.child.pid, uid(USER), gid(GROUP), "turnpike-guest"))
        self.assertIn(f"acme/pod0: connected, process {guest.child.pid} (turnpike-guest) of user "
                      f"{uid(USER)}, group {gid(GROUP)}", appliance.process.text())
        guest.stop()
        appliance.stop()

    def notifications(self):
        """The service manager's end of sd_notify(3)."""
        path = self.directory / "notify"
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(path))
        path.chmod(0o666)
        self.channels.append(manager)
        return path, manager

    def hear(self, manager, wanted, seconds):
        """Whether a message holds this line within the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            manager.settimeout(max(0.01, end - time.monotonic()))
            try:
                if wanted in manager.recv(4096).decode().splitlines():
                    return True
            except TimeoutError:
                return False
        return False

    def drain(self, manager):
        manager.setblocking(False)
        try:
            while True:
                manager.recv(4096)
        except BlockingIOError:
            pass

    def stand_still(self, appliance, wanted):
        """Have the kernel hold the one thread of this name. @return a function that lets it go."""
        pid = appliance.process.child.pid
        thread = next(int(one) for one in os.listdir(f"/proc/{pid}/task")
                      if status_of(f"/proc/{pid}/task/{one}")["Name"].strip().startswith(wanted))
        libc = ctypes.CDLL(None, use_errno=True)
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            self.assertEqual(libc.ptrace(request, thread, None, None), 0, ctypes.get_errno())
        os.waitpid(thread, WAIT_ALL)
        return lambda: libc.ptrace(PTRACE_DETACH, thread, None, None)

    def test_the_service_manager_hears_of_workers(self):
        """Ready, well as long as the workers work, ending."""
        path, manager = self.notifications()
        appliance = self.confined({"process": {"user": USER}}, before=[
            "env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=1000000"]).start()
        self.assertTrue(self.hear(manager, "READY=1", 10))
        for _ in range(3):  # idle workers sleep, and are well
            self.assertTrue(self.hear(manager, "WATCHDOG=1", 10))
        release = self.stand_still(appliance, "rte-worker")
        time.sleep(0.3)  # a look may have been under way
        self.drain(manager)
        self.assertFalse(self.hear(manager, "WATCHDOG=1", 2.5), "a worker stands still")
        self.assertIn("worker 0 has finished no sweep", appliance.process.text())
        self.assertEqual(appliance.show("summary")["drops"], 0)  # control goes on
        release()
        self.assertTrue(self.hear(manager, "WATCHDOG=1", 10), "it goes on")
        self.exchange(appliance)
        appliance.process.child.send_signal(signal.SIGTERM)
        self.assertTrue(self.hear(manager, "STOPPING=1", 10))
        appliance.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
