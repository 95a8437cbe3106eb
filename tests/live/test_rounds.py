"""Image after image of disks that are written to throughout: each one is of one instant.

Four writers and a database are at work on an ext4 and on an XFS file system. Of every
image the checkers, the database and each page of the writers' files must agree that
it was taken at one instant, and everything committed before the freeze is in it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.live.disks import lacking, lacking_unqueued
from tests.live.freezing import FreezeWitness

pytestmark = [
    pytest.mark.skipif(bool(lacking("ext4", "xfs")), reason=lacking("ext4", "xfs")),
    pytest.mark.skipif(bool(FreezeWitness.lacking()), reason=FreezeWitness.lacking()),
]
KINDS = ("ext4", "xfs")
#: The watchdog's: longer is nothing frozen, whatever happens.
LONGEST_MS = 2000.0


@contextlib.contextmanager
def lane(kind: str, folder: Path, count: int, megabytes: float) -> Iterator[Popen[str]]:
    """Do so many rounds on one kind of file system, beside whatever else is done."""
    folder.mkdir()
    words = ["-m", "tests.live.lane", kind, str(count), str(folder), str(megabytes)]
    root = Path(__file__).parents[2]
    process = Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, cwd=root)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate()


def figures(process: Popen[str]) -> dict[str, Any]:
    """Return what a lane says in the end."""
    told = process.communicate()[0]
    assert process.returncode == 0
    return dict(json.loads(told.splitlines()[-1]))


def hold(figures: dict[str, Any], count: int) -> None:
    """Assert what holds of any number of rounds."""
    print(figures["summary"])
    assert figures["failures"] == []
    assert figures["consistencies"] == {"frozen": count}
    assert figures["frozen_ms"]["100"] < LONGEST_MS
    assert figures["rows"] > count, "the database was at work between any two images"
    assert all(turns > count for turns in figures["turns"].values())


@pytest.mark.root
def test_200_images_of_disks_at_work_are_each_of_one_instant(tmp_path):
    with contextlib.ExitStack() as held:
        lanes = [held.enter_context(lane(kind, tmp_path / kind, 100, 5)) for kind in KINDS]
        for process in lanes:
            hold(figures(process), 100)


@pytest.mark.root
@pytest.mark.skipif(bool(lacking_unqueued()), reason=lacking_unqueued())
def test_40_images_of_a_disk_without_queues_are_each_of_one_instant(tmp_path):
    with lane("unqueued", tmp_path / "disk", 40, 20) as process:
        hold(figures(process), 40)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_500_images_of_a_disk_that_50_MB_a_second_are_written_to(kind, tmp_path):
    with lane(kind, tmp_path / kind, 500, 50) as process:
        found = figures(process)
    hold(found, 500)
    frozen = found["frozen_ms"]
    assert (frozen["50"] <= 100, frozen["95"] <= 250, frozen["100"] <= 1000) == (True,) * 3
