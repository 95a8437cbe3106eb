"""How a run found out what had changed, and how its image came to be of one instant.

A worker says it with its result; here it is checked, because part of it was said by the
source, and put into words. Old runs, and those that made no image, have nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self

from smc_tui.model.units import printable

#: The longest reason that is kept, characters.
LONGEST_REASON = 400
#: The longest freeze that is believed, seconds; the source's watchdog allows 2.
LONGEST_FREEZE = 3600.0
_MOST = 1 << 62

#: Seconds that a command before the freeze, or after it, has.
DEFAULT_HOOK_TIMEOUT = 10


class ChangeDetection(StrEnum):
    """How a run knows what has changed since the last image."""

    FULL = "full comparison"
    TRACE = "trace"
    NOTHING = "nothing written"


class Method(StrEnum):
    """How an image came to be of one instant."""

    NOTHING_WRITES = "nothing writes"
    FREEZE = "freeze"
    SNAPSHOT = "snapshot"
    NONE = "none"


class Wanted(StrEnum):
    """What a person chose of a job's instants."""

    AUTO = "auto"
    FREEZE = "freeze"
    NONE = "none"


#: What each choice means, for people.
WANTED_MEANS: Mapping[str, str] = MappingProxyType(
    {
        Wanted.AUTO: "the best that the source allows",
        Wanted.FREEZE: "by a short freeze if written to",
        Wanted.NONE: "never freezes: fuzzy if written to",
    }
)


@dataclass(frozen=True, slots=True)
class Instant:
    """What bringing all disks to one instant took.

    Attributes:
        method: how it was done.
        reason: why in that way, in words.
        frozen_seconds: how long the file systems stood still; None: they did not.
        rounds: how often pages that had been written meanwhile were fetched.
        pages: how many of these, 4 KiB each.
        events: writes that the source's kernel told of.
    """

    method: Method
    reason: str = ""
    frozen_seconds: float | None = None
    rounds: int = 0
    pages: int = 0
    events: int = 0

    @classmethod
    def of(cls, document: Any) -> Self:
        """Return what a document holds.

        Raises:
            ValueError: it holds something else.
        """
        if not isinstance(document, dict):
            raise ValueError("the instant is no table")
        return cls(
            Method(str(document.get("method"))),
            _reason(document.get("reason")),
            _seconds(document.get("frozen_seconds")),
            *(_count(document.get(name, 0), name) for name in ("rounds", "pages", "events")),
        )

    @property
    def frozen(self) -> str:
        """How long the freeze was, in words; empty without one."""
        return "" if self.frozen_seconds is None else f"{self.frozen_seconds:.2f} s"

    @property
    def text(self) -> str:
        """All of it in a line."""
        told = str(self.method)
        if self.method is Method.FREEZE and self.frozen_seconds is not None:
            told = f"frozen {self.frozen}"
        if self.reason:
            told += f": {self.reason}"
        if self.rounds or self.events:
            rounds = f"{self.rounds:,} round{'s' if self.rounds != 1 else ''}"
            told += f"; {self.pages:,} written pages in {rounds}, {self.events:,} events recorded"
        return told


@dataclass(frozen=True, slots=True)
class Reading:
    """How a run read its disks.

    Attributes:
        detection: how it knew what had changed; None: it is not known.
        reason: why in that way, in words.
        instant: what one instant took.
    """

    detection: ChangeDetection | None = None
    reason: str = ""
    instant: Instant | None = None

    @classmethod
    def of(cls, document: Any) -> Self:
        """Return what a worker's result, a run's document or the job store's column holds.

        Raises:
            ValueError: it holds something else.
        """
        detection, instant = document.get("change_detection"), document.get("instant")
        return cls(
            None if detection is None else ChangeDetection(str(detection)),
            _reason(document.get("change_reason")),
            None if instant is None else Instant.of(instant),
        )

    def document(self) -> dict[str, Any]:
        """Return it as JSON values: what ``of`` takes."""
        return {
            "change_detection": None if self.detection is None else str(self.detection),
            "change_reason": self.reason,
            "instant": None
            if self.instant is None
            else {**asdict(self.instant), "method": str(self.instant.method)},
        }

    @property
    def found(self) -> str:
        """How changes were found and why so, in words; empty where that is not known."""
        if self.detection is None:
            return ""
        return f"{self.detection}: {self.reason}" if self.reason else str(self.detection)

    @property
    def frozen(self) -> str:
        """How long the file systems stood still, in words; empty where they did not."""
        return "" if self.instant is None else self.instant.frozen

    @property
    def brief(self) -> str:
        """What became of the instant in a few words; empty where there was nothing to do."""
        if self.instant is not None and self.instant.method is Method.NONE:
            return "not frozen"
        return f"frozen {self.frozen}" if self.frozen else ""


def _reason(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError("a reason is no text")
    text = printable(value or "")
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not 0 <= value <= LONGEST_FREEZE:
        raise ValueError("the freeze has no length")
    return float(value)


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"{name} is no count")
    return value
