"""Kills, deaths and full disks: every job ends where the lifecycle says."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from smc_tui.engine import keeping
from smc_tui.engine.claim import Claim
from smc_tui.engine.worker import Result
from smc_tui.jobstore import Home, RequestState
from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import ImageState, Status
from smc_tui.model.things import ResourceState
from tests.engine.fakes import MIB, FakeShelf
from tests.engine.inside import DIED, Inside

SEGMENTS = 12


def workers(bench):
    """Return the processes at work for a home."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _is_worker(pid, bench.engine.pid)]


def _is_worker(pid, engine):
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        return (
            parent == engine
            and b"fake_worker.py\0sync" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
        return False


def consistent(bench, job_id):
    """Check what must be so whatever happened: every image once, recorded and there."""
    runs = bench.store.runs(job_id)
    published = [run.id for run in runs if run.published]
    assert len(bench.published()) == len(set(bench.published())), "a run was made twice"
    assert sorted(published) == sorted(bench.published())
    recorded = {image.id for image in bench.store.images()}
    assert recorded == set(bench.on_shelf())
    assert all(run.fault is None for run in runs if run.published)


# The worker


@pytest.mark.parametrize("at", [0, 1, 5, SEGMENTS - 1])
def test_a_worker_that_is_killed(served, at):
    served.script({"segments": SEGMENTS, "die_at": at}, {"segments": SEGMENTS})
    job_id = served.job()
    assert served.refused("job.start", "web01-1") == "Sync.Died"
    job = served.store.job("web01-1")
    assert job.status is Status.IN_ERROR
    assert job.fault.code == "Sync.Died"
    assert "signal 9" in job.fault.detail
    assert served.store.resource(job_id) is not None
    served.ask("job.retry", "web01-1")
    first, second = served.store.runs(job_id)
    assert first.fault.code == "Sync.Died"
    assert second.counters.sent == (SEGMENTS - at) * MIB
    consistent(served, job_id)


def test_a_worker_killed_from_outside_at_random_moments(served):
    chance = random.Random(7)
    job_id = served.job()
    for _ in range(5):
        served.script({"segments": 60, "pace": 0.005, "hold_at": 59})
        served.ask("job.start", "web01-1", wait=False)
        (pid,) = served.until(lambda: workers(served))
        time.sleep(chance.uniform(0, 0.2))
        os.kill(pid, signal.SIGKILL)
        served.until_status("InError")
    served.script({})  # one that was killed at once has left its own
    served.ask("job.retry", "web01-1")
    assert len(served.store.runs(job_id)) == 6
    consistent(served, job_id)


def test_a_worker_that_says_what_is_wrong(served):
    served.script({"fail_at": 2, "code": "Disk.Shrank"})
    job_id = served.job()
    answer = served.ask("job.start", "web01-1", ok=False)
    assert (answer.code, answer.detail, answer.facts) == ("Disk.Shrank", "as scripted", {"at": 2})
    document = served.store.job_document("web01-1")
    assert document["error"]["code"] == "Disk.Shrank"
    assert document["error"]["next_step"]
    assert document["runs"][0]["error"]["code"] == "Disk.Shrank"
    assert served.home.run_log(job_id, document["runs"][0]["id"]).exists()


def test_a_code_that_nobody_knows(served):
    served.script({"fail_at": 0, "code": "Made.Up"})
    served.job()
    answer = served.ask("job.start", "web01-1", ok=False)
    assert answer.code == "Engine.Internal"
    assert "Made.Up" in answer.detail


def test_a_worker_that_babbles_is_ended(served):
    served.script({"babble": True, "segments": 400, "pace": 0.05})
    served.job()
    assert served.refused("job.start", "web01-1") == "Sync.Died"
    assert workers(served) == []


def test_a_worker_that_dies_after_publishing_has_succeeded(served):
    served.script({"die_after_publish": True})
    job_id = served.job()
    done = served.ask("job.start", "web01-1")
    assert done.result["status"] == "Waiting"
    image = served.store.image(done.result["image"])
    assert image.size == 64 * MIB
    consistent(served, job_id)


def test_a_worker_that_does_not_hear_is_ended_and_its_work_kept(bench):
    bench.start(pause=0.2, cancel=0.2, term=0.2)
    bench.script({"deaf": True, "segments": 4000, "pace": 0.02})
    job_id = bench.job()
    bench.ask("job.start", "web01-1", wait=False)
    bench.until_status("Running:Syncing")
    bench.ask("job.pause", "web01-1")
    assert str(bench.status()) == "Stopped"
    assert (bench.home.job_staging(job_id) / "map").exists()
    bench.script({"deaf": True, "segments": 4000, "pace": 0.02})
    bench.ask("job.start", "web01-1", wait=False)
    bench.until_status("Running:Syncing")
    bench.ask("job.cancel", "web01-1")
    assert bench.store.jobs() == []
    assert workers(bench) == []


# The engine


def test_an_engine_killed_at_random_moments(bench):
    """Whatever the moment, the job goes on by itself and every run publishes once."""
    chance = random.Random(3)
    bench.start()
    job_id = bench.job(keep=10)
    bench.ask("job.start", "web01-1", wait=False)
    for _ in range(12):
        bench.script(*[{"segments": 20, "pace": 0.01}] * 4)
        time.sleep(chance.uniform(0, 0.45))
        bench.kill()
        bench.start()
        if str(bench.status()) == "Waiting":
            bench.ask("job.sync", "web01-1", wait=False)
    bench.until_status("Waiting")
    assert {run.fault for run in bench.store.runs(job_id)} == {None}
    assert any(run.attempts > 1 for run in bench.store.runs(job_id))
    assert "run resumed" in bench.actions()
    consistent(bench, job_id)
    assert bench.store._one("SELECT count(*) FROM requests WHERE state = 'accepted'")[0] == 0


def test_an_engine_killed_while_a_job_ends(bench):
    """Cancel and complete are finished by the next engine, once."""
    chance = random.Random(5)
    bench.start()
    job_id = bench.job(start="now")
    for number in range(8):
        verb, args = [("job.complete", {"last_sync": bool(number % 4)}), ("job.cancel", {})][
            number % 2
        ]
        asked = bench.store.submit(verb, job_id, args)
        time.sleep(chance.uniform(0, 0.05))
        bench.kill()
        bench.start()
        assert bench.store.wait(asked, ended=True, timeout=20).state is RequestState.DONE
        left = [job.status for job in bench.store.jobs() if job.id == job_id]
        assert left == ([Status.FINISHED] if verb == "job.complete" else [])
        assert bench.store.resource(job_id) is None
        assert not bench.home.job_staging(job_id).exists()
        name = f"next-{number}"
        job_id = bench.ask("job.create", "web01", name=name, start="now").result["job"]
    assert {image.id for image in bench.store.images()} == set(bench.on_shelf())


def test_an_engine_told_to_end_leaves_its_jobs_running(bench):
    bench.start()
    bench.script({"segments": 100, "hold_at": 50}, {"segments": 100})
    job_id = bench.job()
    started = bench.ask("job.start", "web01-1", wait=False)
    bench.until_status("Running:Syncing")
    assert bench.stop() == 0
    assert str(bench.status()) == "Running:Syncing"
    bench.start()
    done = bench.store.wait(started.id, ended=True, timeout=20)
    assert done.result["status"] == "Waiting"
    (run,) = bench.store.runs(job_id)
    assert run.attempts == 2
    assert run.counters.sent <= 101 * MIB
    consistent(bench, job_id)


def test_a_new_engine_waits_for_the_old_worker(bench):
    bench.start()
    bench.script({"segments": 50, "hold_at": 25})
    job_id = bench.job()
    bench.ask("job.start", "web01-1", wait=False)
    bench.until_status("Running:Syncing")
    bench.kill()
    bench.until(lambda: not _locked(bench, job_id))
    with (bench.home.job_staging(job_id) / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        bench.start()
        time.sleep(0.3)
        assert workers(bench) == []
        assert bench.store.runs(job_id)[0].attempts == 1
    bench.until_status("Waiting")
    assert bench.store.runs(job_id)[0].attempts == 2


def _locked(bench, job_id):
    with (bench.home.job_staging(job_id) / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_second_engine_is_told_of_the_first(served):
    with pytest.raises(SmcError, match=r"Engine\.AlreadyRunning: process \d+ serves"):
        Claim.take(served.home)
    assert served.store.engine_alive()
    assert served.ask("store.stats").state is RequestState.DONE


def test_what_was_asked_while_no_engine_ran(bench):
    """It is done by the next engine, unless the asker was told that it will not be."""
    bench.start()
    bench.job()
    bench.kill()
    told_off = bench.store.submit("job.start", "web01-1")
    with pytest.raises(SmcError, match=r"Engine\.NotReachable"):
        bench.store.wait(told_off, timeout=10)
    kept = bench.store.submit("job.modify", "web01-1", {"description": "written while down"})
    bench.start()
    assert bench.store.wait(kept, ended=True, timeout=10).state is RequestState.DONE
    assert str(bench.status()) == "Ready"
    assert bench.store.request(told_off).state is RequestState.WITHDRAWN


# What a new engine finds


def test_images_and_rows_are_brought_in_step(bench):
    bench.start()
    job_id = bench.job(start="now", keep=5)
    bench.ask("job.sync", "web01-1")
    bench.stop()
    first, second = bench.store.images(job_id)
    shelf = FakeShelf(bench.home)
    document = json.loads((shelf.folder / f"{first.id}.json").read_text())
    stranger = {**document, "id": "m-00000001", "job_id": "j-00000001", "run_id": "r-00000001"}
    (shelf.folder / "m-00000001.json").write_text(json.dumps(stranger))
    shelf.remove(second.id)
    strange = {**stranger, "id": "m-00000002", "consistency": "of a later version"}
    (shelf.folder / "m-00000002.json").write_text(json.dumps(strange))
    bench.start()
    adopted = bench.store.image("m-00000001")
    assert adopted.name == f"{first.name}_m-00000001"
    assert adopted.source_name == "web01"
    lost = bench.store.image(second.id)
    assert lost.state is ImageState.DAMAGED
    assert lost.fault.code == "Image.NotFound"
    assert bench.store.image(first.id) == first
    with pytest.raises(SmcError, match=r"Image\.NotFound"):
        bench.store.image("m-00000002")


def test_images_that_were_away_are_taken_back(bench):
    bench.start()
    job_id = bench.job(start="now")
    bench.stop()
    (before,) = bench.store.images(job_id)
    shelf = FakeShelf(bench.home).folder
    away = shelf.rename(shelf.parent / "away")
    bench.start()
    assert bench.store.image(before.id).state is ImageState.DAMAGED
    assert bench.ask("store.check").state is RequestState.DONE
    assert bench.store.image(before.id).state is ImageState.DAMAGED
    bench.stop()
    away.rename(shelf)
    bench.start()
    assert bench.store.image(before.id) == before


def test_an_engine_told_to_end_waits_for_no_source_that_does_not_answer(served):
    (served.home.path / "fake" / "down").write_text("slow")
    request = served.ask("source.import", "web01", paths=["/dev/vda"], wait=False)
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 4
    assert served.store.request(request.id).code == "Engine.Stopped"


def test_leftovers_are_removed_and_what_is_in_use_is_not(bench):
    bench.start()
    job_id = bench.job(start="now")
    bench.stop()
    staging = bench.home.staging
    for name in ("j-00000001", "t-00000001.released"):
        (staging / name).mkdir()
        (staging / name / "map").write_text("[]")
    bench.start()
    bench.until(lambda: [folder.name for folder in staging.iterdir()] == [job_id])


async def test_a_folder_that_cannot_be_removed_keeps_no_job_from_its_end(tmp_path, monkeypatch):
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    created = await inside.ask(
        "job.create", "web01", drill="off", name="job-a", once=True, start="now"
    )
    job_id = created.result["job"]

    def refuse(folder):
        raise PermissionError(folder)

    with monkeypatch.context() as patch:
        patch.setattr("smc_tui.engine.keeping.remove_tree", refuse)
        inside.shelf.kept[inside.puppet.description["image"]] = inside.puppet.manifest()
        inside.puppet.end(Result(inside.puppet.result()))
        await inside.settle()
    assert str(inside.store.job("job-a").state) == "Finished"
    left = inside.store.resource(job_id)
    assert left.state is ResourceState.RELEASING
    assert [folder.name for folder in inside.home.staging.iterdir()] == [f"{left.id}.released"]
    await inside.crash()
    await inside.serve()
    assert inside.store.resource(job_id) is None
    assert list(inside.home.staging.iterdir()) == []
    inside.close()


async def test_a_start_while_its_last_area_is_removed(tmp_path, monkeypatch):
    """What the new run stages is its own: the removal of the old area never touches it."""
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    created = await inside.ask("job.create", "web01", drill="off", name="job-a", start="now")
    staging = inside.home.job_staging(created.result["job"])
    inside.puppet.end(DIED)
    await inside.settle()
    let_go, remove = threading.Event(), keeping.remove_tree

    def slowly(folder):
        let_go.wait(10)
        remove(folder)

    monkeypatch.setattr(keeping, "remove_tree", slowly)
    released = inside.store.submit("job.release", "job-a")
    started = inside.store.submit("job.start", "job-a")
    inside.engine._round()
    assert inside.store.request(started).state is RequestState.ACCEPTED
    assert not staging.exists()
    staging.mkdir()
    (staging / "map").write_text("new")
    let_go.set()
    await inside.settle()
    assert inside.store.request(released).state is RequestState.DONE
    assert [path.name for path in inside.home.staging.iterdir()] == [staging.name]
    assert (staging / "map").read_text() == "new"
    assert inside.store.resource(created.result["job"]).state is ResourceState.HELD
    inside.close()


async def test_a_cancel_while_it_is_cleaned_up(tmp_path, monkeypatch):
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    created = await inside.ask(
        "job.create", "web01", drill="off", name="job-a", once=True, start="now"
    )
    let_go = threading.Event()
    monkeypatch.setattr("smc_tui.engine.keeping.remove_tree", lambda folder: let_go.wait(10))
    inside.shelf.kept[inside.puppet.description["image"]] = inside.puppet.manifest()
    inside.puppet.end(Result(inside.puppet.result()))
    while str(inside.store.job("job-a").state) != "Running:Cleaning":
        await inside.wait_a_little()
    asked = inside.store.submit("job.cancel", "job-a")
    inside.engine._round()
    assert inside.store.request(asked).state is RequestState.ACCEPTED
    assert str(inside.store.job("job-a").state) == "Running:Cleaning"
    let_go.set()
    await inside.settle()
    assert inside.store.jobs() == []
    assert inside.store.request(asked).state is RequestState.DONE
    assert inside.store.request(created.id).result["status"] == "Finished"
    assert len(inside.store.images()) == 1
    inside.close()


# The job store's disk


async def test_a_full_job_store_loses_no_result_and_no_request(tmp_path, monkeypatch):
    full = False
    transaction = JobWriter.transaction

    def limited(self, *, durable=True):
        if full:
            raise SmcError("JobStore.Full", "as scripted")
        return transaction(self, durable=durable)

    monkeypatch.setattr(JobWriter, "transaction", limited)
    monkeypatch.setattr("smc_tui.engine.context.RETRY_FIRST", 0.001)
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    created = await inside.ask("job.create", "web01", drill="off", name="job-a", start="now")
    full = True
    puppet = inside.puppet
    inside.shelf.kept[puppet.description["image"]] = puppet.manifest()
    puppet.end(Result(puppet.result()))
    asked = inside.store.submit("job.modify", "job-a", {"description": "x"})
    for _ in range(20):
        assert inside.engine._round() > 0
        await inside.wait_a_little()
    assert str(inside.store.job("job-a").state) == "Running:Preparing"
    assert inside.store.request(asked).state is RequestState.NEW
    full = False
    await inside.settle()
    assert str(inside.store.job("job-a").state) == "Waiting"
    assert inside.store.request(created.id).state is RequestState.DONE
    assert inside.store.request(asked).state is RequestState.DONE
    inside.close()
