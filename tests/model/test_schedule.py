"""When something is due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model import schedule
from smc_tui.model.instants import ChangeDetection, Reading
from smc_tui.model.lifecycle import STATES, RunKind, State, Status
from smc_tui.model.schedule import Due
from smc_tui.model.units import DAY, HOUR
from tests.model.samples import JOB, NOW, RUN, job_in


def test_the_interval_counts_from_the_end():
    assert schedule.next_run(NOW, 6 * HOUR) == NOW + 6 * HOUR
    assert schedule.next_run(NOW, 0) is None


def test_a_changed_interval_leaves_the_next_run_where_it_is():
    waiting = job_in(State(Status.WAITING), next_run=NOW + HOUR)
    changed = replace(waiting, settings=replace(waiting.settings, interval=7 * DAY))
    assert schedule.next_instant(changed) == NOW + HOUR
    assert schedule.due(changed, NOW + HOUR) is Due.RUN


@pytest.mark.parametrize("state", STATES, ids=str)
def test_only_waiting_and_scheduled_jobs_run_by_themselves(state):
    job = job_in(state, next_run=NOW)
    runs = schedule.due(job, NOW) is Due.RUN
    assert runs == (state.status in (Status.READY, Status.WAITING))


@pytest.mark.parametrize("state", STATES, ids=str)
def test_only_idle_unfinished_jobs_expire(state):
    end = JOB.settings.valid_until
    job = job_in(state)
    assert schedule.due(job, end - 1) is None
    expires = schedule.due(job, end) is Due.EXPIRE
    assert expires == (str(state) in ("Ready", "Stopped", "InError", "Waiting"))


def test_expiry_comes_before_a_run_that_is_due_too():
    job = job_in(State(Status.WAITING), next_run=NOW)
    assert schedule.due(job, job.settings.valid_until) is Due.EXPIRE


def test_an_expired_job_is_deleted_a_week_later():
    job = job_in(State(Status.EXPIRED), expired=NOW)
    assert schedule.next_instant(job) == NOW + 7 * DAY
    assert schedule.due(job, NOW + 7 * DAY - 1) is None
    assert schedule.due(job, NOW + 7 * DAY) is Due.DELETE


def test_a_finished_job_asks_nothing_of_the_clock():
    assert schedule.next_instant(job_in(State(Status.FINISHED), next_run=NOW)) is None


def earlier(text):
    """Runs before this one: ``F`` compared everything, ``t`` had the trace, ``-`` no image."""
    found = {"F": ChangeDetection.FULL, "t": ChangeDetection.TRACE, "?": None, "-": None,
             "n": ChangeDetection.NOTHING}  # fmt: skip
    return [
        replace(RUN, id=f"r-{at:08x}", published=sign != "-", reading=Reading(found[sign]))
        for at, sign in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("before", "every", "full"),
    [
        ("", 24, False),  # the first run compares everything in any case
        ("F", 1, True),
        ("F", 2, False),
        ("Ft", 2, True),
        ("Fn", 2, True),
        ("Ft", 3, False),
        ("Ftn", 3, True),
        ("FttF", 3, False),
        ("Ft--", 3, False),  # what made no image is not counted
        ("Ft-t", 3, True),
        ("???", 4, True),  # what older runs did is not known
        ("F" + 22 * "t", 24, False),
        ("F" + 23 * "t", 24, True),
        ("F" + 40 * "t", 24, True),
    ],
)
def test_one_of_so_many_runs_compares_everything(before, every, full):
    assert schedule.full_comparison(RunKind.SCHEDULE, earlier(before), every) is full
    assert schedule.full_comparison(RunKind.LAST, earlier(before), every) is True
