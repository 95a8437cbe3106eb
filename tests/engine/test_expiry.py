"""A job whose valid time passes answers what still waited for it."""

from __future__ import annotations

from smc_tui.jobstore import Home, RequestState
from smc_tui.model.units import DAY
from tests.engine.inside import PAUSED, Inside


async def test_a_paused_run_ends_when_its_job_expires(tmp_path, monkeypatch):
    inside = Inside(Home(tmp_path / "home"), monkeypatch)
    await inside.serve()
    await inside.ask("source.import", "web01", ssh=None, paths=["/dev/vda"])
    await inside.ask("job.create", "web01", drill="off", name="job-a", start="now")
    inside.puppet.hear({"kind": "progress", "phase": "Syncing", "total": 10, "compared": 5})
    asked = await inside.ask("job.pause", "job-a")
    inside.puppet.end(PAUSED)
    await inside.settle()
    assert inside.store.request(asked.id).state is RequestState.DONE
    inside.time += 29 * DAY
    await inside.settle()
    assert str(inside.store.job("job-a").state) == "Stopped"
    inside.time += 2 * DAY
    await inside.settle()
    job = inside.store.job("job-a")
    assert (str(job.state), job.run_id) == ("Expired", None)
    (run,) = inside.store.runs(job.id)
    assert run.fault.code == "ReplicationJob.Expired"
    assert run.ended == inside.time
    assert inside.writer.accepted_requests() == []
    inside.close()
