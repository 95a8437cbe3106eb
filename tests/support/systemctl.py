"""A small program that stands as systemctl, on a source that a test made.

It is no systemd: it keeps units in a folder, starts and stops their real processes, and
speaks the few words that the services program asks of systemctl. ``Units.install`` puts
it into a folder that the test puts before the PATH.

    FOLDER/units/NAME.json      {"state": ..., "pid": ..., "command": [...], "stuck": ...}
    FOLDER/calls                a line for each start and stop
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAM = """\
#!{python} -SE
import fnmatch, json, os, signal, subprocess, sys, time
folder = {folder!r}
words = [word for word in sys.argv[1:] if not word.startswith("--")]
verb, names = words[0], words[1:]
if os.path.exists(folder + "/absent"):
    sys.exit("System has not been booted with systemd as init system (PID 1).")
if verb == "show" and not names:
    print("Version=252 (stand-in)"); sys.exit(0)
def path(name): return folder + "/units/" + name + ".json"
def load(name):
    with open(path(name)) as file: return json.load(file)
def save(name, unit):
    with open(path(name) + ".new", "w") as file: json.dump(unit, file)
    os.rename(path(name) + ".new", path(name))
known = sorted(each[:-5] for each in os.listdir(folder + "/units") if each.endswith(".json"))
def alive(unit):
    try:
        with open("/proc/%d/stat" % unit["pid"]) as file: return " Z " not in file.read()
    except OSError: return False
if verb == "show":
    for name in names:
        if "*" not in name and "?" not in name and "." not in name: name += ".service"
        for each in [each for each in known if fnmatch.fnmatch(each, name)]:
            unit = load(each)
            state = unit["state"] if unit["state"] != "active" or alive(unit) else "failed"
            print("Id=%s\\nLoadState=loaded\\nActiveState=%s\\nSubState=%s\\nMainPID=%d" % (
                each, state, unit.get("sub", "running"), unit["pid"] if state == "active" else 0))
            print("ControlGroup=\\nTriggeredBy=%s\\nListen=%s\\n" % (
                unit.get("triggered_by", ""), unit.get("listen", "")))
    sys.exit(0)
with open(folder + "/calls", "a") as file: file.write(verb + " " + " ".join(names) + "\\n")
for name in names:
    unit = load(name)
    if verb in unit.get("stuck", ()): sys.exit("Job for %s failed." % name)
    while os.path.exists(folder + "/hold." + verb): time.sleep(0.02)
    if verb == "stop":
        os.kill(unit["pid"], signal.SIGKILL)
        while alive(unit): time.sleep(0.005)
        unit.update(state="inactive", pid=0)
    else:
        process = subprocess.Popen(unit["command"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        process.stdout.readline()
        unit.update(state="active", pid=process.pid)
    save(name, unit)
"""

#: Listens on a port it is given, says so, and takes connections.
LISTENER = textwrap.dedent(
    """\
    import socket, sys
    server = socket.socket(); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(sys.argv[1]))); server.listen(8)
    print("ready", flush=True)
    taken = []
    while True: taken.append(server.accept()[0])
    """
)


@dataclass
class Units:
    """The units of one source."""

    folder: Path

    @classmethod
    def install(cls, folder: Path) -> Units:
        """Make the folder; ``bin`` in it has the program."""
        (folder / "units").mkdir(parents=True)
        (folder / "bin").mkdir()
        program = folder / "bin" / "systemctl"
        program.write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)
        return cls(folder)

    @property
    def path(self) -> str:
        """A PATH in which the program comes first."""
        return f"{self.folder / 'bin'}:/usr/bin:/bin"

    def add(self, name: str, port: int | None = None, *, active: bool = True, **other) -> None:
        """Add a unit that listens on a port, or only sleeps."""
        listener = [sys.executable, "-SEc", LISTENER, str(port)]
        sleeper = ["sh", "-c", "echo ready; exec sleep 1000"]
        unit = {"state": "inactive", "pid": 0, "command": listener if port else sleeper, **other}
        (self.folder / "units" / f"{name}.json").write_text(json.dumps(unit))
        if active:
            self.call("start", name)

    def call(self, *words: str) -> None:
        """Be a person at the source."""
        subprocess.run([self.folder / "bin" / "systemctl", *words], check=True)

    def change(self, name: str, **facts) -> None:
        """Change what a unit is like."""
        path = self.folder / "units" / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))

    def active(self) -> list[str]:
        """Return the units that run, by their processes."""
        found = []
        for path in sorted((self.folder / "units").glob("*.json")):
            unit = json.loads(path.read_text())
            if unit["pid"] and Path(f"/proc/{unit['pid']}").exists():
                found.append(path.stem)
        return found

    def calls(self) -> list[str]:
        """Return what was started and stopped since the last call of this."""
        path = self.folder / "calls"
        said = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return said

    def end(self) -> None:
        """End every process."""
        for path in (self.folder / "units").glob("*.json"):
            pid = json.loads(path.read_text())["pid"]
            with suppress(ProcessLookupError, ChildProcessError):
                if pid:
                    os.kill(pid, signal.SIGKILL)
