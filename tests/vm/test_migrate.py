"""A running server, migrated over SSH by the command line; what was exported boots and is whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.vm.guest import Guest
from tests.vm.rig import Rig
from tests.vm.smc import Smc
from tests.vm.tree import LEDGER

pytestmark = pytest.mark.vm

SETTINGS = ("--start", "now", "--drill", "before")


def test_a_running_server_is_migrated(rig: Rig, image: Path, smc: Smc, tmp_path: Path) -> None:
    lap = rig.laps.lap
    with rig.booted(tmp_path, image, "source") as source:
        with lap("imported"):
            found = smc.imports("web01", source)
        assert [disk["path"] for disk in found["disks"]] == ["/dev/vda"]
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
