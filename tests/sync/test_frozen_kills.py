"""kill -9 within a freeze, whoever it hits: the server goes on in less than two seconds."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from tests.support.processes import until
from tests.support.records import INSTANCES
from tests.support.sshd import SSHD, Sshd
from tests.sync.test_kills import kill, victims
from tests.sync.test_watch import a_server, in_its_freeze, longest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for loop devices and mounts"),
    pytest.mark.skipif(not INSTANCES.is_dir(), reason="needs tracefs"),
    pytest.mark.skipif(SSHD is None, reason="no sshd here"),
]

#: Freezes that may be over before they are seen.
TRIES = 10


@pytest.fixture
def reached(tmp_path):
    """A disk in use, reached over ssh, and the sshd."""
    sshd = Sshd.prepare(tmp_path / "sshd")
    try:
        with a_server(tmp_path) as server:
            server.job.ssh = {"target": "source", "port": None, "config": str(sshd.config)}
            server.job.survey(sshd.fingerprint)
            yield server, sshd
    finally:
        sshd.stop()


def holders(folder: Path) -> list[Path]:
    """Return what is open right at a mount's top, as the one that would thaw it has it."""
    found = []
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if handle.readlink() == folder:
                found.append(handle)
    return found


@pytest.mark.parametrize("victim", ["ssh", "sshd", "agent", "sync", "engine"])
def test_nobodys_end_keeps_the_server_frozen(reached, victim, tmp_path):
    server, sshd = reached
    with server.writing() as took:
        until(lambda: took)
        for _ in range(TRIES):
            run = server.job.start()
            until(lambda run=run: victims(run, "agent", sshd))
            hit = in_its_freeze(victims(run, "agent", sshd)) is not None
            if hit:
                since = time.monotonic()
                if victim == "engine":
                    run.process.stdin.close()  # all that a worker sees of its engine's end
                else:
                    kill(run, victim, sshd)
            run.last()
            if hit:
                break
        assert hit, "no freeze was ever seen"
        before = len(took)
        until(lambda: len(took) > before + 10)
    assert longest(took, since) < 2.0
    until(lambda: not holders(server.folder))
    # The next contact leaves nothing behind but its own record, and believes no other.
    result = server.job.result()
    assert result["image"]["consistency"] == "frozen"
    assert len(server.instances()) == 1
    server.files(result["image"]["id"], tmp_path / "out")
