"""The rig itself: its servers do what servers do, and a failure leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.vm.disk import build
from tests.vm.guest import Guest
from tests.vm.rig import Rig
from tests.vm.tree import LEDGER

pytestmark = pytest.mark.vm


def test_a_server_of_two_file_systems_writes_and_ends(rig: Rig, tmp_path: Path) -> None:
    with rig.booted(tmp_path, rig.disk("xfs"), "xfs") as server:
        found = json.loads(server.run(["findmnt", "--json", "--real", "-o", "TARGET,FSTYPE"]))
        (root,) = found["filesystems"]
        kinds = {root["target"]: root["fstype"]}
        kinds |= {each["target"]: each["fstype"] for each in root["children"]}
        assert (kinds["/"], kinds["/boot"]) == ("xfs", "ext4")
        assert server.qmp("query-status")["status"] == "running"
        assert server.agent("guest-get-host-name")["host-name"] == "src-web-01"
        assert rows(server) < rows(server)
        pid = int(server.pid_file.read_text())
        server.power_off()
    assert not Path(f"/proc/{pid}").exists()
    assert not server.pid_file.exists()


def rows(server: Guest) -> int:
    """Return how many rows the service has committed, once it has committed one more."""
    wait = (
        "import sqlite3, time\n"
        f"db = sqlite3.connect({LEDGER!r})\n"
        "def count(): return db.execute('select count(*) from entry').fetchone()[0]\n"
        "first = count()\n"
        "while count() == first: time.sleep(0.05)\n"
        "print(count())\n"
    )
    return int(server.run(["python3", "-c", wait]))


def test_a_machine_that_cannot_start_says_why(rig: Rig, tmp_path: Path) -> None:
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(b"no disk at all")
    server = Guest(tmp_path, broken, rig.key, rig.tree)
    with pytest.raises(AssertionError, match="not in qcow2 format"), server:
        pass
    assert not server.pid_file.exists()


def test_a_disk_that_fails_leaves_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    failing = programs / "extlinux"
    failing.write_text("#!/bin/sh\nfindmnt --noheadings --output SOURCE,TARGET\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    folder = tmp_path / "disks"
    folder.mkdir()
    with pytest.raises(AssertionError) as failed:
        build(folder, rig.tree, rig.key.with_suffix(".pub"), "xfs")
    assert str(folder) in str(failed.value), "nothing was mounted when it failed"
    assert list(folder.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    devices = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) not in devices.stdout
