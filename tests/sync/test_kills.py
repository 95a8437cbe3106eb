"""kill -9 at random moments: published images verify, and nothing is sent twice."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess

import pytest

from tests.support.disks import MIB, change_disk, make_disk
from tests.support.processes import processes
from tests.support.runs import Job, Run, image_equals
from tests.support.sshd import SSHD, Sshd

SIZE = 96 * MIB
AGENT = "i=sys.stdin.buffer"


def victims(run: Run, victim: str, server: Sshd | None) -> list[int]:
    """Return the processes of this run (or of the server's sessions) to be killed."""
    here = run.process.pid
    there = server.process.pid if server else here
    match victim:
        case "sync":
            return [here]
        case "agent":
            return processes(AGENT, there)
        case "ssh":
            return processes("HostKeyAlias=", here)
        case _:
            return processes("sshd: ", there)


def kill(run: Run, victim: str, server: Sshd | None = None) -> None:
    for pid in victims(run, victim, server):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_a_random_while(run: Run, longest: float, chance: random.Random) -> None:
    """Return after a random time, or when the run has ended by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.process.wait(chance.uniform(0, longest))


def rounds_of_kills(
    job: Job, victim: str, count: int, seed: int, server: Sshd | None = None
) -> None:
    """Change the disk, run, kill, and prove everything, so many times."""
    chance = random.Random(seed)
    published = set()
    for turn in range(count):
        change_disk(job.paths[0], 200, seed=seed * 1000 + turn)
        run = job.start(kind="Manual")
        wait_a_random_while(run, 1.2, chance)
        kill(run, victim, server)
        last = run.last()
        assert last.get("kind") in (None, "error", "result"), last
        if last.get("kind") == "error":
            assert last["code"] in ("Link.Lost", "Agent.Died", "SourceServer.Offline"), last
        with job.store() as store:
            images = set(store.images())
            assert published <= images, "a published image is gone"
            for image in images - published:
                assert store.verify(image).ok
            published = images
        if last.get("kind") == "result":
            assert run.image in published
    final = job.result()
    assert image_equals(job, f"m-{job.count:08x}", 0, job.paths[0])
    with job.store() as store:
        assert store.check().found == 0
        assert all(store.verify(image).ok for image in store.images())
    assert final["bytes_sent"] <= 200 * 65536 * count


@pytest.fixture
def job(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Job(home, [make_disk(tmp_path / "disk", SIZE)])


@pytest.mark.parametrize(("victim", "seed"), [("sync", 1), ("agent", 2)])
def test_kills_at_random_moments(job, victim, seed):
    rounds_of_kills(job, victim, 20, seed)


@pytest.mark.sshd
@pytest.mark.skipif(SSHD is None, reason="no sshd here")
@pytest.mark.parametrize(("victim", "seed"), [("ssh", 3), ("sshd", 4), ("agent", 5), ("sync", 6)])
def test_kills_at_random_moments_over_ssh(job, tmp_path, victim, seed):
    server = Sshd.prepare(tmp_path / "sshd")
    try:
        job.ssh = {"target": "source", "port": None, "config": str(server.config)}
        job.survey(server.fingerprint)
        rounds_of_kills(job, victim, 8, seed, server)
    finally:
        server.stop()


@pytest.mark.parametrize("victim", ["sync", "agent"])
def test_a_retry_sends_only_what_had_not_arrived(job, victim, tmp_path):
    other = Job(tmp_path / "other", job.paths)
    other.home.mkdir()
    total = other.result()["bytes_sent"]
    shutil.rmtree(other.home)
    run = job.start(limit_mbit=800)
    while (line := run.line())["sent"] < total // 2:
        pass
    kill(run, victim)
    run.last()
    sent = max(seen.get("sent", 0) for seen in run.lines)
    again = job.result()
    assert sent >= line["sent"]
    assert again["bytes_sent"] <= total - sent
    assert image_equals(job, "m-00000002", 0, job.paths[0])
