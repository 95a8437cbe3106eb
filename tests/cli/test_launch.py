"""One engine a home: started when needed, by whoever comes first."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from smc_tui.cli import launch
from smc_tui.jobstore import Home
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from tests.cli.conftest import Cli, Spawn, end_engine


def test_start_status_stop(smc: Cli) -> None:
    said = smc("engine", "status", "--json")
    assert (said.code, said.document["status"]) == (ExitCode.NO_ENGINE, "stopped")
    begun = smc.json("engine", "start")
    assert (begun["status"], begun["pid"]) == ("running", smc.engine())
    assert smc.json("engine", "start")["pid"] == begun["pid"]
    assert smc.json("engine", "status")["pid"] == begun["pid"]
    assert smc.json("engine", "stop")["status"] == "stopped"
    assert smc.engine() is None
    assert smc("engine", "stop").code == 0


def test_the_engine_belongs_to_no_terminal(smc: Cli) -> None:
    pid = smc.json("engine", "start")["pid"]
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path("/dev/null")
    assert Path(f"/proc/{pid}/fd/2").readlink() == smc.home / "engine.log"


def test_no_start_forbids_it(smc: Cli, disk: Path) -> None:
    said = smc("source", "import", "web01", "--local", disk, "--no-start", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NO_ENGINE, "Engine.NotReachable")
    assert not (smc.home / "engine.lock").exists()
    smc.json("engine", "start")
    assert smc("source", "import", "web01", "--local", disk, "--no-start").code == 0


def test_two_commands_at_once_get_one_engine(smc: Cli, spawn: Spawn) -> None:
    both = [spawn("engine", "start", "--json") for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert all(f'"pid": {smc.engine()},' in out for out, _ in said)


def test_a_second_engine_in_the_foreground_is_refused(smc: Cli, spawn: Spawn) -> None:
    smc.json("engine", "start")
    second = spawn("engine", "run")
    _, err = second.communicate(timeout=60)
    assert second.returncode == ExitCode.FAILED
    assert err.startswith("Engine.AlreadyRunning: ")
    assert len(err.splitlines()) == 1


def test_an_engine_in_the_foreground_serves_and_ends_when_told(smc: Cli, spawn: Spawn) -> None:
    engine = spawn("engine", "run", "--time-lapse", "60")
    while smc.engine() is None:
        assert engine.poll() is None, engine.communicate()
    assert smc.json("engine", "start")["pid"] == engine.pid
    assert smc.json("engine", "status")["time_lapse"] == 60
    engine.send_signal(signal.SIGINT)
    assert engine.wait(30) == 0


def test_another_clock_than_the_running_one_is_refused(smc: Cli) -> None:
    smc.json("engine", "start", "--time-lapse", "10")
    assert smc("engine", "start", "--time-lapse", "10").code == 0
    said = smc("engine", "start", "--time-lapse", "20", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Engine.AlreadyRunning")


def test_an_engine_killed_is_said_to_have_died_and_is_followed_by_another(smc: Cli) -> None:
    first = smc.json("engine", "start")["pid"]
    end_engine(smc.home, signal.SIGKILL)
    said = smc("engine", "status", "--json")
    assert (said.code, said.document["status"]) == (ExitCode.NO_ENGINE, "died")
    assert "unexpectedly" in smc("engine", "status").out
    assert smc.json("engine", "start")["pid"] != first


def test_an_engine_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    code = "import sys; print('no module of that name', file=sys.stderr); sys.exit(1)"
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(SmcError) as caught:
        launch.start(home)
    assert caught.value.code == "Engine.NotStarted"
    assert caught.value.detail == "no module of that name"
    assert caught.value.exit_code is ExitCode.NO_ENGINE


def test_an_engine_that_never_gets_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # It ends by itself: nobody closes the pipe that keeps it.
    code = "import os, select; select.select([], [], [], 3)"
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(SmcError) as caught:
        launch.start(Home(tmp_path / "home"), timeout=0.3)
    assert caught.value.code == "Engine.NotStarted"


def test_an_engine_is_found_by_what_runs_it_not_by_the_folder(
    smc: Cli, spawn: Spawn, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(launch.__file__).parents[2])}
    started = spawn("engine", "start", cwd=tmp_path, env=environment)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, out + err
