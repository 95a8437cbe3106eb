"""The best window: the hours in which a source's disks are written to least.

A device counts the sectors written to it since the system started. Two readings of that
count, with the same start of the system and the same device between them, give what was
written meanwhile; it is laid evenly over the hours that it took. A week of hours is kept.

What an hour to come will bring is the mean of the same hour of the day, on days of its
kind (working days, weekends) where there are such, else on all. An hour that less than a
third is known of counts as not known: a reading of ten minutes says little of the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

HOUR = 3600
DAY = 24 * HOUR
#: Seconds that hours are kept for.
KEPT = 7 * DAY
#: Seconds that the proposals look ahead.
AHEAD = 7 * DAY
#: Readings that lie further apart say nothing of single hours.
APART = 6 * HOUR
SECTOR = 512
PROPOSED = 3

_KNOWN = HOUR / 3
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Count:
    """How much a disk had been written to.

    Attributes:
        at: POSIX seconds, the engine's clock.
        written: bytes since the count began.
        epoch: which start of the system, and which device, the count is of.
    """

    at: float
    written: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Hour:
    """What is known of one hour.

    Attributes:
        number: hours since 1970, UTC.
        written: bytes.
        seconds: how much of the hour that was, 0 to 3600.
    """

    number: int
    written: float
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return self.written / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Window:
    """A time to come.

    Attributes:
        start: POSIX seconds, a full hour.
        seconds: how long.
        rate: bytes a second that are expected to be written.
    """

    start: float
    seconds: float
    rate: float

    def document(self) -> dict[str, Any]:
        """Return the same for programs; the caller says when in words."""
        return {"seconds": self.seconds, "bytes_per_second": round(self.rate)}


def count_of(at: float, state: Sequence[Any]) -> Count | None:
    """Return the count in a disk's state, None where it has none: a file, an odd kernel.

    Args:
        at: when the state was taken.
        state: as the reading program tells it of a block device: size, [sectors written],
            [writes in flight], [sectors discarded], start of the system, device.
    """
    try:
        _, sectors, _, _, start, device = state
        return Count(at, int(sectors[0]) * SECTOR, f"{start} {device}")
    except (TypeError, ValueError, IndexError, KeyError):
        return None


def between(before: Count, now: Count) -> Iterator[Hour]:
    """Yield the hours between two counts, each with its share of what was written.

    Nothing comes of counts that do not belong together, or lie too far apart.
    """
    span = now.at - before.at
    if now.epoch != before.epoch or now.written < before.written or not 0 < span <= APART:
        return
    rate = (now.written - before.written) / span
    at = before.at
    while at < now.at:
        number = int(at // HOUR)
        end = min(now.at, float((number + 1) * HOUR))
        yield Hour(number, rate * (end - at), end - at)
        at = end


def by_hour(hours: Iterable[Hour]) -> list[Hour]:
    """Return the hours of several disks as those of the source, oldest first.

    An hour is known as well as the disk is that the least is known of.
    """
    disks: dict[int, list[Hour]] = defaultdict(list)
    for hour in hours:
        disks[hour.number].append(hour)
    together = []
    for number, parts in sorted(disks.items()):
        seconds = min(part.seconds for part in parts)
        together.append(Hour(number, sum(part.rate for part in parts) * seconds, seconds))
    return together


def expected(
    hours: Iterable[Hour], first: int, local: Callable[[float], datetime] = datetime.fromtimestamp
) -> list[float | None]:
    """Return bytes a second for each hour of the time ahead, None where nothing is known.

    Args:
        hours: those of the source that are kept.
        first: the first hour's number.
        local: what tells the time of day on the operator's clock.
    """
    kinds: dict[tuple[bool, int], list[float]] = defaultdict(list)
    days: dict[int, list[float]] = defaultdict(list)
    for hour in hours:
        if hour.seconds >= _KNOWN:
            when = local(hour.number * HOUR)
            kinds[when.weekday() >= _SATURDAY, when.hour].append(hour.rate)
            days[when.hour].append(hour.rate)
    ahead: list[float | None] = []
    for number in range(first, first + AHEAD // HOUR):
        when = local(number * HOUR)
        known = kinds.get((when.weekday() >= _SATURDAY, when.hour)) or days.get(when.hour)
        ahead.append(fmean(known) if known else None)
    return ahead


def quietest(ahead: Sequence[float | None], first: int, seconds: float) -> list[Window]:
    """Return the quietest windows, the best one first; the sooner of two alike.

    Args:
        ahead: what ``expected`` returned.
        first: the number of its first hour.
        seconds: how long the window must be.
    """
    length = max(1, -(-int(seconds) // HOUR))
    found = []
    for at in range(len(ahead) - length + 1):
        rates = [rate for rate in ahead[at : at + length] if rate is not None]
        if len(rates) == length:
            found.append((fmean(rates), at))
    chosen: list[tuple[float, int]] = []
    for rate, at in sorted(found):
        # The same hours of another day are no other proposal.
        apart = (min((at - other) % 24, (other - at) % 24) for _, other in chosen)
        if all(hours >= length for hours in apart):
            chosen.append((rate, at))
        if len(chosen) == PROPOSED:
            break
    return [Window(float((first + at) * HOUR), float(length * HOUR), rate) for rate, at in chosen]
