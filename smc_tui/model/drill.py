"""A migration drill's report: what was looked at, what was found, how bad that is.

Pure: the room that makes drills fills these in, and what shows a report needs nothing
but this. A report is kept with its job as ``document`` returns it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from smc_tui.model.lifecycle import Status
from smc_tui.model.things import DrillMode, Job
from smc_tui.model.units import (
    DAY,
    bytes_text,
    duration_text,
    parse_instant,
    printable,
    rate_text,
)

Document = dict[str, Any]

#: Bounds of a kept report: a text of an item, characters, and the items.
LONGEST_TEXT = 1000
MOST_ITEMS = 200

#: A drill that has passed stands for the one before the first run for so long, seconds.
COUNTS_FOR = DAY


class Level(StrEnum):
    """How bad what an item found is.

    NOT_CHECKED is no finding at all: it says what could not be told and why, and makes
    no result worse.
    """

    PASSED = "Passed"
    NOT_CHECKED = "Not checked"
    WARNING = "Warning"
    CRITICAL = "Critical"


#: The levels that a whole report can have, the better first.
RESULTS = (Level.PASSED, Level.WARNING, Level.CRITICAL)


class Area(StrEnum):
    """Where an item looks."""

    SOURCE = "source"
    LINK = "link"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was looked at.

    Attributes:
        finding: what is so, in plain words.
        threshold: what would make it worse than Passed.
        advice: what to do about it; empty where there is nothing to do.
    """

    area: Area
    name: str
    level: Level
    finding: str
    threshold: str = ""
    advice: str = ""


def result_of(items: Iterable[Item]) -> Level:
    """Return the worst level of the items: what a whole drill has come to."""
    found = {item.level for item in items}
    return next((level for level in reversed(RESULTS) if level in found), Level.PASSED)


@dataclass(frozen=True, slots=True)
class Report:
    """One drill's report.

    Attributes:
        at: RFC 3339 instant.
        seconds: how long it took.
        estimate: bytes, speeds and times, as ``--json`` has them; a null is not known.
    """

    at: str
    seconds: float
    items: tuple[Item, ...]
    estimate: Document = field(default_factory=dict)

    @property
    def result(self) -> Level:
        """The worst level found."""
        return result_of(self.items)

    def document(self) -> Document:
        """Return the report as it is kept and printed."""
        return {
            "result": str(self.result),
            "at": self.at,
            "seconds": round(self.seconds, 1),
            "items": [{**asdict(item), **_words(item)} for item in self.items],
            "estimate": self.estimate,
        }

    @classmethod
    def of(cls, document: Document) -> Report:
        """Return the report of a document; every text is made printable and bounded.

        Raises:
            ValueError: the document is no report.
        """
        try:
            items = tuple(
                Item(
                    Area(item["area"]),
                    level=Level(item["level"]),
                    **{key: _text(item[key]) for key in ("name", "finding", "threshold", "advice")},
                )
                for item in document["items"][:MOST_ITEMS]
            )
            estimate = document.get("estimate") or {}
            numbers = {
                _text(key): value
                for key, value in estimate.items()
                if value is None or (isinstance(value, int | float) and value == value)
            }
            report = cls(_text(document["at"]), float(document["seconds"]), items, numbers)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"no report of a drill: {error!r}") from error
        if not items:
            raise ValueError("a drill that looked at nothing")
        return report


def _words(item: Item) -> Document:
    return {"area": str(item.area), "level": str(item.level)}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return printable(value)[:LONGEST_TEXT]


# Whether one is owed


def owed(job: Job, has_runs: bool, now: float) -> bool:
    """Tell whether a start of a job begins with a migration drill.

    Until there is a run: with "drill only" every time, else unless one has passed lately.
    Where the latest one did not pass or could not be made the job is not Ready.

    Args:
        job: the job.
        has_runs: whether it has had a run.
        now: the engine's clock, POSIX seconds.
    """
    mode = job.settings.drill
    if mode is DrillMode.OFF or has_runs:
        return False
    if mode is DrillMode.ONLY or job.status is not Status.READY:
        return True
    return not _passed_since(job.drill_report, now - COUNTS_FOR)


def _passed_since(report: Document, instant: float) -> bool:
    if not report or report.get("result") == Level.CRITICAL:
        return False
    try:
        return parse_instant(str(report.get("at"))) >= instant
    except (ValueError, OverflowError):
        return False


# Reports in words


def summary(report: Document) -> str:
    """Return a kept report in one line: ``Warning: 2 warnings, 30 passed``."""
    levels = [item["level"] for item in report["items"]]
    words = (
        (Level.CRITICAL, "critical"),
        (Level.WARNING, "warning"),
        (Level.PASSED, "passed"),
        (Level.NOT_CHECKED, "not checked"),
    )
    counts = ", ".join(f"{levels.count(level)} {word}" for level, word in words if level in levels)
    return f"{report['result']}: {counts}"


def _about(seconds: float) -> str:
    return f"about {duration_text(seconds)}" if seconds >= 1 else "under a second"


#: What is said of an estimate: label, key, how.
_ESTIMATE = (
    ("Data in use", "bytes_used", bytes_text),
    ("Disks in all", "bytes_total", bytes_text),
    ("Link", "link_bytes_per_second", rate_text),
    ("Round trip", "round_trip_seconds", lambda value: f"{value * 1000:.1f} ms"),
    ("Reading and hashing", "read_bytes_per_second", rate_text),
    ("First migration", "full_seconds", _about),
    ("- comparing it", "full_compare_seconds", _about),
    ("- transferring it", "full_transfer_seconds", _about),
    ("Each synchronisation", "incremental_seconds", _about),
    ("- comparing for it", "incremental_compare_seconds", _about),
    ("- transferring for it", "incremental_transfer_seconds", _about),
)


def estimate_rows(report: Document) -> list[tuple[str, str]]:
    """Return what is known of volume, speed and time as labels and words."""
    estimate = report.get("estimate") or {}
    rows = []
    for label, key, words in _ESTIMATE:
        value = estimate.get(key)
        rows.append((label, words(value) if isinstance(value, int | float) else "not known"))
    return rows if estimate else []
