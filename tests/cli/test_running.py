"""A run under way: pause, go on, cancel, time-outs, a killed engine, ^C."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from smc_tui.model.catalogue import ExitCode
from tests.cli.conftest import Cli, Spawn, end_engine
from tests.cli.test_migration import equal


def faster(smc: Cli) -> None:
    """Take the limit off a running transfer."""
    assert smc.json("job", "modify", "mig", "--limit", "0")["limit_mbit"] == 0


def test_pause_and_go_on(smc: Cli, large_disk: Path, tmp_path: Path) -> None:
    smc.slow_job(large_disk)
    paused = smc.json("job", "pause", "mig", "--wait")
    assert (paused["status"], paused["phase"]) == ("Stopped", None)
    assert paused["intermediate"]["held"] is True
    assert "Paused" in smc("job", "list").out
    said = smc("job", "pause", "mig", "--json")
    assert said.code == ExitCode.NOT_ALLOWED
    faster(smc)
    job = smc.json("job", "start", "mig", "--wait")
    assert job["status"] == "Waiting"
    assert len(job["runs"]) == 1
    assert equal(smc, job["images"][-1]["id"], large_disk, tmp_path)


def test_a_limit_changed_acts_on_a_running_transfer(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    faster(smc)
    assert smc.json("job", "wait", "mig", "--timeout", "20")["status"] == "Waiting"


def test_cancel_stops_first_and_leaves_the_source(smc: Cli, large_disk: Path) -> None:
    job = smc.slow_job(large_disk)
    gone = smc.json("job", "cancel", "mig", "--yes", "mig", "--wait")
    assert (gone["id"], gone["deleted"]) == (job["id"], True)
    assert smc.json("job", "list") == []
    assert not (smc.home / "staging" / job["id"]).exists()
    assert smc.json("source", "show", "web01")["status"] == "Available"
    smc.json("job", "create", "web01", "--name", "mig")


def test_waiting_for_the_end_of_a_job_that_is_deleted(
    smc: Cli, large_disk: Path, spawn: Spawn
) -> None:
    smc.slow_job(large_disk)
    waiting = [spawn("job", "wait", "mig", "--for", each) for each in ("Waiting", "Deleting")]
    for process in waiting:
        assert process.stderr.readline().startswith("mig: Syncing")
    smc.json("job", "cancel", "mig", "--yes", "mig", "--wait")
    assert waiting[0].wait(30) == ExitCode.NO_SUCH_OBJECT
    assert waiting[1].wait(30) == 0


def test_a_command_whose_job_is_cancelled_meanwhile_says_so(
    smc: Cli, large_disk: Path, spawn: Spawn
) -> None:
    smc.imported(large_disk)
    options = ("--name", "mig", "--limit", "8", "--compression", "0", "--wait", "--json")
    waiting = spawn("job", "create", "web01", *options)
    assert waiting.stderr.readline().startswith("mig: ")
    smc.json("job", "cancel", "mig", "--yes", "mig", "--wait")
    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == ExitCode.FAILED
    assert json.loads(out)["error"]["code"] == "ReplicationJob.Cancelled"


def test_a_timeout_leaves_the_migration_going_on(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    said = smc("job", "wait", "mig", "--timeout", "0.2", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.TIMED_OUT, "Request.TimedOut")
    assert smc.json("job", "show", "mig")["status"] == "Running"


def test_an_interrupt_leaves_the_migration_going_on(
    smc: Cli, large_disk: Path, spawn: Spawn
) -> None:
    smc.imported(large_disk)
    options = ("--name", "mig", "--limit", "8", "--compression", "0", "--wait", "--json")
    waiting = spawn("job", "create", "web01", *options)
    assert waiting.stderr.readline().startswith("mig: ")
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "goes on in the engine" in err
    assert "Traceback" not in err
    assert '"Command.Interrupted"' in out
    assert smc.json("job", "show", "mig")["status"] == "Running"


def test_no_final_verb_without_the_name(smc: Cli, large_disk: Path) -> None:
    smc.slow_job(large_disk)
    for yes in ((), ("--yes", "Mig"), ("--yes", ""), ("--no-input",)):
        said = smc("job", "cancel", "mig", *yes, "--json")
        assert (said.code, said.error["code"]) == (
            ExitCode.USAGE, "InvalidParameter.Confirmation",
        )  # fmt: skip
    assert "--yes mig" in smc("job", "cancel", "mig").err
    assert smc.json("job", "show", "mig")["pending"] is None
    # Nobody is made to type a name for what is refused anyway.
    said = smc("job", "complete", "mig", "--json")
    assert said.code == ExitCode.NOT_ALLOWED
    assert said.error["status"] == "Running"


def test_an_engine_killed_in_the_middle(smc: Cli, large_disk: Path, tmp_path: Path) -> None:
    before = smc.slow_job(large_disk)
    end_engine(smc.home, signal.SIGKILL)
    # Reading needs no engine.
    assert smc.json("job", "show", "mig")["status"] == "Running"
    said = smc("job", "wait", "mig", "--no-start", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NO_ENGINE, "Engine.NotReachable")
    # A verb that changes starts the next one, which goes on with the same run.
    faster(smc)
    job = smc.json("job", "wait", "mig", "--timeout", "30")
    assert (job["status"], [run["id"] for run in job["runs"]]) == ("Waiting", [before["run_id"]])
    assert equal(smc, job["images"][-1]["id"], large_disk, tmp_path)


def test_an_engine_killed_while_a_command_waits(smc: Cli, large_disk: Path, spawn: Spawn) -> None:
    smc.imported(large_disk)
    options = ("--name", "mig", "--limit", "8", "--compression", "0", "--wait")
    waiting = spawn("job", "create", "web01", *options)
    assert waiting.stderr.readline().startswith("mig: ")
    end_engine(smc.home, signal.SIGKILL)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == ExitCode.NO_ENGINE
    assert err.splitlines()[-1].startswith("Engine.NotReachable: ")


def test_the_engine_stopped_and_started_goes_on(smc: Cli, large_disk: Path) -> None:
    before = smc.slow_job(large_disk)
    smc.json("engine", "stop")
    assert smc.json("job", "show", "mig")["status"] == "Running"
    smc.json("engine", "start")
    faster(smc)
    job = smc.json("job", "wait", "mig", "--timeout", "30")
    assert [run["id"] for run in job["runs"]] == [before["run_id"]]


def test_a_failed_run_says_why_and_is_retried(smc: Cli, disk: Path, tmp_path: Path) -> None:
    smc.migrated(disk)
    away = disk.with_suffix(".away")
    disk.rename(away)
    said = smc("job", "sync", "mig", "--wait", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Disk.NotFound")
    assert said.error["job"]["status"] == "InError"
    said = smc("job", "wait", "mig", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.FAILED, "Disk.NotFound")
    assert smc.json("job", "wait", "mig", "--for", "InError")["error"]["code"] == "Disk.NotFound"
    shown = smc("job", "show", "mig").out
    assert "Disk.NotFound" in shown
    assert "retry" in shown
    away.rename(disk)
    job = smc.json("job", "retry", "mig", "--wait")
    assert (job["status"], job["error"]) == ("Waiting", None)
    assert equal(smc, job["images"][-1]["id"], disk, tmp_path)


def test_release_then_retry_starts_anew(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    smc.json("job", "pause", "mig", "--wait")
    released = smc.json("job", "release", "mig", "--yes", "mig")
    assert released["intermediate"] is None
    assert smc.json("job", "start", "mig", "--wait")["status"] == "Waiting"
