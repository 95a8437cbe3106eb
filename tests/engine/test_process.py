"""The engine as the command line starts it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smc_tui.jobstore import Home, JobStore

ROOT = Path(__file__).parents[2]
ENGINE = [sys.executable, "-m", "smc_tui.engine", "run"]


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home")


class Started:
    def __init__(self, home, *args):
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [*ENGINE, "--home", str(home.path), "--ready-fd", str(write), *args],
            cwd=ROOT,
            pass_fds=[write],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            self.answer = json.loads(answer.read())

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


def test_it_says_when_it_is_ready_and_ends_when_told(home):
    engine = Started(home)
    assert engine.answer == {"ready": True, "pid": engine.process.pid}
    with JobStore.open(home) as store:
        assert store.engine_alive()
        document = store.engine_document()
        assert document["status"] == "running"
        assert document["pid"] == engine.process.pid
    assert engine.end() == (0, "")
    assert not home.socket.exists()
    with JobStore.open(home) as store:
        assert store.engine_document()["status"] == "stopped"
        assert [event.action for event in store.events()] == ["engine started", "engine stopped"]


def test_ctrl_c_ends_it_in_good_order(home):
    assert Started(home).end(signal.SIGINT) == (0, "")


def test_a_second_one_is_refused_in_one_line(home):
    first = Started(home)
    second = Started(home)
    assert second.answer["error"]["code"] == "Engine.AlreadyRunning"
    _, errors = second.process.communicate(timeout=20)
    assert second.process.returncode == 1
    assert errors.startswith(f"Engine.AlreadyRunning: process {first.process.pid} serves")
    assert errors.count("\n") == 1
    assert first.end()[0] == 0


def test_a_killed_one_leaves_a_home_that_can_be_served(home):
    Started(home).end(signal.SIGKILL)
    with JobStore.open(home) as store:
        assert store.engine_document()["status"] == "died"
        assert not store.engine_alive()
    assert Started(home).end()[0] == 0


def test_a_newer_home_is_left_alone(home):
    JobStore.open(home).close()
    db = sqlite3.connect(home.jobs_db)
    db.execute("PRAGMA user_version = 99")
    db.close()
    engine = Started(home)
    assert engine.answer["error"]["code"] == "Home.Newer"
    engine.process.communicate(timeout=20)
    assert engine.process.returncode == 1


def test_a_damaged_job_store(home):
    home.prepare()
    home.jobs_db.write_bytes(b"this is no database" * 1000)
    engine = Started(home)
    assert engine.answer["error"]["code"] == "JobStore.Damaged"
    engine.process.communicate(timeout=20)
    assert engine.process.returncode == 8
    assert "JobStore.Damaged" in home.log.read_text()


@pytest.mark.parametrize("factor", ["0", "-1", "fast", "1e9"])
def test_a_time_lapse_that_is_none(home, factor):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "smc_tui.engine",
            "run",
            "--home",
            home.path,
            "--time-lapse",
            factor,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert not home.path.exists()


def test_time_goes_on_from_where_it_was(home):
    engine = Started(home, "--time-lapse", "100000")
    time.sleep(0.2)
    engine.end()
    with JobStore.open(home) as store:
        last = store.engine().clock_now
    assert last > time.time() + 5000
    engine = Started(home)
    with JobStore.open(home) as store:
        assert store.engine().started >= last
    engine.end()


def test_it_is_small_and_quiet(home):
    """Under 100 MiB and next to no CPU while nothing is to be done."""
    engine = Started(home)
    pid = engine.process.pid

    def cpu():
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = cpu()
    time.sleep(1.0)
    assert cpu() - before <= 0.02
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(line for line in status if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 100 * 1024
    engine.end()
