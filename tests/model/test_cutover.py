"""The cutover as data: its clock, its way back, its record; nothing is lost by keeping it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smc_tui.model.cutover import (
    RECORD,
    Cutover,
    Mark,
    Stage,
    Step,
    abort_refusal,
)
from smc_tui.model.cutoverdoc import document, summary, way_back
from smc_tui.model.documents import instant
from smc_tui.model.forecast import Forecast
from smc_tui.model.lifecycle import CUTTING_OVER, WORKING, State, Status
from tests.model.samples import JOB, NOW, job_in

UNITS = ("a.service", "b.service", "c.service")
THOUGHT = Forecast(stop=8, sync=90, publish=2, low=60, high=150, runs=3)
NEW = Cutover(NOW, "ops", patterns=("*.service",), units=UNITS, forecast=THOUGHT)
STOPPED = tuple({"name": name, "result": "stopped", "why": "", "seconds": 1.0} for name in UNITS)


def at_sync() -> Cutover:
    found = NEW.begun(Step.CHECKLIST, NOW).ended(Step.CHECKLIST, NOW + 1)
    found = found.begun(Step.STOP, NOW + 1).ended(Step.STOP, NOW + 4)
    found = replace(found, results=STOPPED)
    found = found.begun(Step.QUIET, NOW + 4).ended(Step.QUIET, NOW + 6)
    return found.begun(Step.SYNC, NOW + 6)


def test_the_clock_runs_from_the_first_stop_to_completion():
    found = NEW.begun(Step.CHECKLIST, NOW)
    assert found.downtime(NOW + 99) is None
    found = at_sync()
    assert found.downtime(NOW + 11) == 10
    found = found.synced(NOW + 101)
    assert found.current.step is Step.COMPLETE
    assert found.downtime(NOW + 102) == 101
    found = found.completed(NOW + 103)
    assert found.stage is Stage.COMPLETED
    assert found.downtime(NOW + 9999) == 102
    assert [each.seconds for each in found.steps] == [1, 3, 2, 95, 2]
    (entry,) = found.record
    assert entry["kind"] == "cutover"
    assert entry["forecast_seconds"] == 100
    assert entry["actual_seconds"] == 100
    assert entry["stop_seconds"] == 3
    assert entry["inside"]


def test_a_step_that_is_begun_again_keeps_its_first_instant_and_so_does_the_clock():
    found = NEW.begun(Step.STOP, NOW).begun(Step.STOP, NOW + 50)
    assert found.down_since == NOW
    assert found.step(Step.STOP).started == NOW


def test_without_services_there_is_no_downtime():
    found = replace(NEW, units=()).begun(Step.STOP, NOW).ended(Step.STOP, NOW)
    assert found.downtime(NOW + 5) is None
    assert found.begun(Step.SYNC, NOW).synced(NOW + 9).completed(NOW + 9).up_since is None


def result(name: str, word: str) -> dict[str, object]:
    return {"name": name, "result": word, "why": "", "seconds": 0.1}


@pytest.mark.parametrize(
    ("cutover", "started"),
    [
        (NEW, ()),
        (NEW.begun(Step.CHECKLIST, NOW), ()),
        (NEW.begun(Step.STOP, NOW), UNITS),
        (NEW.begun(Step.STOP, NOW).turned("Cutover.Aborted", "", NOW), UNITS),
        (replace(at_sync(), results=STOPPED), UNITS),
        (replace(at_sync(), results=(result("a.service", "was not running"),
                                     result("b.service", "stopped"))), ("b.service",)),
        (replace(at_sync(), results=(result("a.service", "stopped"),
                                     result("b.service", "failed"))), UNITS[:2]),
    ],
)  # fmt: skip
def test_the_way_back_starts_what_was_stopped_or_may_have_been(cutover, started):
    assert cutover.to_start == started


def test_the_first_reason_to_go_back_stays():
    found = at_sync().turned("Link.Lost", "gone", NOW + 10).turned("Cutover.Aborted", "", NOW + 11)
    assert (found.why, found.detail) == ("Link.Lost", "gone")
    assert found.step(Step.SYNC).state is Mark.FAILED
    found = found.returned(NOW + 15, ["b.service"])
    assert found.stage is Stage.RETURNED
    assert not found.under_way
    assert found.downtime(NOW + 99) == 14
    assert found.left == ("b.service",)
    assert found.record == ()


def test_a_stop_under_way_is_over_only_with_the_way_back():
    found = NEW.begun(Step.STOP, NOW).turned("Cutover.Aborted", "", NOW + 1)
    assert found.step(Step.STOP).state is Mark.RUNNING
    assert found.returned(NOW + 2, ()).step(Step.STOP).state is Mark.FAILED


def test_an_image_that_comes_after_turning_back_does_not_complete():
    found = at_sync().turned("Cutover.Aborted", "", NOW + 7).synced(NOW + 8)
    assert found.stage is Stage.BACK
    assert found.step(Step.COMPLETE).state is Mark.PENDING


def test_a_rehearsal_goes_back_after_its_sync_and_is_recorded():
    found = replace(at_sync(), rehearsal=True).synced(NOW + 301)
    assert found.stage is Stage.BACK
    (entry,) = found.returned(NOW + 310, ()).record
    assert entry["kind"] == "rehearsal"
    assert entry["actual_seconds"] == 300
    assert not entry["inside"]


def test_a_record_is_bounded():
    found = at_sync()
    for number in range(RECORD + 5):
        found = replace(at_sync(), record=found.record).synced(NOW + 50 + number)
        found = found.completed(NOW + 60 + number)
    assert len(found.record) == RECORD


def test_the_budget_runs_out_from_the_first_stop():
    assert replace(NEW, budget=60).runs_out() is None
    assert replace(at_sync(), budget=60).runs_out() == NOW + 61
    assert at_sync().runs_out() is None


def test_every_step_but_the_last_has_a_way_back_with_its_price():
    prices = {step: way_back(step, 3) for step in Step}
    assert prices.pop(Step.COMPLETE) is None
    seconds = [each["seconds"] for each in prices.values()]
    assert seconds == sorted(seconds)
    assert seconds[0] == 0


@pytest.mark.parametrize(
    ("state", "cutover", "code"),
    [
        (CUTTING_OVER, at_sync(), None),
        (WORKING[1], at_sync(), None),
        (State(Status.WAITING), None, "Cutover.NotUnderWay"),
        (WORKING[1], None, "Cutover.NotUnderWay"),
        (State(Status.WAITING), at_sync().turned("x", "", NOW).returned(NOW, ()),
         "Cutover.NotUnderWay"),
    ],
)  # fmt: skip
def test_abort_is_for_a_cutover_under_way(state, cutover, code):
    job = job_in(state, cutover=cutover.kept() if cutover else {})
    refused = abort_refusal(job)
    assert (refused and refused.code) == code


_steps = st.lists(
    st.tuples(
        st.sampled_from(["begun", "ended", "turned", "synced", "returned", "completed"]),
        st.sampled_from(list(Step)),
        st.floats(0, 1000),
    ),
    max_size=12,
)


@given(_steps, st.lists(st.sampled_from(STOPPED), max_size=3), st.none() | st.just(THOUGHT))
def test_nothing_is_lost_by_keeping_it(steps, results, thought):
    found = replace(NEW, results=tuple(results), forecast=thought)
    for verb, step, passed in steps:
        at = NOW + passed
        match verb:
            case "begun":
                found = found.begun(step, at)
            case "ended":
                found = found.ended(step, at)
            case "turned":
                found = found.turned("Cutover.Aborted", "", at)
            case "synced":
                found = found.synced(at)
            case "returned":
                found = found.returned(at, ())
            case _:
                found = found.completed(at)
        assert Cutover.of(json.loads(json.dumps(found.kept()))) == found
        told = document(found, JOB, NOW + 2000, instant)
        json.dumps(told)
        assert told["downtime_seconds"] is None or told["downtime_seconds"] >= 0
        assert set(found.to_start) <= set(UNITS)


def test_no_cutover_is_kept_as_nothing():
    assert Cutover.of({}) is None
    assert document(None, JOB, NOW, instant) is None


@pytest.mark.parametrize(
    ("cutover", "words"),
    [
        (replace(at_sync(), budget=600),
         "final sync; downtime 10s so far, forecast 1m 37s (1m 2s to 2m 20s), budget 10m"),
        (replace(at_sync(), rehearsal=True).synced(NOW + 101).returned(NOW + 103, ()),
         "rehearsal, gone back; downtime 1m 42s, forecast 1m 40s (1m to 2m 30s)"),
        (at_sync().turned("Link.Lost", "", NOW + 8).returned(NOW + 9, ["a.service"]),
         "gone back (Link.Lost); downtime 8s, forecast 1m 40s (1m to 2m 30s);"
         " NOT started again: a.service"),
    ],
)  # fmt: skip
def test_a_cutover_in_one_line(cutover, words):
    assert summary(document(cutover, JOB, NOW + 11, instant)) == words
