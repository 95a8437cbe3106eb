"""Intermediate resources: books and folders in step, and a release that is the end of a run."""

from __future__ import annotations

import shutil

from smc_tui.jobstore.writer import JobWriter
from smc_tui.model.things import ResourceState
from smc_tui.model.units import KIB


def held(bench):
    return [(each.job_id, str(each.state)) for each in bench.store.resources_held()]


def test_a_record_without_a_folder_is_found_out_and_the_job_starts_again(bench):
    bench.start()
    bench.script({"segments": 400, "pace": 0.02})
    job_id = bench.job()
    bench.ask("job.start", "web01-1", wait=False)
    bench.until_status("Running:Syncing")
    bench.ask("job.pause", "web01-1")
    paused = bench.store.job(job_id).run_id
    assert held(bench) == [(job_id, "Held")]
    bench.stop()
    shutil.rmtree(bench.home.job_staging(job_id))
    bench.start()
    assert held(bench) == []
    assert "resource lost" in bench.actions()
    job = bench.store.job(job_id)
    assert (str(job.status), job.run_id, job.progress) == ("Stopped", None, 0.0)
    assert bench.store.run(paused).fault.code == "ReplicationJob.Released"
    bench.script({})
    bench.ask("job.start", "web01-1")
    assert [run.id == paused for run in bench.store.runs(job_id)] == [True, False]
    assert bench.actions().count("run continued") == 0
    assert held(bench) == [(job_id, "Held")]


def test_a_folder_without_a_record_is_taken_on_the_books(bench):
    bench.start()
    job_id = bench.job(start="now")
    bench.until_status("Waiting")
    bench.stop()
    with JobWriter.open(bench.home) as writer, writer.transaction():
        writer._connection.execute("DELETE FROM resources")
    (bench.home.job_staging(job_id) / "disk0.map").write_bytes(b"x" * 64 * KIB)
    bench.start()
    assert held(bench) == [(job_id, "Held")]
    bench.until(lambda: bench.store.resource(job_id).size >= 64 * KIB)
    assert "resource adopted" in bench.actions()
    bench.ask("job.complete", "web01-1")
    assert held(bench) == []
    assert not bench.home.job_staging(job_id).exists()


def test_the_folder_of_a_finished_job_is_removed(bench):
    bench.start()
    job_id = bench.job(start="now", once=True)
    bench.until_status("Finished")
    bench.stop()
    folder = bench.home.job_staging(job_id)
    folder.mkdir()
    bench.start()
    bench.until(lambda: not folder.exists())
    assert held(bench) == []


def test_the_size_is_measured_when_the_engine_starts(bench):
    bench.start()
    job_id = bench.job(start="now")
    bench.until_status("Waiting")
    before = bench.until(lambda: bench.store.resource(job_id))
    bench.stop()
    (bench.home.job_staging(job_id) / "more").write_bytes(b"x" * 256 * KIB)
    bench.start()
    bench.until(lambda: bench.store.resource(job_id).size >= before.size + 256 * KIB)


def test_a_release_ends_the_paused_run_and_the_next_one_is_new(served):
    served.script({"segments": 400, "pace": 0.02})
    job_id = served.job()
    served.ask("job.start", "web01-1", wait=False)
    served.until_status("Running:Syncing")
    served.ask("job.pause", "web01-1")
    paused = served.store.job(job_id).run_id
    served.ask("job.release", "web01-1")
    run = served.store.run(paused)
    assert run.ended is not None
    assert run.fault.code == "ReplicationJob.Released"
    assert served.store.job(job_id).run_id is None
    served.script({})
    served.ask("job.start", "web01-1")
    assert served.store.runs(job_id)[-1].id != paused
    assert served.store.resource(job_id).state is ResourceState.HELD


def test_what_a_deleted_job_was_stays_in_its_history(served):
    job_id = served.job(name="mig", interval="12h", tags=["wave-1"])
    served.ask("job.cancel", "mig")
    for ref in (job_id, "mig"):
        known = served.store.known_job(ref)
        assert (known.id, known.name, known.job) == (job_id, "mig", None)
        assert known.summary["interval"] == 12 * 3600
        assert known.summary["tags"] == ["wave-1"]
        assert known.summary["deleted"]
        assert known.events[0].action == "job.create"
    # A new job of that name is the one that is meant.
    again = served.ask("job.create", "web01", name="mig").result["job"]
    assert served.store.known_job("mig").id == again
    assert served.store.known_job(job_id).job is None


def test_a_verification_is_in_the_history_of_its_job(served):
    job_id = served.job(start="now")
    served.until_status("Waiting")
    (image,) = served.store.images(job_id)
    served.ask("image.verify", image.id)
    told = [event for event in served.store.events(job_id) if event.action == "image.verify"]
    assert [event.result for event in told] == ["started", "done"]
    assert {event.image_id for event in told} == {image.id}
