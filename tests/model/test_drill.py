"""When a drill is owed, and what is said of one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from smc_tui.model.drill import COUNTS_FOR, estimate_rows, owed, summary
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.things import DrillMode
from smc_tui.model.units import rfc3339
from tests.model.samples import NOW, job_in


def drilled(mode="before", status=Status.READY, result=None, ago=0.0):
    job = job_in(State(status))
    kept = {"result": result, "at": rfc3339(NOW - ago), "items": []} if result else {}
    return replace(job, settings=replace(job.settings, drill=DrillMode(mode)), drill_report=kept)


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (drilled(), True),
        (drilled("only"), True),
        (drilled("off"), False),
        (drilled(result="Passed"), False),
        (drilled(result="Warning"), False),
        (drilled(result="Warning", ago=COUNTS_FOR - 1), False),
        (drilled(result="Passed", ago=COUNTS_FOR + 1), True),
        (drilled("only", result="Passed"), True),
        (drilled(result="Critical"), True),
        (drilled(status=Status.DRILL_EXCEPTION, result="Critical"), True),
        # The latest one could not be made: an earlier one that passed does not count.
        (drilled(status=Status.IN_ERROR, result="Passed"), True),
        (drilled("off", status=Status.DRILL_EXCEPTION, result="Critical"), False),
        (replace(drilled(), drill_report={"result": "Passed", "at": "yesterday"}), True),
    ],
)
def test_when_a_start_begins_with_a_drill(job, expected):
    assert owed(job, False, NOW) is expected
    assert not owed(job, True, NOW)


def test_a_report_in_one_line():
    levels = ("Critical", "Warning", "Warning", "Passed", "Not checked")
    report = {"result": "Critical", "items": [{"level": level} for level in levels]}
    assert summary(report) == "Critical: 1 critical, 2 warning, 1 passed, 1 not checked"


def test_what_is_not_known_of_an_estimate_is_said():
    rows = dict(estimate_rows({"estimate": {"bytes_used": 1 << 30, "full_seconds": None}}))
    assert rows["Data in use"] == "1.00 GiB"
    assert rows["First migration"] == "not known"
    assert estimate_rows({"estimate": {}}) == []
