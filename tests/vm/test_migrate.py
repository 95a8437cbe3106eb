"""A running server, migrated over SSH by the command line; what was exported boots and is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import ROOT, end_engine
from tests.vm.guest import Guest
from tests.vm.rig import Rig
from tests.vm.tree import LEDGER

pytestmark = pytest.mark.vm

SETTINGS = ("--start", "now", "--drill", "before")

#: Seconds that a command line may wait for what it asked for.
PATIENCE = "300"


@dataclass(frozen=True)
class Smc:
    """The command line as an operator has it: a process, with a home of the test."""

    home: Path

    def __call__(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command, which must end with a status; return its document."""
        command = [sys.executable, "-m", "smc_tui", "--home", str(self.home), "--no-input"]
        done = subprocess.run(
            [*command, *map(str, words), "--json"],
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": str(self.home.parent / "xdg")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def waiting(self, *words: str) -> Any:
        """Run a command and stay until the engine has done it."""
        return self(*words, "--wait", "--timeout", PATIENCE)


@pytest.fixture
def smc(tmp_path: Path) -> Iterator[Smc]:
    """Yield the command line; its engine is ended afterwards."""
    made = Smc(tmp_path / "home")
    yield made
    end_engine(made.home)


def test_a_running_server_is_migrated(rig: Rig, image: Path, smc: Smc, tmp_path: Path) -> None:
    lap = rig.laps.lap
    with rig.booted(tmp_path, image, "source") as source:
        with lap("imported"):
            imported(smc, source)
        with lap("full image"):
            smc.waiting("job", "create", "web01", "--name", "mig", *SETTINGS)
        before = rows(source)
        with lap("image of what it wrote since"):
            smc.waiting("job", "sync", "mig")
        assert len(rows(source)) > len(before), "the service writes no more"
        assert left_on(source) != [], "what is written is not recorded"
        with lap("quiesced"):
            committed = quiesce(source)
        with lap("last image"):
            job = smc.waiting("job", "complete", "mig", "--last-sync", "--yes", "mig")
        nothing_stays(source)
    told(rig, job)
    # Both boot: the one taken while the service wrote, and that of the server at rest.
    for which, rest in ((1, before), (2, committed)):
        holds(rig, smc, tmp_path, job["images"][which]["id"], rest)


def told(rig: Rig, job: dict[str, Any]) -> None:
    """Check what is said of the three runs: how changes were told, what was sent."""
    assert job["status"] == "Finished"
    kinds = [image["consistency"] for image in job["images"]]
    assert kinds == ["frozen", "frozen", "stopped"], job["images"]
    full, live, last = job["runs"]
    ways = [run["change_detection"] for run in job["runs"]]
    assert ways == ["full comparison", "trace", "full comparison"], job["runs"]
    assert max(live["bytes_sent"], last["bytes_sent"]) * 10 < full["bytes_sent"]
    for run in (full, live):
        assert run["instant"]["method"] == "freeze", run
        rig.laps.taken.append(("of these frozen", run["instant"]["frozen_seconds"]))


def nothing_stays(server: Guest) -> None:
    """Wait until nothing is left on a server: a process takes its time to end there."""
    until = time.monotonic() + 60
    while left := left_on(server):
        assert time.monotonic() < until, left


def left_on(server: Guest) -> list[str]:
    """Return what of a job is in the server's kernel and among its processes."""
    records = server.run(["ls", "/sys/kernel/tracing/instances"]).split()
    # The reading program is told to python3 as a text: it has no file of its own.
    processes = server.run(["ps", "ax", "-o", "args="]).splitlines()
    return records + [args for args in processes if "python" in args and "ledger.py" not in args]


def imported(smc: Smc, source: Guest) -> None:
    """Import the server: its key is taken by its fingerprint, and not without."""
    way = ("--ssh", source.alias, "--ssh-config", source.ssh_config)
    said = smc("source", "import", "web01", *way, code=ExitCode.FAILED)
    assert said["error"]["code"] == "HostKey.NotAccepted"
    assert said["error"]["fingerprint"] == source.fingerprint
    found = smc("source", "import", "web01", *way, "--accept-key", source.fingerprint)
    assert [disk["path"] for disk in found["disks"]] == ["/dev/vda"]


def rows(server: Guest) -> str:
    """Return every row that is committed, a line each, in the order they were written."""
    return server.run(["sqlite3", LEDGER, "select id, at, note from entry order by id"])


def quiesce(server: Guest) -> str:
    """End what writes, lay the root file system to rest, and return the rows it holds."""
    server.run(["systemctl", "stop", "ledger", "nginx"])
    committed = rows(server)
    server.run(["journalctl", "--relinquish-var"])
    server.run(["mount", "-o", "remount,ro", "/"])
    return committed


def holds(rig: Rig, smc: Smc, folder: Path, image: str, committed: str) -> None:
    """Export an image, boot it, and compare its database with the rows that were committed."""
    file = folder / f"{image}.raw"
    with rig.laps.lap("exported"):
        smc("image", "export", image, file)
    with rig.booted(folder, file, f"target-{image}") as target:
        assert target.run(["sqlite3", LEDGER, "pragma integrity_check"]) == "ok\n"
        # The service writes there again, after the rows that came with the image.
        found = rows(target)
        assert found.startswith(committed)
        assert len(committed.splitlines()) > 10
        target.run(["python3", "-c", FETCH])
        target.power_off()
    file.unlink()  # large, and pytest keeps a test's folder


#: nginx serves its page, over there as it did here.
FETCH = """\
import urllib.request
assert urllib.request.urlopen("http://127.0.0.1/", timeout=60).status == 200
"""
