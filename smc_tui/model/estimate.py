"""How fast, how far, how long: smoothed speed, honest progress, time remaining.

A number is shown when it is worth something and not before: no time remaining in
the first seconds of a run, and none while the speed is nought.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from smc_tui.model.things import Counters

#: Half of a smoothed speed is newer than this, seconds: long enough to ride over one
#: slow segment, short enough to follow a changed speed limit within a few lines.
HALF_LIFE = 5.0

#: A time remaining is shown after this many seconds and this share of the work.
WORTH_SECONDS = 4.0
WORTH_SHARE = 0.01

#: What a run shows until its image is published.
UNPUBLISHED = 99.0


class SmoothedRate:
    """A speed whose older samples fade, from a counter looked at now and then."""

    def __init__(self, half_life: float = HALF_LIFE) -> None:
        self._half_life = half_life
        self._last: tuple[float, float] | None = None
        self._rate: float | None = None

    def sample(self, count: float, at: float) -> float:
        """Take the counter's value at an instant; return the speed per second."""
        if self._last is None or count < self._last[0]:
            self._last = (count, at)
            return self._rate or 0.0
        passed = at - self._last[1]
        if passed <= 0:
            return self._rate or 0.0
        speed = (count - self._last[0]) / passed
        weight = 1 - math.pow(0.5, passed / self._half_life)
        self._rate = speed if self._rate is None else self._rate + weight * (speed - self._rate)
        self._last = (count, at)
        return self._rate


def progress(done: Counters, needed: int, before: float = 0.0) -> float:
    """Return a run's progress, 0 to 99: it reaches 100 by publishing an image alone.

    Comparing and transferring go on at the same time, so the work is the bytes to
    compare plus the bytes to transfer; of the latter, what the part not yet compared
    will need is taken in proportion to the part that is.

    Args:
        done: the worker's counters.
        needed: bytes to transfer, as far as it has compared; what has come counts too.
        before: what was shown before; progress never goes backwards within a run.
    """
    if done.total <= 0:
        return before
    compared = min(done.compared, done.total)
    expected = needed * done.total / compared if compared else 0.0
    share = (compared + min(done.sent, expected)) / (done.total + expected)
    return min(UNPUBLISHED, max(before, math.floor(share * UNPUBLISHED * 10) / 10))


def remaining(done: Counters, bytes_per_second: float, seconds: float) -> float | None:
    """Return the seconds that remain of comparing, or None while that is guesswork.

    Args:
        done: the worker's counters.
        bytes_per_second: smoothed speed of comparing.
        seconds: how long the worker has been at it.
    """
    if not _worth(done, seconds) or bytes_per_second <= 0:
        return None
    return max(0, done.total - done.compared) / bytes_per_second


def transfer_remaining(
    done: Counters, needed: int, bytes_per_second: float, seconds: float
) -> float | None:
    """Return the seconds that remain of transferring, or None while that is guesswork.

    What is not compared yet is taken to need as much as what is.

    Args:
        done: the worker's counters.
        needed: bytes to transfer, as far as it has compared; what has come counts too.
        bytes_per_second: smoothed speed of transferring, uncompressed.
        seconds: how long the worker has been at it.
    """
    if not _worth(done, seconds):
        return None
    left = max(0.0, needed * done.total / done.compared - done.sent)
    if left and bytes_per_second <= 0:
        return None
    return left / bytes_per_second if left else 0.0


def run_remaining(
    done: Counters, needed: int, comparing: float, sending: float, seconds: float
) -> float | None:
    """Return the seconds until all is compared and transferred, None while that is guesswork.

    The two go on at once, so what takes longer is what a person waits for. Comparing
    waits for transferring where that is slower: its own speed then promises too much.

    Args:
        done: the worker's counters.
        needed: bytes to transfer, as far as it has compared; what has come counts too.
        comparing: smoothed speed of comparing, bytes a second.
        sending: smoothed speed of transferring, uncompressed bytes a second.
        seconds: how long the worker has been at it.
    """
    comparison = remaining(done, comparing, seconds)
    if done.compared >= done.total > 0 and _worth(done, seconds):
        comparison = 0.0
    transfer = transfer_remaining(done, needed, sending, seconds)
    return None if comparison is None or transfer is None else max(comparison, transfer)


def _worth(done: Counters, seconds: float) -> bool:
    """Tell whether enough is done to say how long the rest will take."""
    share = done.compared >= max(1, WORTH_SHARE * done.total)
    return done.total > 0 and share and seconds >= WORTH_SECONDS


@dataclass(frozen=True, slots=True)
class TimeToMigrate:
    """The parts of the time a first run takes, seconds."""

    transfer: float
    compare: float

    @property
    def total(self) -> float:
        """The two overlap, so the longer one is what a person waits for."""
        return max(self.transfer, self.compare)


#: What a disk reads when nothing was measured, bytes a second: a plain cloud disk.
ASSUMED_READ = 150e6


def time_to_migrate(
    total: int, used: int, link_bps: float | None, read_bps: float = ASSUMED_READ
) -> TimeToMigrate | None:
    """Estimate the first full run before it starts.

    Args:
        total: bytes of the disks, all of which are read.
        used: bytes in use, all of which are sent.
        link_bps: measured speed of the link in bytes a second; None: not measured.
        read_bps: reading speed of the disks in bytes a second.

    Returns:
        None when the link was not measured.
    """
    if not link_bps or link_bps <= 0 or read_bps <= 0:
        return None
    return TimeToMigrate(transfer=min(used, total) / link_bps, compare=total / read_bps)
