"""Which of a job's settings may be changed when.

The lifecycle's rule as a table: name and description always; interval and reserved
images before the first run or in Waiting; speed limit and compression as long as
the job is unfinished (a running worker is told at once); the valid time while
unfinished; the image's name before the first run. The migration drill may be changed
before the first run, which is also where a drill left it that failed: turning it off
there is how a person goes on in spite of what it found. What happens around the freeze
may be changed whenever no run is under way, as a run is told of it when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from smc_tui.model.actions import status_word
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import UNFINISHED, Status
from smc_tui.model.things import Job


@dataclass(frozen=True, slots=True)
class When:
    """In which statuses a setting may be changed, and in words."""

    words: str
    statuses: frozenset[Status]


_ALWAYS = When("always", frozenset(Status) - {Status.DELETING})
_BETWEEN = When("before the first run and in Waiting", frozenset({Status.READY, Status.WAITING}))
_UNFINISHED = When("while the job is unfinished", UNFINISHED - {Status.EXPIRED})
_AT_REST = When("while no run is under way", _UNFINISHED.statuses - {Status.RUNNING})
_FIRST = When("before the first run", frozenset({Status.READY}))
_DRILL = When(
    "before the first run, in Drill Exception and in InError",
    frozenset({Status.READY, Status.DRILL_EXCEPTION, Status.IN_ERROR}),
)

CHANGEABLE: Mapping[str, When] = MappingProxyType(
    {
        "name": _ALWAYS,
        "description": _ALWAYS,
        "interval": _BETWEEN,
        "keep": _BETWEEN,
        "limit_mbit": _UNFINISHED,
        "compression": _UNFINISHED,
        "valid": _UNFINISHED,
        "image_name": _FIRST,
        "drill": _DRILL,
        "instant": _AT_REST,
        "before_freeze": _AT_REST,
        "after_thaw": _AT_REST,
        "hook_timeout": _AT_REST,
    }
)


def refusal(setting: str, job: Job) -> SmcError | None:
    """Return why a setting of a job may not be changed now, or None where it may."""
    if setting not in CHANGEABLE:
        known = ", ".join(CHANGEABLE)
        return SmcError("InvalidParameter.Unknown", f"{setting} cannot be changed; {known} can")
    when = CHANGEABLE[setting]
    if setting == "interval" and job.settings.once:
        return SmcError("ReplicationJob.OnceOnly", f"{job.name} runs once, it has no interval")
    if job.status in when.statuses:
        return None
    return SmcError(
        "ReplicationJob.InvalidStatus",
        f"{setting} can be changed {when.words}; {job.name} is {status_word(job.state)}",
        status=str(job.status),
        phase=str(job.phase or ""),
        allowed=sorted(str(status) for status in when.statuses),
    )
