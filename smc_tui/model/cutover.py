"""The cutover as data: its steps, its clock, its way back, what it was thought to take.

A ``Cutover`` is kept with its job and shown as it is: every instant in it is the engine's,
so every console and every later look has the same clock. It changes by a new one taking
its place; the engine writes each down before it does what comes next. The downtime runs
from the stop of the first service to the job's end, or until all run again.

Until the image of the final sync is published there is a way back from every step: what
was stopped is started again, and the job waits as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from smc_tui.model.errors import SmcError
from smc_tui.model.forecast import Forecast
from smc_tui.model.lifecycle import WORKING, Phase, Status
from smc_tui.model.things import Job

#: How many earlier cutovers and rehearsals a job keeps for the accuracy of its forecasts.
RECORD = 30


class Step(StrEnum):
    """The steps, in their order."""

    CHECKLIST = "checklist"
    STOP = "stop services"
    QUIET = "quiet check"
    SYNC = "final sync"
    COMPLETE = "complete"


class Mark(StrEnum):
    """Where a step is."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Stage(StrEnum):
    """Where a cutover is."""

    FORWARD = "forward"
    BACK = "going back"
    COMPLETED = "completed"
    RETURNED = "gone back"


UNDER_WAY = (Stage.FORWARD, Stage.BACK)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. Instants are POSIX seconds of the engine's clock; ``told`` is its result."""

    step: Step
    state: Mark = Mark.PENDING
    started: float | None = None
    ended: float | None = None
    told: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not ended."""
        return None if self.started is None or self.ended is None else self.ended - self.started


@dataclass(frozen=True, slots=True)
class Cutover:
    """One cutover, or one rehearsal of it.

    Attributes:
        started: when it was asked for.
        actor: by whom.
        patterns: what was named.
        units: what ran when it began and is to be stopped, in order.
        budget: the downtime allowed, seconds; 0: none was given.
        hold: goes back by itself when the budget is used up.
        rehearsal: goes back after the final sync, whatever comes of it.
        results: what came of each unit that was tried, as the source said.
        down_since: when the first service was told to stop.
        up_since: when all that were stopped ran again, or the job had ended.
        forecast: what was thought before it began.
        run_id: the run of its final sync.
        why: the code for which it goes back, empty while it does not.
        detail: that code's facts.
        left: services that could not be started again.
        over: whether it was told that the budget is used up.
        record: forecast and actual of this job's earlier ones, oldest first.
    """

    started: float
    actor: str
    patterns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    budget: int = 0
    hold: bool = False
    rehearsal: bool = False
    stage: Stage = Stage.FORWARD
    steps: tuple[StepRecord, ...] = tuple(StepRecord(step) for step in Step)
    results: tuple[Mapping[str, Any], ...] = ()
    down_since: float | None = None
    up_since: float | None = None
    forecast: Forecast | None = None
    run_id: str = ""
    why: str = ""
    detail: str = ""
    left: tuple[str, ...] = ()
    over: bool = False
    record: tuple[Mapping[str, Any], ...] = field(default=())

    # What it is kept as

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self | None:
        """Return what a job keeps; None where there was no cutover yet."""
        if not kept:
            return None
        steps = tuple(
            StepRecord(**{**each, "step": Step(each["step"]), "state": Mark(each["state"])})
            for each in kept["steps"]
        )
        said = kept["forecast"]
        lists = {name: tuple(kept[name]) for name in _LISTS}
        rest = {name: value for name, value in kept.items() if name not in lists}
        made = {"stage": Stage(kept["stage"]), "steps": steps}
        return cls(**{**rest, **lists, **made, "forecast": said and Forecast(**said)})

    def kept(self) -> dict[str, Any]:
        """Return what a job keeps of it: JSON values."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: list(getattr(self, name)) for name in _LISTS},
            "stage": str(self.stage),
            "steps": [asdict(each) for each in self.steps],
            "forecast": asdict(self.forecast) if self.forecast else None,
        }

    # Where it is

    @property
    def under_way(self) -> bool:
        """Whether it has not ended."""
        return self.stage in UNDER_WAY

    @property
    def current(self) -> StepRecord | None:
        """The step under way."""
        return next((each for each in self.steps if each.state is Mark.RUNNING), None)

    def step(self, step: Step) -> StepRecord:
        """Return a step's record."""
        return next(each for each in self.steps if each.step is step)

    @property
    def to_start(self) -> tuple[str, ...]:
        """What the way back starts: each unit that was stopped, or may have been.

        While the stop has not been heard to its end, that is every unit that ran.
        """
        stop = self.step(Step.STOP)
        if stop.started is None:
            return ()
        if stop.state is Mark.RUNNING:
            return self.units
        tried = {each["name"]: each["result"] for each in self.results}
        return tuple(unit for unit in self.units if tried.get(unit) in ("stopped", "failed"))

    def downtime(self, now: float) -> float | None:
        """Return the seconds of downtime so far, or in all; None: nothing was stopped."""
        if self.down_since is None:
            return None
        return max(0.0, (now if self.up_since is None else self.up_since) - self.down_since)

    def runs_out(self) -> float | None:
        """Return when the budget is used up; None without one, or before the first stop."""
        if not self.budget or self.down_since is None:
            return None
        return self.down_since + self.budget

    def account(self) -> dict[str, Any]:
        """Return what its last event says: downtime and forecast, seconds."""
        downtime = self.downtime(self.started)
        thought = self.forecast.seconds if self.forecast else None
        facts = {"downtime_seconds": downtime, "forecast_seconds": thought}
        return {name: round(each, 3) for name, each in facts.items() if each is not None}

    # How it goes on

    def begun(self, step: Step, at: float) -> Cutover:
        """Return it with a step begun; a step that is begun again keeps its first instant."""
        first = self.step(step).started
        marked = StepRecord(step, Mark.RUNNING, at if first is None else first)
        down = self.down_since
        if step is Step.STOP and down is None and self.units:
            down = at
        return replace(self, steps=self._with(marked), down_since=down)

    def ended(self, step: Step, at: float, told: str = "", *, failed: bool = False) -> Cutover:
        """Return it with a step ended."""
        mark = Mark.FAILED if failed else Mark.DONE
        began = self.step(step).started
        return replace(self, steps=self._with(StepRecord(step, mark, began, at, told)))

    def turned(self, code: str, detail: str, at: float) -> Cutover:
        """Return it on its way back; the first reason stays."""
        if self.stage is Stage.BACK:
            return self
        found = replace(self, stage=Stage.BACK, why=code, detail=detail)
        present = self.current
        if present is not None and present.step is not Step.STOP:
            found = found.ended(present.step, at, code, failed=True)
        return found

    def synced(self, at: float) -> Cutover:
        """Return it with the final sync's image published: the point of no return.

        Not where it had turned back meanwhile, nor for a rehearsal: then the image is one
        like any other.
        """
        found = self.ended(Step.SYNC, at)
        if self.rehearsal:
            return found.turned("", "rehearsed", at)
        return found if self.stage is Stage.BACK else found.begun(Step.COMPLETE, at)

    def returned(self, at: float, left: Sequence[str]) -> Cutover:
        """Return it at the end of its way back."""
        up = at if self.down_since is not None else None
        found = replace(self, stage=Stage.RETURNED, up_since=up, left=tuple(left))
        if found.current is not None:
            found = found.ended(found.current.step, at, self.why, failed=True)
        return found._recorded()

    def completed(self, at: float) -> Cutover:
        """Return it at its end."""
        found = self.ended(Step.COMPLETE, at)
        up = at if self.down_since is not None else None
        return replace(found, stage=Stage.COMPLETED, up_since=up)._recorded()

    def _with(self, record: StepRecord) -> tuple[StepRecord, ...]:
        return tuple(record if each.step is record.step else each for each in self.steps)

    def _recorded(self) -> Cutover:
        """Return it with its accuracy noted, where its final sync was made."""
        synced = self.step(Step.SYNC)
        if self.forecast is None or synced.state is not Mark.DONE or synced.ended is None:
            return self
        began = self.down_since if self.down_since is not None else synced.started
        actual = max(0.0, synced.ended - (began if began is not None else synced.ended))
        stop = self.step(Step.STOP).seconds
        entry = {
            "at": self.started,
            "kind": "rehearsal" if self.stage is Stage.RETURNED else "cutover",
            "forecast_seconds": self.forecast.seconds,
            "low_seconds": self.forecast.low,
            "high_seconds": self.forecast.high,
            "actual_seconds": round(actual, 3),
            "stop_seconds": None if stop is None else round(stop, 3),
            "inside": self.forecast.low <= actual <= self.forecast.high,
        }
        return replace(self, record=(*self.record, entry)[-RECORD:])


_LISTS = ("patterns", "units", "results", "left", "record")
_PLAIN = (
    "started", "actor", "budget", "hold", "rehearsal", "down_since", "up_since", "run_id",
    "why", "detail", "over",
)  # fmt: skip


def under_way(job: Job) -> Cutover | None:
    """Return a job's cutover while it is under way."""
    found = Cutover.of(job.cutover)
    return found if found is not None and found.under_way else None


def abort_refusal(job: Job) -> SmcError | None:
    """Return why a job's cutover cannot be aborted now, or None where it can."""
    found = under_way(job)
    in_time = job.phase is Phase.CUTOVER or job.state in WORKING
    if found is not None and job.status is Status.RUNNING and in_time:
        return None
    late = found is not None
    return SmcError(
        "Cutover.NotUnderWay",
        f"the cutover of {job.name} is past its last step back" if late
        else f"{job.name} is {job.state}",
        status=str(job.status),
    )  # fmt: skip
