"""What is known of a job: actions, errors, history, report, and what it holds."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.actions import ACTIONS, Subject
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.options import Config
from smc_tui.model.things import Resource, ResourceState
from smc_tui.model.units import GIB
from tests.cli.conftest import Cli, change, end_engine

HELD = "No_Delete_SMC_Transition_Instance"


def failed(smc: Cli, disk: Path) -> Path:
    """Bring a job into an error: its disk is gone. Return where that now is."""
    smc.migrated(disk)
    away = disk.with_suffix(".away")
    disk.rename(away)
    assert smc("job", "sync", "mig", "--wait").code == ExitCode.FAILED
    return away


def test_actions_are_all_there_with_what_they_would_do(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    rows = {row["id"]: row for row in smc.json("job", "actions", "mig")["actions"]}
    assert set(rows) == {str(row.id) for row in ACTIONS.values() if row.subject is Subject.JOB}
    assert rows["sync"]["offered"]
    assert rows["sync"]["reason"] is None
    assert not rows["retry"]["offered"]
    assert "allowed:" in rows["retry"]["reason"]
    assert rows["cancel"]["friction"] == "type the name"
    assert HELD in "".join(rows["cancel"]["consequences"]["goes"])
    shown = smc("job", "actions", "mig").out
    assert "Complete Incremental Synchronization (type the name)\n" in shown
    assert "\n  smc-tui job complete mig\n" in shown, "alone on its line, to be copied"
    assert "\n  smc-tui job report mig\n" in shown
    assert "only InError, Paused\n" in shown, "in the words of every other page"
    assert "Goes:" in shown
    assert "NOT NOW" in shown


def test_a_refusal_names_the_job_in_its_next_step(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    said = smc("job", "retry", "mig", "--json")
    assert said.error["next_step"] == "see smc-tui job show mig"
    assert said.err.strip().endswith("Next: see smc-tui job show mig")


def test_errors_of_a_job_without_any(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    told = smc.json("job", "errors", "mig")
    assert told["error"] is None
    assert told["earlier"] == told["log"] == []
    assert "No error" in smc("job", "errors", "mig").out


def test_errors_say_what_is_safe_what_to_do_and_what_the_log_said(smc: Cli, disk: Path) -> None:
    away = failed(smc, disk)
    job = smc.json("job", "show", "mig")
    log = smc.home / "logs" / job["id"] / f"{job['runs'][-1]['id']}.log"
    with log.open("a") as file:
        file.write("\x1b[2J\x1b]0;owned\x07 the last words\n")
    told = smc.json("job", "errors", "mig")
    assert told["error"]["code"] == "Disk.NotFound"
    assert all(told["error"][key] for key in ("cause", "safe", "next_step", "resumes"))
    assert "smc-tui source show web01" in told["error"]["next_step"]
    assert told["error"]["commands"] == ["smc-tui source show web01", "smc-tui job retry mig"]
    assert "the staging area is kept" in told["error"]["resumes"]
    assert told["run"]["id"] == job["runs"][-1]["id"]
    assert told["log"][-1].endswith("the last words")
    shown = smc("job", "errors", "mig").out
    assert "\x1b" not in shown
    for part in ("Disk.NotFound", "smc-tui job retry mig", "the last words", "Cause"):
        assert part in shown
    assert "smc-tui job errors mig" in smc("job", "show", "mig").out
    # Another failure, then none: the earlier ones stay in one line each.
    assert smc("job", "retry", "mig", "--wait").code == ExitCode.FAILED
    assert [each["code"] for each in smc.json("job", "errors", "mig")["earlier"]] == [
        "Disk.NotFound"
    ]
    away.rename(disk)
    smc.json("job", "retry", "mig", "--wait")
    told = smc.json("job", "errors", "mig")
    assert told["error"] is None
    assert len(told["earlier"]) == 2
    assert "EARLIER" in smc("job", "errors", "mig").out


def test_errors_after_a_release_say_that_a_retry_starts_again(smc: Cli, disk: Path) -> None:
    failed(smc, disk)
    smc.json("resource", "release", "mig", "--yes", "mig")
    assert smc.json("job", "errors", "mig")["error"]["resumes"].startswith("starts again")
    rows = {row["id"]: row for row in smc.json("job", "actions", "mig")["actions"]}
    assert rows["retry"]["consequences"]["resumes"].startswith("starts again")


def test_a_damaged_image_is_among_the_errors(smc: Cli, disk: Path) -> None:
    image = smc.migrated(disk)["images"][-1]
    end_engine(smc.home)
    (manifest,) = (smc.home / "images").rglob(f"{image['id']}*")
    shutil.rmtree(manifest) if manifest.is_dir() else manifest.unlink()
    smc("engine", "start")
    (damaged,) = smc.json("job", "errors", "mig")["images_damaged"]
    assert damaged["error"]["code"] == "Image.NotFound"
    assert "Damaged" in smc("job", "errors", "mig").out


def test_history_is_told_also_of_a_job_that_is_gone(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk)
    smc.json("job", "modify", "mig", "--name", "later")
    told = smc.json("job", "history", "later")
    actions = [event["action"] for event in told["events"]]
    assert actions[0] == "job.create"
    assert actions[-1] == "job.modify"
    assert "run ended" in actions
    assert told["total"] == len(actions)
    last = smc.json("job", "history", "later", "--limit", "2")
    assert (len(last["events"]), last["total"]) == (2, told["total"])
    shown = smc("job", "history", "later", "--limit", "1").out
    assert "earlier ones not shown" in shown
    assert "Modify" in shown
    assert "name later" in shown
    smc.json("job", "cancel", "later", "--yes", "later", "--wait")
    for ref in ("later", job["id"]):
        gone = smc.json("job", "history", ref)
        assert gone["job"] == {"id": job["id"], "name": "later", "deleted": True}
        assert gone["events"][-1]["action"] == "deleted"
    said = smc("job", "history", "mig", "--json")
    assert (said.code, said.error["code"]) == (
        ExitCode.NO_SUCH_OBJECT,
        "ReplicationJob.NotFound",
    )


def test_a_report_of_a_job_at_work_finished_and_gone(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk, "--tag", "wave-1", "--description", "a | b <script> `x`")
    smc.json("image", "verify", job["images"][-1]["id"])
    report = smc.json("job", "report", "mig")
    assert len(report["runs"]) == 1
    assert report["totals"]["bytes_sent"] > 0
    assert [each["result"] for each in report["verifications"]] == ["passed"]
    assert report["job"]["tags"] == ["wave-1"]
    assert report["source"]["name"] == "web01"
    change(disk)
    smc.json("job", "complete", "mig", "--last-sync", "--yes", "mig", "--wait")
    assert "Summary       2 runs" in smc("job", "show", "mig").out
    finished = smc("job", "report", "mig", "--format", "json").document
    assert [run["kind"] for run in finished["runs"]] == ["Full", "Last"]
    assert finished["job"]["status"] == "Finished"
    smc.json("job", "cancel", "mig", "--yes", "mig", "--wait")
    smc.json("source", "remove", "web01")
    gone = smc.json("job", "report", "mig")
    assert gone["job"]["deleted"]
    assert gone["settings"] == finished["settings"]
    assert gone["runs"] == finished["runs"]
    assert gone["source"] is None
    assert len(gone["images"]) == 2
    shown = smc("job", "report", "mig").out
    assert shown.startswith("# Migration report: mig\n")
    assert r"a \| b \<script\> \`x\`" in shown
    for title in ("Runs", "Images", "Verifications", "Migration drill", "Events"):
        assert f"\n## {title}\n" in shown


def test_what_is_held_is_listed_with_its_cost(
    smc: Cli, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert smc.json("resource", "list") == []
    assert "Nothing is held" in smc("resource", "list").err
    job = smc.migrated(disk)
    (held,) = smc.json("resource", "list")
    assert (held["name"], held["held"], held["orphan"]) == (HELD, True, False)
    assert (held["job_id"], held["job_name"], held["cost"]) == (job["id"], "mig", None)
    assert held["age_seconds"] >= 0
    assert "COST" not in smc("resource", "list").out
    rate = Config(cost_per_gib_month=1e9, cost_currency="EUR")
    monkeypatch.setattr("smc_tui.cli.session.Session.config", rate)
    with JobWriter.open(smc.home) as writer, writer.transaction():
        writer._connection.execute(
            "UPDATE resources SET size = ?, created = created - 3600", (GIB,)
        )
    (held,) = smc.json("resource", "list")
    assert held["cost"]["estimate"] is True
    assert held["cost"]["amount"] == pytest.approx(1e9 / 720, rel=0.02)
    shown = smc("resource", "list").out
    assert "COST (EST.)" in shown
    assert "EUR" in shown


def test_a_resource_is_released_by_any_of_its_names(smc: Cli, disk: Path) -> None:
    failed(smc, disk)
    (held,) = smc.json("resource", "list")
    said = smc("resource", "release", HELD, "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "InvalidParameter.Confirmation")
    done = smc.json("resource", "release", held["id"], "--yes", "mig")
    assert done["intermediate"] is None
    assert smc.json("resource", "list") == []
    said = smc("resource", "release", "nothing", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NO_SUCH_OBJECT, "Resource.NotFound")
    # A job that holds nothing: released already, and that is no error.
    assert smc.json("resource", "release", "mig", "--yes", "mig")["intermediate"] is None


def test_a_resource_of_a_job_between_runs_is_not_released(smc: Cli, disk: Path) -> None:
    smc.migrated(disk)
    said = smc("resource", "release", HELD, "--yes", "mig", "--json")
    assert (said.code, said.error["code"]) == (
        ExitCode.NOT_ALLOWED,
        "ReplicationJob.InvalidStatus",
    )


def test_a_name_that_several_hold_is_ambiguous_and_an_orphan_says_so(smc: Cli, disk: Path) -> None:
    job = smc.migrated(disk)
    lost = Resource("t-0000000b", HELD, "j-0000000b", ResourceState.HELD, 1.0, 5)
    with JobWriter.open(smc.home) as writer, writer.transaction():
        writer.put_resource(lost)
    (smc.home / "staging" / "j-0000000c").mkdir()
    said = smc("resource", "release", HELD, "--yes", "mig", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.USAGE, "Resource.Ambiguous")
    said = smc("resource", "release", lost.id, "--yes", "mig", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.NOT_ALLOWED, "Resource.Orphaned")
    found = {
        each["job_id"] or each["name"]: each["orphan"] for each in smc.json("resource", "list")
    }
    assert found == {job["id"]: False, lost.job_id: True, "j-0000000c": True}
    assert "An orphan belongs to no unfinished job" in smc("resource", "list").out
    smc.json("engine", "stop")
    smc.json("engine", "start")
    # The sweep goes on beside the engine's first requests.
    end = time.monotonic() + 20
    while len(left := smc.json("resource", "list")) > 1 and time.monotonic() < end:
        continue
    assert [each["job_id"] for each in left] == [job["id"]]


def test_a_time_out_of_an_image_verb_speaks_of_no_job(smc: Cli, disk: Path) -> None:
    image = smc.migrated(disk)["images"][-1]["id"]
    said = smc("image", "verify", image, "--timeout", "0", "--json")
    assert (said.code, said.error["code"]) == (ExitCode.TIMED_OUT, "Request.TimedOut")
    assert "job" not in said.error["next_step"]
