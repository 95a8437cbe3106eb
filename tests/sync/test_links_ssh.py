"""Links over a real sshd that break in the middle: one run, one image."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from smc_tui.model.geometry import segments_of
from smc_tui.sync.transfer import WINDOW
from tests.support.disks import MIB, make_disk
from tests.support.processes import processes
from tests.support.runs import Job, image_equals
from tests.support.sshd import SSHD, Sshd
from tests.sync.test_kills import AGENT, kill

pytestmark = [
    pytest.mark.sshd,
    pytest.mark.skipif(SSHD is None, reason="no sshd on this machine: install openssh-server"),
]

SIZE = 96 * MIB
RETRY = {"attempts": 6, "first": 0.5, "longest": 2}


@pytest.fixture
def server(tmp_path):
    server = Sshd.prepare(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def job(tmp_path, server):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    facts = {"target": "source", "port": None, "config": str(server.config)}
    job = Job(home, [make_disk(tmp_path / "disk", SIZE)], ssh=facts)
    job.survey(server.fingerprint)
    return job


def total_of(job, tmp_path):
    """Return what a run that nothing happens to sends."""
    other = Job(tmp_path / "other", job.paths)
    other.home.mkdir()
    return other.result()["bytes_sent"]


def sent_more(run, than):
    """Read a run's lines until it has sent so much more and its link is there."""
    while (line := run.line()) is not None:
        if line.get("sent", 0) >= than and "retry" not in line:
            return line
        assert line["kind"] in ("progress", "event"), line
    raise AssertionError(run.lines[-1:])


def ended_well(job, run, total):
    last = run.last()
    assert last["kind"] == "result", last
    assert image_equals(job, run.image, 0, job.paths[0])
    assert last["image"]["consistency"] == "stopped"
    assert last["bytes_compared"] == SIZE
    assert last["bytes_sent"] <= total + 4 * MIB * last["links"], "only what was on its way"
    assert last["scans"] <= segments_of(SIZE) + WINDOW * (last["links"] - 1)
    with job.store() as store:
        assert store.images() == [run.image]
        assert store.check().found == 0
    return last


@pytest.mark.parametrize("victim", ["ssh", "sshd", "agent"])
def test_a_link_killed_again_and_again(job, tmp_path, server, victim):
    total = total_of(job, tmp_path)
    run = job.start(limit_mbit=100, retry=RETRY)
    for part in range(1, 5):
        sent_more(run, total * part // 6)
        kill(run, victim, server)
        while "retry" not in (run.line() or {"retry": "the run ended"}):
            pass
    last = ended_well(job, run, total)
    assert last["links"] == 5
    told = [line["text"] for line in run.lines if line["kind"] == "event"]
    assert len([text for text in told if text.startswith("link lost (")]) == 4
    assert all("(attempt 1 of 6)" in text for text in told if "trying again" in text)


def test_a_server_that_is_away_for_some_seconds(job, tmp_path, server):
    """Its refusals are attempts like others; progress gives them back."""
    total = total_of(job, tmp_path)
    run = job.start(limit_mbit=400, retry=RETRY)
    sent_more(run, total // 3)
    server.stop()
    while (line := run.line()) is not None and (line.get("retry") or {}).get("attempt", 0) < 3:
        pass
    server.start()
    last = ended_well(job, run, total)
    assert last["links"] == 2
    codes = [line["retry"]["code"] for line in run.lines if line.get("retry")]
    assert codes[0] == "Link.Lost"
    assert set(codes[1:]) == {"SourceServer.Offline"}


def test_a_server_that_stays_away(job, tmp_path, server):
    total = total_of(job, tmp_path)
    run = job.start(limit_mbit=400, retry={"attempts": 3, "first": 0.1, "longest": 1})
    sent_more(run, total // 3)
    server.stop()
    last = run.last()
    assert last["code"] == "Link.Lost"
    assert last["facts"]["attempts"] == 3
    sent = max(line.get("sent", 0) for line in run.lines)
    server.start()
    again = job.result()
    assert again["bytes_sent"] <= total - sent
    assert image_equals(job, "m-00000002", 0, job.paths[0])


def test_packets_that_are_dropped_are_noticed_in_bounded_time(job, tmp_path, server):
    """The connection stays open and nothing comes: ssh's keep-alives tell."""
    total = total_of(job, tmp_path)
    run = job.start(limit_mbit=100, retry=RETRY)
    sent_more(run, total // 4)
    assert server.process is not None
    frozen = processes("sshd: ", server.process.pid) + processes(AGENT, server.process.pid)
    assert frozen
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        while "retry" not in (run.line() or {"retry": "the run ended"}):
            pass
        assert 5 < time.monotonic() - began < 40
        run.tell({"do": "limit", "mbit": 0})
        last = ended_well(job, run, total)
        assert last["links"] == 2
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_pause_while_packets_are_dropped(job, tmp_path, server):
    run = job.start(limit_mbit=100, retry=RETRY)
    sent_more(run, 8 * MIB)
    assert server.process is not None
    frozen = processes("sshd: ", server.process.pid)
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        run.tell({"do": "pause"})
        assert run.last()["kind"] == "paused"
        assert time.monotonic() - began < 30
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
