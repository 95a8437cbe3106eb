"""Memory stays small whatever the disk's size: a sparse disk of 1 TiB over SSH."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.disks import MIB
from tests.support.runs import Job
from tests.support.sshd import SSHD, Sshd

TIB = 1 << 40
GIB = 1 << 30

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
]


def peak(pid: int) -> int:
    """Return the most memory a process has used so far, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def test_a_disk_of_one_tebibyte(tmp_path):
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(TIB)
        for step in range(200):
            file.seek(step * 5 * GIB)
            file.write(os.urandom(MIB))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = Sshd.prepare(tmp_path / "sshd")
    try:
        job = Job(
            home, [disk], ssh={"target": "source", "port": None, "config": str(server.config)}
        )
        job.survey(server.fingerprint)
        for kind in ("Full", "Manual"):
            run = job.start(kind=kind, full_comparison=True)
            most = 0
            while (line := run.line()) is not None and line["kind"] == "progress":
                most = max(most, peak(run.process.pid))
            result = run.last()
            assert result["kind"] == "result"
            assert most < 300 * MIB
            assert result["footprint"]["most_memory"] < 150 * MIB
            assert result["footprint"]["bytes_read"] == 200 * MIB, "holes are not read"
        assert result["bytes_sent"] == 0
        assert result["bytes_wire"] < TIB // 10_000
    finally:
        server.stop()
