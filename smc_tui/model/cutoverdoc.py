"""What is told of a cutover: as a document, and before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from smc_tui.model.cutover import Cutover, Mark, Stage, Step, StepRecord
from smc_tui.model.forecast import START_EACH, Forecast, since
from smc_tui.model.things import Job
from smc_tui.model.units import duration_text

#: What stopping a run at a safe point and reaching the source take, seconds.
_TURNING = 3.0

#: What the way back from a step is.
_WAYS: Mapping[Step, str] = MappingProxyType(
    {
        Step.CHECKLIST: "nothing was stopped; the job goes on waiting",
        Step.STOP: "what was stopped is started again; the job goes on waiting",
        Step.QUIET: "what was stopped is started again; the job goes on waiting",
        Step.SYNC: "the sync stops safely, what was stopped is started again; the job goes on"
        " waiting, blocks already stored are not sent again",
    }
)


def way_back(step: Step, units: int, start_each: float = START_EACH) -> dict[str, Any] | None:
    """Return the way back from a step and what it costs, seconds; None: there is none.

    Args:
        step: from where.
        units: how many services are stopped.
        start_each: what one takes to start, seconds.
    """
    if step not in _WAYS:
        return None
    starts = 0.0 if step is Step.CHECKLIST else units * start_each
    turning = _TURNING if step is Step.SYNC or starts else 0.0
    return {"does": _WAYS[step], "seconds": round(starts + turning, 1)}


def problems(found: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the services that were named, as a look found them."""
    wrong = [f"nothing matches {pattern}" for pattern in found["unmatched"]]
    return wrong + [
        f"{unit['name']} stays: {unit['kept']}" for unit in found["units"] if unit["kept"]
    ]


def warnings(found: Mapping[str, Any]) -> list[str]:
    """Return what would start a stopped service again, and is not to be stopped itself."""
    named = {unit["name"] for unit in found["units"]}
    return [
        f"{trigger} may start {unit['name']} again: stop it too"
        for unit in found["units"] if unit["active"]
        for trigger in unit["triggered_by"] if trigger not in named
    ]  # fmt: skip


def rehearsal_document(
    job: Job, cutover: Cutover, found: Mapping[str, Any], thought: Forecast | None
) -> dict[str, Any]:
    """Return what a cutover would do, nothing being done.

    Args:
        job: whose.
        cutover: as it was asked for.
        found: the services, as a look found them.
        thought: the forecast, where there is one.
    """
    stopping = [unit for unit in found["units"] if unit["active"] and not unit["kept"]]
    ports = {(port["protocol"], port["port"]) for unit in stopping for port in unit["ports"]}
    return {
        "job": {"id": job.id, "name": job.name},
        "units": list(found["units"]),
        "stopping": [unit["name"] for unit in stopping],
        "ports": [{"protocol": name, "port": port} for name, port in sorted(ports)],
        "connections": sum(unit["connections"] for unit in stopping),
        "problems": problems(found),
        "warnings": warnings(found),
        "forecast": thought.document() if thought else None,
        "budget_seconds": cutover.budget or None,
        "inside_budget": _inside(thought, cutover.budget),
        "steps": [{"step": str(step), "way_back": way_back(step, len(stopping))} for step in Step],
        "record": list(cutover.record),
    }


def _inside(thought: Forecast | None, budget: int) -> str | None:
    """Return whether a forecast is inside a budget: the whole band, a part of it, nothing."""
    if thought is None or not budget:
        return None
    if thought.high <= budget:
        return "yes"
    return "perhaps" if thought.low <= budget else "no"


def document(cutover: Cutover | None, job: Job, now: float, instant: Any) -> dict[str, Any] | None:
    """Return a cutover for programs and pages.

    Args:
        cutover: as the job keeps it.
        job: with what its run shows of itself.
        now: the engine's clock, POSIX seconds.
        instant: how an instant is written.
    """
    if cutover is None:
        return None
    downtime = cutover.downtime(now)
    present = since(cutover.forecast, _done(cutover), _elapsed(cutover, now), job.live)
    shown = present if cutover.stage is Stage.FORWARD else None
    return {
        "stage": str(cutover.stage),
        "rehearsal": cutover.rehearsal,
        "started": instant(cutover.started),
        "actor": cutover.actor,
        "patterns": list(cutover.patterns),
        "units": list(cutover.units),
        "results": [dict(each) for each in cutover.results],
        "budget_seconds": cutover.budget or None,
        "hold": cutover.hold,
        "over_budget": cutover.over,
        "down_since": instant(cutover.down_since),
        "up_since": instant(cutover.up_since),
        "downtime_seconds": None if downtime is None else round(downtime, 3),
        "forecast": cutover.forecast.document() if cutover.forecast else None,
        "forecast_now": shown.document() if shown else None,
        "run_id": cutover.run_id or None,
        "code": cutover.why or None,
        "detail": cutover.detail or None,
        "left_stopped": list(cutover.left),
        "steps": [_step(each, cutover, instant) for each in cutover.steps],
        "record": [{**each, "at": instant(each["at"])} for each in cutover.record],
    }


def summary(told: Mapping[str, Any]) -> str:
    """Return a cutover's document in one line."""
    words = f"{'rehearsal, ' if told['rehearsal'] else ''}{told['stage']}"
    step = next((each["step"] for each in told["steps"] if each["state"] == Mark.RUNNING), None)
    if told["stage"] == Stage.FORWARD and step:
        words = f"{words.replace(Stage.FORWARD, '')}{step}"
    if told["code"]:
        words += f" ({told['code']})"
    if told["downtime_seconds"] is not None:
        so_far = "" if told["up_since"] else " so far"
        words += f"; downtime {duration_text(told['downtime_seconds'])}{so_far}"
    thought = told["forecast_now"] or told["forecast"]
    if thought:
        band = (duration_text(thought[f"{end}_seconds"]) for end in ("low", "high"))
        words += f", forecast {duration_text(thought['seconds'])} ({' to '.join(band)})"
    if told["budget_seconds"]:
        over = ", used up" if told["over_budget"] else ""
        words += f", budget {duration_text(told['budget_seconds'])}{over}"
    if told["left_stopped"]:
        words += f"; NOT started again: {', '.join(told['left_stopped'])}"
    return words


def _step(record: StepRecord, cutover: Cutover, instant: Any) -> dict[str, Any]:
    seconds = record.seconds
    return {
        "step": str(record.step),
        "state": str(record.state),
        "started": instant(record.started),
        "ended": instant(record.ended),
        "seconds": None if seconds is None else round(seconds, 3),
        "told": record.told or None,
        "way_back": way_back(record.step, len(cutover.units)),
    }


def _done(cutover: Cutover) -> dict[str, float]:
    """Return what the forecast's parts that are over have taken, by the clock of the downtime."""
    stop, quiet, sync = (cutover.step(step) for step in (Step.STOP, Step.QUIET, Step.SYNC))
    found: dict[str, float] = {}
    if quiet.state is Mark.DONE and quiet.ended is not None and stop.started is not None:
        found["stop"] = max(0.0, quiet.ended - stop.started)
        if sync.state is Mark.DONE and sync.seconds is not None:
            found["sync"] = max(0.0, sync.seconds)
    return found


def _elapsed(cutover: Cutover, now: float) -> float:
    """Return how long the forecast's part under way has been under way."""
    present = cutover.current
    if present is None or present.step is Step.CHECKLIST:
        return 0.0
    began = cutover.step(Step.STOP if present.step is Step.QUIET else present.step).started
    return max(0.0, now - began) if began is not None else 0.0
