"""When something is due.

The interval counts from the END of a run: a job's ``next_run`` is fixed once, when
a run ends, from the interval of that moment. So a changed interval takes effect
after the next synchronisation, without anything having to remember the old one.

``next_run`` is cleared in the transaction that starts the run and set again in the
one that ends it. A clock that jumps forward therefore finds one instant to be
late for, not several, and one that jumps back finds none to repeat: no run is made
twice and none is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from smc_tui.model.cutover import under_way
from smc_tui.model.instants import ChangeDetection
from smc_tui.model.lifecycle import EXPIRABLE, RunKind, Status
from smc_tui.model.things import Job, Run
from smc_tui.model.units import DAY

#: An expired job is deleted this long after it expired.
DELETED_AFTER = 7 * DAY


class Due(StrEnum):
    """What the clock asks for."""

    RUN = "run"
    EXPIRE = "expire"
    DELETE = "delete"
    BUDGET = "budget"


def next_run(ended: float, interval: int) -> float | None:
    """Return when the next run starts; None for a once-only job (interval 0)."""
    return ended + interval if interval else None


def full_comparison(kind: RunKind, earlier: Sequence[Run], every: int) -> bool:
    """Tell whether a run is to compare everything, whatever is known of what was written.

    Args:
        kind: the run's.
        earlier: the job's runs before it, oldest first; those without an image do not count.
        every: so many runs have one among them.
    """
    if kind is RunKind.LAST:
        return True
    since = 0
    for run in reversed(earlier):
        if not run.published:
            continue
        if run.reading.detection is ChangeDetection.FULL:
            break
        since += 1
    return since + 1 >= every


def instants(job: Job) -> dict[Due, float]:
    """Return what the clock will ask of a job, and when."""
    found: dict[Due, float] = {}
    if job.next_run is not None and job.status in (Status.READY, Status.WAITING):
        found[Due.RUN] = job.next_run
    if job.status in EXPIRABLE:
        found[Due.EXPIRE] = job.settings.valid_until
    if job.status is Status.EXPIRED and job.expired is not None:
        found[Due.DELETE] = job.expired + DELETED_AFTER
    cutover = under_way(job) if job.cutover else None
    if cutover is not None and not cutover.over and (at := cutover.runs_out()) is not None:
        found[Due.BUDGET] = at
    return found


def due(job: Job, now: float) -> Due | None:
    """Return what is due, the end of the valid time before a run."""
    late = [what for what, at in instants(job).items() if at <= now]
    order = (Due.BUDGET, Due.DELETE, Due.EXPIRE, Due.RUN)
    return next((what for what in order if what in late), None)


def next_instant(job: Job) -> float | None:
    """Return the next instant at which the clock asks anything of the job."""
    return min(instants(job).values(), default=None)
