"""Runs that cannot even begin: each says why in its last line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.disks import MIB, make_disk
from tests.support.runs import Job


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", ""])
def test_a_description_that_is_none(text):
    ended = subprocess.run(
        [sys.executable, "-m", "smc_tui.sync"], input=f"{text}\n", capture_output=True, text=True
    )
    assert ended.returncode == 1
    last = json.loads(ended.stdout)
    assert (last["kind"], last["code"]) == ("error", "Sync.Failed")
    assert last["detail"]
    assert "Traceback" in ended.stderr  # for the run's log


def test_a_disk_that_is_there_and_cannot_be_opened(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    job = Job(home, [make_disk(tmp_path / "disk", 4 * MIB)])
    job.result()
    job.paths[0].unlink()
    job.paths[0].symlink_to(job.paths[0])
    last = job.run()
    assert (last["kind"], last["code"]) == ("error", "Disk.ReadFailed")
    assert str(job.paths[0]) in last["detail"]
