"""Image after image of disks that are written to throughout: each one is of one instant.

Four writers and a database are at work on an ext4 and on an XFS file system. Of every
image the checkers, the database and each page of the writers' files must agree that
it was taken at one instant, and everything committed before the freeze is in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.disks import lacking
from tests.live.freezing import FreezeWitness

pytestmark = [
    pytest.mark.skipif(bool(lacking("ext4", "xfs")), reason=lacking("ext4", "xfs")),
    pytest.mark.skipif(bool(FreezeWitness.lacking()), reason=FreezeWitness.lacking()),
]
KINDS = ("ext4", "xfs")
#: The watchdog's: longer is nothing frozen, whatever happens.
LONGEST_MS = 2000.0


def lanes(folder: Path, count: int) -> dict[str, dict[str, Any]]:
    """Do so many rounds on each kind of file system, side by side."""
    processes = {}
    try:
        for kind in KINDS:
            (folder / kind).mkdir()
            words = ["-m", "tests.live.lane", kind, str(count), str(folder / kind)]
            processes[kind] = subprocess.Popen(
                [sys.executable, *words],
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
            )
        told = {kind: process.communicate()[0] for kind, process in processes.items()}
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
                process.communicate()
    assert all(process.returncode == 0 for process in processes.values())
    return {kind: json.loads(text.splitlines()[-1]) for kind, text in told.items()}


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
    for figures in lanes(tmp_path, 100).values():
        hold(figures, 100)


@pytest.mark.soak
def test_1000_images_of_disks_at_work_are_each_of_one_instant(tmp_path):
    for figures in lanes(tmp_path, 500).values():
        hold(figures, 500)
        frozen = figures["frozen_ms"]
        assert (frozen["50"] <= 100, frozen["95"] <= 250, frozen["100"] <= 1000) == (True,) * 3
