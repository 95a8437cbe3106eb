"""Cutovers by an engine: the real services program, a stand-in systemctl, scripted syncs."""

from __future__ import annotations

import pytest

from smc_tui.model.cutover import Cutover
from tests.support.systemctl import Units

UNITS = ["a.service", "b.service"]


@pytest.fixture
def units(tmp_path, monkeypatch):
    made = Units.install(tmp_path / "systemd")
    monkeypatch.setenv("PATH", made.path)
    for name in UNITS:
        made.add(name)
    made.add("off.service", active=False)
    made.calls()
    yield made
    for held in made.folder.glob("hold.*"):
        held.unlink()
    made.end()


@pytest.fixture
def waiting(bench, units):
    """A job with an image, waiting for its next run."""
    bench.start()
    bench.job()
    bench.ask("job.start", "web01-1")
    return bench


def cut_over(bench, *, ok=True, wait=True, services="*.service,off.service", **args):
    names = ["a.service", "b.service", "off.service"] if services.startswith("*") else [services]
    told = {"last_sync": True, "stop_services": names, **args}
    return bench.ask("job.complete", "web01-1", wait=wait, ok=ok, **told)


def cutover(bench) -> Cutover:
    return Cutover.of(bench.store.job("web01-1").cutover)


def document(bench):
    return bench.store.job_document("web01-1")["cutover"]


def held(units, verb):
    """Let systemctl stay in its next start or stop; returns what lets it go on."""
    file = units.folder / f"hold.{verb}"
    file.touch()
    return file


def is_waiting_as_before(bench, units, runs=2):
    job = bench.store.job("web01-1")
    assert (str(job.state), job.completing, job.run_id) == ("Waiting", False, None)
    assert job.next_run is not None
    assert units.active() == UNITS
    assert len(bench.store.runs(job.id)) == runs
    assert cutover(bench).stage == "gone back"


def test_services_stop_the_final_sync_follows_and_the_job_is_complete(waiting, units):
    cut_over(waiting, budget=600)
    assert str(waiting.status()) == "Finished"
    assert units.active() == []
    assert units.calls() == ["stop a.service", "stop b.service"]
    told = document(waiting)
    assert told["stage"] == "completed"
    assert [step["state"] for step in told["steps"]] == ["done"] * 5
    assert told["units"] == UNITS
    assert told["downtime_seconds"] > 0
    assert told["forecast"]["seconds"] > 0
    assert not told["over_budget"]
    (entry,) = told["record"]
    assert entry["actual_seconds"] <= told["downtime_seconds"]
    assert waiting.store.runs(waiting.store.job("web01-1").id)[-1].kind == "Last"
    said = [(e.action, e.result) for e in waiting.store.events(waiting.store.job("web01-1").id)]
    order = [
        ("cutover started", "Running:Cutover"), ("cutover step", "checklist ended"),
        ("cutover step", "stop services began"), ("service stopped", "a.service"),
        ("service stopped", "b.service"), ("cutover step", "stop services ended"),
        ("cutover step", "quiet check ended"), ("cutover step", "final sync began"),
        ("finished", "Finished"),
    ]  # fmt: skip
    assert [each for each in said if each in order] == order
    last = waiting.store.events(waiting.store.job("web01-1").id)
    facts = next(event.facts for event in last if event.action == "finished")
    assert facts["downtime_seconds"] == told["downtime_seconds"]


def test_each_instant_is_the_engines_and_in_order(waiting, units):
    cut_over(waiting)
    steps = cutover(waiting).steps
    instants = [at for step in steps for at in (step.started, step.ended)]
    assert instants == sorted(instants)
    assert cutover(waiting).down_since == steps[1].started
    assert cutover(waiting).up_since == steps[-1].ended


def test_a_dry_run_changes_nothing_and_tells_everything(waiting, units):
    before = waiting.store.job("web01-1")
    events = waiting.actions()
    told = cut_over(waiting, dry_run=True, budget=3600).result["document"]
    assert told["stopping"] == UNITS
    assert told["problems"] == []
    assert told["inside_budget"] == "yes"
    assert told["forecast"]["low_seconds"] <= told["forecast"]["seconds"]
    assert waiting.store.job("web01-1") == before
    assert waiting.actions() == events
    assert units.calls() == []


def test_a_dry_run_tells_what_stands_in_the_way(waiting, units):
    units.add("ssh.service")
    told = cut_over(waiting, services="ssh.service", dry_run=True).result["document"]
    assert told["problems"] == ["ssh.service stays: the system, or the way to it, needs it"]
    assert told["stopping"] == []


def test_what_would_start_a_service_again_is_told(waiting, units):
    units.change("a.service", triggered_by="a.socket")
    told = cut_over(waiting, dry_run=True).result["document"]
    assert told["warnings"] == ["a.socket may start a.service again: stop it too"]
    assert told["problems"] == []


@pytest.mark.parametrize("unit", ["nowhere.service", "ssh.service"])
def test_what_cannot_be_stopped_stops_nothing(waiting, units, unit):
    if unit == "ssh.service":
        units.add(unit)
        units.calls()
    found = cut_over(waiting, ok=False, services=unit)
    assert found.code == "Cutover.NoUnits"
    assert units.calls() == []
    assert str(waiting.status()) == "Waiting"
    assert document(waiting)["downtime_seconds"] is None


def test_a_service_that_does_not_stop_goes_back(waiting, units):
    units.change("b.service", stuck=["stop"])
    assert cut_over(waiting, ok=False).code == "Cutover.StopFailed"
    is_waiting_as_before(waiting, units, runs=1)
    assert units.calls() == ["stop a.service", "stop b.service", "start a.service"]


def test_a_final_sync_that_fails_goes_back_and_is_no_error_of_the_job(waiting, units):
    waiting.script({"fail_at": 3, "code": "Disk.ReadFailed"})
    assert cut_over(waiting, ok=False).code == "Disk.ReadFailed"
    is_waiting_as_before(waiting, units)
    assert document(waiting)["code"] == "Disk.ReadFailed"
    assert waiting.store.job("web01-1").fault is None
    cut_over(waiting)  # and again, to its end
    assert str(waiting.status()) == "Finished"


def test_aborted_in_its_final_sync(waiting, units):
    waiting.script({"hold_at": 3})
    request = cut_over(waiting, wait=False)
    waiting.until_status("Running:Syncing")
    assert waiting.refused("job.pause", "web01-1") == "ReplicationJob.InvalidBusinessStatus"
    waiting.ask("job.cutover-abort", "web01-1")
    is_waiting_as_before(waiting, units)
    assert waiting.store.request(request.id).code == "Cutover.Aborted"
    assert waiting.store.runs(waiting.store.job("web01-1").id)[-1].fault.code == "Cutover.Aborted"


def test_aborted_while_its_services_stop(waiting, units):
    hold = held(units, "stop")
    cut_over(waiting, wait=False)
    waiting.until(lambda: "stop a.service" in units_calls(units))
    waiting.ask("job.cutover-abort", "web01-1", wait=False)
    hold.unlink()
    waiting.until_status("Waiting")
    is_waiting_as_before(waiting, units, runs=1)
    assert units_calls(units) == ["stop a.service", "start a.service"]


def units_calls(units):
    path = units.folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_abort_is_for_a_cutover(waiting):
    assert waiting.refused("job.cutover-abort", "web01-1") == "Cutover.NotUnderWay"


def test_a_cancelled_job_leaves_no_service_stopped(waiting, units):
    waiting.script({"hold_at": 3})
    cut_over(waiting, wait=False)
    waiting.until_status("Running:Syncing")
    waiting.ask("job.cancel", "web01-1")
    assert waiting.store.jobs() == []
    assert units.active() == UNITS


def test_services_that_do_not_start_again_are_told(waiting, units):
    units.change("a.service", stuck=["start"])
    units.change("b.service", stuck=["stop"])
    assert cut_over(waiting, ok=False).code == "Cutover.LeftStopped"
    job = waiting.store.job("web01-1")
    assert str(job.state) == "Waiting"
    assert job.fault.code == "Cutover.LeftStopped"
    assert document(waiting)["left_stopped"] == ["a.service"]
    assert units_calls(units).count("start a.service") == 3


def test_a_source_out_of_reach_is_asked_until_it_answers(waiting, units):
    waiting.script({"hold_at": 3})
    cut_over(waiting, wait=False)
    waiting.until_status("Running:Syncing")
    (units.folder / "absent").touch()
    waiting.ask("job.cutover-abort", "web01-1", wait=False)
    waiting.until(lambda: "services not started yet" in waiting.actions())
    assert str(waiting.status()) == "Running:Cutover"
    (units.folder / "absent").unlink()
    waiting.until_status("Waiting")
    is_waiting_as_before(waiting, units)


@pytest.mark.parametrize("hold", [True, False])
def test_a_budget_used_up_is_told_and_goes_back_where_that_was_chosen(bench, units, hold):
    bench.start(time_lapse=200.0)
    bench.job(valid="90d", interval="7d")
    bench.ask("job.start", "web01-1")
    bench.script({"hold_at": 3})
    cut_over(bench, wait=False, budget=10, hold=hold)
    bench.until(lambda: "cutover over budget" in bench.actions())
    if hold:
        bench.until_status("Waiting")
        assert document(bench)["code"] == "Cutover.OverBudget"
        assert units.active() == UNITS
    else:
        bench.let_go()
        bench.until_status("Finished")
        assert units.active() == []
    assert document(bench)["over_budget"]
    assert bench.actions().count("cutover over budget") == 1


def test_a_rehearsal_makes_an_image_and_goes_back(waiting, units):
    cut_over(waiting, rehearse=True)
    is_waiting_as_before(waiting, units)
    (entry,) = document(waiting)["record"]
    assert entry["kind"] == "rehearsal"
    assert len(waiting.on_shelf()) == 2
    cut_over(waiting)
    assert [each["kind"] for each in document(waiting)["record"]] == ["rehearsal", "cutover"]


def test_an_engine_killed_while_services_stop_goes_on(waiting, units):
    hold = held(units, "stop")
    cut_over(waiting, wait=False)
    waiting.until(lambda: "stop a.service" in units_calls(units))
    waiting.kill()
    hold.unlink()
    waiting.start()
    waiting.until_status("Finished")
    assert units.active() == []
    taken = [e.result for e in waiting.store.events() if e.action == "cutover taken up"]
    assert taken == ["goes on: stop services"]


def test_an_engine_killed_in_the_final_sync_goes_on(waiting, units):
    waiting.script({"hold_at": 3})
    cut_over(waiting, wait=False)
    waiting.until_status("Running:Syncing")
    waiting.kill()
    waiting.let_go()
    waiting.start()
    waiting.until_status("Finished")
    assert document(waiting)["stage"] == "completed"


def test_an_engine_killed_on_the_way_back_starts_what_was_stopped(waiting, units):
    waiting.script({"fail_at": 3, "code": "Disk.ReadFailed"})
    hold = held(units, "start")
    cut_over(waiting, wait=False)
    waiting.until(lambda: "start a.service" in units_calls(units))
    waiting.kill()
    hold.unlink()
    waiting.start()
    waiting.until_status("Waiting")
    is_waiting_as_before(waiting, units)
    taken = [e.result for e in waiting.store.events() if e.action == "cutover taken up"]
    assert taken == ["starts again: a.service, b.service"]


def test_an_engine_killed_after_turning_back_in_the_sync_goes_back(waiting, units):
    waiting.script({"hold_at": 3, "deaf": True})
    cut_over(waiting, wait=False)
    waiting.until_status("Running:Syncing")
    waiting.ask("job.cutover-abort", "web01-1", wait=False)
    waiting.kill()
    waiting.let_go()
    waiting.start()
    waiting.until_status("Waiting")
    assert units.active() == UNITS
    assert cutover(waiting).why == "Cutover.Aborted"


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"stop_services": ["a.service"]}, "InvalidParameter.Combination"),
        ({"last_sync": True, "dry_run": True}, "InvalidParameter.Combination"),
        ({"last_sync": True, "stop_services": ["a b"]}, "InvalidParameter.Units"),
        ({"last_sync": True, "stop_services": ["a"], "budget": 3}, "InvalidParameter.Budget"),
        ({"last_sync": True, "stop_services": ["a"], "hold": True}, "InvalidParameter.Combination"),
    ],
)
def test_what_makes_no_cutover_is_refused(waiting, args, code):
    assert waiting.refused("job.complete", "web01-1", **args) == code
    assert str(waiting.status()) == "Waiting"
