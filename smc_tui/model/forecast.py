"""How long a cutover will keep its services down: parts and a band, from earlier runs.

What compares everything takes what reading everything takes; what is to be sent grows
with the time since the last run; the two overlap, so the longer one counts. Both speeds
are those of this job's own runs. The band is as wide as those runs were spread, wider
where there are few, and moved to where this job's earlier cutovers really ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from smc_tui.model.instants import ChangeDetection
from smc_tui.model.lifecycle import Phase, RunKind
from smc_tui.model.things import Event, Job, Run

#: What a service takes to stop and to start where nothing was measured, seconds.
STOP_EACH = 2.0
START_EACH = 2.0
#: ... and the check whether the source is quiet, with its connection.
QUIET = 2.0

#: Runs that count, newest first; older ones tell of another server.
_NEWEST = 12
#: Below this share of what was compared, what was sent did not matter to a run's time.
_LITTLE = 0.2
#: Half a band's width by the number of runs it rests on; never narrower than the last.
_WIDTHS = (1.0, 0.6, 0.45, 0.35, 0.3)
#: What no band is narrower than on either side, seconds.
_SLACK = 2.0
_MIB = 1 << 20
#: Bits a second in a Mbit/s.
_MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast of the downtime, seconds.

    Attributes:
        stop: stopping the services, and seeing that the source is quiet.
        sync: comparing and sending.
        publish: making an image of it.
        low: the band's lower end.
        high: its upper end.
        runs: how many earlier runs it rests on.
        bytes: what is expected to be sent.
        full: whether the final sync compares everything.
    """

    stop: float
    sync: float
    publish: float
    low: float
    high: float
    runs: int = 0
    bytes: int = 0
    full: bool = True

    @property
    def seconds(self) -> float:
        """All parts together."""
        return round(self.stop + self.sync + self.publish, 3)

    def document(self) -> dict[str, Any]:
        """Return the same for programs."""
        parts = {"stop": self.stop, "sync": self.sync, "publish": self.publish}
        return {
            "seconds": self.seconds,
            "low_seconds": round(self.low, 3),
            "high_seconds": round(self.high, 3),
            "parts": {name: round(value, 3) for name, value in parts.items()},
            "runs": self.runs,
            "bytes_expected": self.bytes,
            "full_comparison": self.full,
        }


def forecast(
    job: Job,
    runs: Sequence[Run],
    events: Iterable[Event],
    units: int,
    now: float,
    record: Sequence[Mapping[str, Any]] = (),
) -> Forecast | None:
    """Return what a cutover now would take, None where no run of the job has ended well.

    Args:
        job: whose.
        runs: all its runs, oldest first.
        events: its history, oldest first: what publishing took.
        units: how many services are to be stopped.
        now: the engine's clock, POSIX seconds.
        record: forecast and actual of its earlier cutovers and rehearsals.
    """
    good = [run for run in runs if run.published and run.counters.total and run.seconds > 0]
    if not good:
        return None
    recent = good[-_NEWEST:]
    expected = _expected(recent, now)
    samples = [_time(run, recent, run.counters.sent, job.settings.limit_mbit) for run in recent]
    point = _time(recent[-1], recent, expected, job.settings.limit_mbit)
    publish = min(_publishing(events), 0.9 * point)
    stop = _stopping(record, units)
    ratios = [run.seconds / guess for run, guess in zip(recent, samples, strict=True) if guess > 0]
    comparable = [r for r, run in zip(ratios, recent, strict=False) if _is_comparison(run)] or [1.0]
    plain = Forecast(stop, point - publish, publish, 0.0, 0.0, len(recent), expected)
    return _banded(_calibrated(plain, record), comparable)


def since(
    before: Forecast | None, done: Mapping[str, float], elapsed: float, live: Mapping[str, Any]
) -> Forecast | None:
    """Return the forecast of a cutover under way: what is done counts as it was.

    Args:
        before: the forecast before it began.
        done: what the parts that are over have taken, seconds by their names.
        elapsed: how long the present step has been under way, seconds.
        live: what the run shows of itself; ``remaining_seconds`` where it knows.
    """
    if before is None:
        return None
    stop = done.get("stop", before.stop)
    sync, publish = before.sync, before.publish
    remaining = live.get("remaining_seconds")
    if "sync" in done:  # with its publishing: the image is there when it has ended
        sync, publish = done["sync"], 0.0
    elif "stop" in done and isinstance(remaining, int | float):
        sync = elapsed + max(0.0, float(remaining))
    elif "stop" in done:
        sync = max(sync, elapsed)
    else:
        stop = max(stop, elapsed)
    spent = sum(done.values()) + (0.0 if "sync" in done else elapsed)
    whole = stop + sync + publish
    left = max(0.0, whole - spent)
    first = max(before.seconds, 1e-9)
    down, up = max(0.0, 1 - before.low / first), max(0.0, before.high / first - 1)
    low, high = max(min(spent, whole), whole - down * left), whole + up * left
    return replace(before, stop=stop, sync=sync, publish=publish, low=low, high=high)


# The parts


def _is_comparison(run: Run) -> bool:
    """Tell whether a run read everything, as a final sync does."""
    return run.reading.detection in (None, ChangeDetection.FULL)


def _time(run: Run, recent: Sequence[Run], sent: int, limit_mbit: int) -> float:
    """Return what comparing everything and sending so much takes at these runs' speeds."""
    comparing = _compare_cost(recent) * run.counters.total
    sending = _send_cost(recent) * sent
    if limit_mbit:
        sending = max(sending, sent * 8 / (limit_mbit * _MEGA * 2))  # half of it compresses away
    return max(comparing, sending, 0.1)


def _compare_cost(runs: Sequence[Run]) -> float:
    """Return seconds a byte of comparing: of runs that sent little, else the best of all."""
    full = [run for run in runs if _is_comparison(run) and run.counters.compared]
    light = [run for run in full if run.counters.sent <= _LITTLE * run.counters.compared]
    costs = [run.seconds / run.counters.compared for run in light or full]
    return (median(costs) if light else min(costs)) if costs else 0.0


def _send_cost(runs: Sequence[Run]) -> float:
    """Return seconds a byte of sending: of the run that sent best."""
    costs = [run.seconds / run.counters.sent for run in runs if run.counters.sent >= _MIB]
    return min(costs, default=0.0)


def _expected(runs: Sequence[Run], now: float) -> int:
    """Return the bytes that have changed since the last run, at the rate of those before."""
    rates = []
    for earlier, run in pairwise(runs):
        passed = run.started - earlier.started
        if run.kind is not RunKind.FULL and passed > 0:
            rates.append(run.counters.sent / passed)
    if not rates:
        return 0
    total = runs[-1].counters.total
    return min(total, int(median(rates) * max(0.0, now - runs[-1].started)))


def _publishing(events: Iterable[Event]) -> float:
    """Return the seconds from the last byte to the image, of this job's own runs."""
    processing = f"Running:{Phase.PROCESSING}"
    began, took = None, []
    for event in events:
        if event.action == "phase":
            began = event.at if event.result == processing else None
        elif event.action == "image published" and began is not None:
            took.append(max(0.0, event.at - began))
            began = None
    return median(took[-_NEWEST:]) if took else 0.0


def _stopping(record: Sequence[Mapping[str, Any]], units: int) -> float:
    measured = [each["stop_seconds"] for each in record if each.get("stop_seconds") is not None]
    if not units:
        return 0.0
    return (median(measured) if measured else units * STOP_EACH) + QUIET


# The band


def _calibrated(found: Forecast, record: Sequence[Mapping[str, Any]]) -> Forecast:
    """Move a forecast to where this job's earlier ones really ended."""
    ratios = [
        each["actual_seconds"] / each["forecast_seconds"]
        for each in record
        if each.get("forecast_seconds")
    ]
    if len(ratios) < 2:
        return found
    factor = min(2.0, max(0.5, median(ratios[-_NEWEST:])))
    return replace(found, sync=found.sync * factor, publish=found.publish * factor)


def _banded(found: Forecast, ratios: Sequence[float]) -> Forecast:
    width = _WIDTHS[min(len(ratios), len(_WIDTHS)) - 1]
    low = min(1.0, *ratios, 1 - width / 2) if ratios else 1 - width / 2
    high = max(1.0, *ratios, 1 + width)
    seconds = found.seconds
    return replace(
        found,
        low=max(0.0, min(seconds * max(0.2, low), seconds - _SLACK)),
        high=max(seconds * min(3.0, high), seconds + _SLACK),
    )
