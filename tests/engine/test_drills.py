"""Migration drills in the engine: every way into one, through it and out of it."""

from __future__ import annotations

import pytest

from smc_tui.jobstore import RequestState
from smc_tui.model.units import HOUR

CRITICAL = {"level": "Critical"}
HOLD = {"hold": True}


def drilled(bench, **args):
    """Create a job with a drill before its migration."""
    return bench.job(**{"drill": "before", **args})


def drills(bench):
    return [told for told in bench.described() if "run" not in told and "job" in told]


def test_the_first_start_drills_and_goes_on(served):
    served.script(HOLD)
    drilled(served)
    asked = served.ask("job.start", "web01-1", wait=False)
    assert asked.state is RequestState.ACCEPTED
    assert "run" not in asked.result
    served.until_status("Running:Drilling")
    assert served.store.resource(served.store.job("web01-1").id) is None
    served.let_go()
    ended = served.store.wait(asked.id, ended=True, timeout=20).checked()
    job = served.store.job("web01-1")
    assert str(job.state) == "Waiting"
    assert ended.result["run"] == served.store.runs(job.id)[0].id
    assert ended.result["image"]
    assert job.drill_report["result"] == "Passed"
    assert not job.starting
    actions = served.actions()
    assert actions.index("drill started") < actions.index("drill passed")
    assert actions.index("drill passed") + 1 == actions.index("run started")
    logs = [path.name for path in served.home.job_logs(job.id).iterdir()]
    assert sum(name.startswith("drill-") for name in logs) == 1
    # Neither the next run nor a restart drills again.
    served.ask("job.sync", "web01-1")
    served.ask("job.pause", "web01-1")
    served.ask("job.start", "web01-1")
    assert len(drills(served)) == 1


def test_a_job_created_to_start_now_drills(served):
    drilled(served, start="now")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 1


def test_a_drill_only_job_ends_ready_every_time(served):
    drilled(served, drill="only")
    done = served.ask("job.start", "web01-1")
    assert done.result["status"] == "Ready"
    assert done.result["result"] == "Passed"
    assert str(served.status()) == "Ready"
    served.ask("job.start", "web01-1")
    assert len(drills(served)) == 2
    assert served.published() == []
    served.ask("job.modify", "web01-1", drill="off")
    served.ask("job.start", "web01-1")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 2


def test_without_a_drill_none_is_made(served):
    drilled(served, drill="off", start="now")
    assert str(served.status()) == "Waiting"
    assert drills(served) == []
    assert served.store.job("web01-1").drill_report == {}


def test_what_is_critical_holds_the_start_up_until_a_retry_passes(served):
    served.script(CRITICAL)
    drilled(served)
    assert served.refused("job.start", "web01-1") == "ReplicationJob.DrillException"
    job = served.store.job("web01-1")
    assert str(job.state) == "DrillException"
    assert job.drill_report["result"] == "Critical"
    assert job.fault.code == "ReplicationJob.DrillException"
    assert served.published() == []
    assert served.store.resource(job.id) is None
    done = served.ask("job.drill", "web01-1")
    assert done.result["result"] == "Passed"
    served.until_status("Waiting")
    assert served.store.job("web01-1").fault is None
    assert len(served.published()) == 1


def test_a_start_in_drill_exception_drills_again(served):
    served.script(CRITICAL)
    drilled(served)
    served.refused("job.start", "web01-1")
    served.ask("job.start", "web01-1")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 2


def test_a_person_goes_on_in_spite_of_it_with_the_drill_off(served):
    served.script(CRITICAL)
    drilled(served)
    served.refused("job.start", "web01-1")
    served.ask("job.modify", "web01-1", drill="off")
    served.ask("job.start", "web01-1")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 1
    assert served.store.job("web01-1").drill_report["result"] == "Critical"


def test_a_drill_by_itself_starts_nothing(served):
    drilled(served)
    assert served.ask("job.drill", "web01-1").result["result"] == "Passed"
    assert str(served.status()) == "Ready"
    served.script(CRITICAL)
    failed = served.ask("job.drill", "web01-1")
    assert failed.result["result"] == "Critical"
    assert str(served.status()) == "DrillException"
    # Nobody had started it: the drill that passes leads back to where it was asked for.
    served.ask("job.drill", "web01-1")
    assert str(served.status()) == "Ready"
    assert served.published() == []


def test_a_drill_that_cannot_be_made_is_an_error_and_a_retry_drills(served):
    served.script({"code": "SourceServer.Offline"})
    drilled(served)
    assert served.refused("job.start", "web01-1") == "SourceServer.Offline"
    assert str(served.status()) == "InError"
    assert served.store.job("web01-1").fault.code == "SourceServer.Offline"
    served.ask("job.retry", "web01-1")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 2


def test_a_retry_of_a_drill_by_itself_is_that_again(served):
    served.script({"code": "SourceServer.Offline"})
    drilled(served)
    assert served.refused("job.drill", "web01-1") == "SourceServer.Offline"
    assert str(served.status()) == "InError"
    served.ask("job.retry", "web01-1")
    assert str(served.status()) == "Ready"
    assert served.published() == []


@pytest.mark.parametrize(
    "script",
    [
        {"die": True},
        {"report": {"items": []}},
        {"report": "no report"},
        {"report": {"at": "x", "seconds": 1, "items": [{"level": "Fine"}]}},
    ],
)
def test_a_worker_that_dies_or_says_nonsense(served, script):
    served.script(script)
    drilled(served)
    assert served.refused("job.start", "web01-1") == "Drill.Died"
    assert str(served.status()) == "InError"


def test_a_cancel_ends_the_drill(served):
    served.script(HOLD)
    job_id = drilled(served)
    started = served.ask("job.start", "web01-1", wait=False)
    served.until(lambda: served.store.job("web01-1").live.get("step") == "Looking")
    assert served.refused("job.pause", "web01-1") == "ReplicationJob.InvalidBusinessStatus"
    served.ask("job.cancel", "web01-1")
    assert served.store.jobs() == []
    assert served.store.request(started.id).code == "ReplicationJob.Cancelled"
    assert [e.action for e in served.store.events(job_id)][-1] == "deleted"
    assert served.published() == []


def test_an_engine_killed_while_drilling_drills_again(bench):
    bench.start()
    bench.script(HOLD)
    drilled(bench)
    started = bench.ask("job.start", "web01-1", wait=False)
    bench.until(lambda: bench.store.job("web01-1").live.get("step") == "Looking")
    bench.kill()
    bench.start()
    ended = bench.store.wait(started.id, ended=True, timeout=20).checked()
    assert str(bench.status()) == "Waiting"
    assert ended.result["run"] == bench.published()[0]
    assert bench.actions().count("drill repeated") == 1
    assert bench.actions().count("drill passed") == 1


def test_an_engine_stopped_while_drilling_leaves_it_to_the_next(bench):
    bench.start()
    bench.script(HOLD)
    drilled(bench)
    started = bench.ask("job.drill", "web01-1", wait=False)
    bench.until(lambda: bench.store.job("web01-1").live.get("step") == "Looking")
    bench.stop()
    assert str(bench.status()) == "Running:Drilling"
    bench.start()
    bench.store.wait(started.id, ended=True, timeout=20).checked()
    assert str(bench.status()) == "Ready"


def test_a_drill_that_passes_while_the_engine_leaves_begins_no_run(bench):
    bench.start()
    bench.script({**HOLD, "ends_well": True})
    drilled(bench)
    started = bench.ask("job.start", "web01-1", wait=False)
    bench.until(lambda: bench.store.job("web01-1").live.get("step") == "Looking")
    assert bench.stop() == 0
    assert bench.actions().count("drill passed") == 1
    assert [told for told in bench.described() if "run" in told] == []
    # Its run is the next engine's.
    bench.start()
    bench.store.wait(started.id, ended=True, timeout=20).checked()
    assert str(bench.status()) == "Waiting"
    assert len(bench.published()) == 1


def test_a_cancel_outlives_the_engine(bench):
    bench.start()
    bench.script({**HOLD, "deaf": True})
    drilled(bench)
    bench.ask("job.start", "web01-1", wait=False)
    bench.until(lambda: bench.store.job("web01-1").live.get("step") == "Looking")
    with bench.store._connection:  # as a crash between the wish and the stop leaves it
        bench.kill()
        bench.store._connection.execute("UPDATE jobs SET wish = 'cancel'")
    bench.start()
    bench.until(lambda: bench.store.jobs() == [])


def test_a_drill_that_has_passed_stands_for_the_one_before_the_first_run(served):
    drilled(served)
    served.ask("job.drill", "web01-1")
    served.script({"fail_at": 1, "code": "Link.Lost"})
    assert served.refused("job.start", "web01-1") == "Link.Lost"
    assert len(drills(served)) == 1
    assert served.store.resource(served.store.job("web01-1").id) is not None


def test_a_scheduled_start_drills(bench):
    bench.start(time_lapse=3600)
    bench.source()
    soon = bench.store.engine().clock_now + HOUR
    made = {"name": "web01-1", "start": soon, "interval": "7d", "drill": "before"}
    bench.ask("job.create", "web01", **made)
    bench.until_status("Waiting")
    assert len(drills(bench)) == 1


def test_a_drill_by_itself_leaves_a_scheduled_start_set(bench):
    bench.start(time_lapse=3600)
    bench.source()
    soon = bench.store.engine().clock_now + 4 * HOUR
    made = {"name": "web01-1", "start": soon, "interval": "7d", "drill": "before"}
    bench.ask("job.create", "web01", **made)
    bench.ask("job.drill", "web01-1")
    assert bench.store.job("web01-1").next_run == soon
    bench.until_status("Waiting")
    assert len(drills(bench)) == 1
    assert bench.store.runs(bench.store.job("web01-1").id)[0].started >= soon


def test_a_scheduled_drill_only_job_drills_once(bench):
    bench.start(time_lapse=3600)
    bench.source()
    soon = bench.store.engine().clock_now + HOUR
    bench.ask("job.create", "web01", name="web01-1", start=soon, drill="only")
    bench.until(lambda: "drill ended" in bench.actions())
    job = bench.store.job("web01-1")
    assert (str(job.state), job.next_run) == ("Ready", None)


def test_the_drill_is_no_choice_any_more_once_the_job_has_run(served):
    served.job(start="now")
    assert served.refused("job.modify", "web01-1", drill="only") == "ReplicationJob.InvalidStatus"
    assert served.refused("job.drill", "web01-1") == "ReplicationJob.InvalidStatus"
    served.source("web02", ("/dev/vdb",))
    assert served.refused("job.create", "web02", drill="maybe") == "InvalidParameter.Drill"


def test_a_failed_run_is_retried_without_a_drill(served):
    served.script({}, {"fail_at": 1, "code": "Link.Lost"})
    drilled(served)
    assert served.refused("job.start", "web01-1") == "Link.Lost"
    served.ask("job.retry", "web01-1")
    assert str(served.status()) == "Waiting"
    assert len(drills(served)) == 1
