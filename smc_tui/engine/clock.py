"""The engine's clock: the only place where the program asks what time it is.

It never goes back, not within a process and not across restarts, so an instant once
stored stays in the past, and a run that is due is due once.

- It counts by CLOCK_BOOTTIME, which goes on while the machine sleeps, from the
  instant at which the engine started.
- When the wall clock is ahead (NTP, a paused virtual machine), it is followed at once.
- When the wall clock is behind (it was set back), ours goes on at nine tenths of its
  pace until they meet: intervals are at most a ninth longer meanwhile, and nothing
  runs twice.
- ``factor`` N makes it N times as fast, for demonstrations and tests. It then is
  ahead of the wall by more and more; the offset is kept in the job store, and the
  next engine goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: A wall clock this much ahead has been set; less is drift and rounding, seconds.
JUMP = 1.0

#: Pace while ahead of the wall clock.
SLOWED = 0.9


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The time of one engine, POSIX seconds.

    Args:
        factor: how many times faster than the wall it goes.
        offset: how far ahead of the wall clock the last engine was, seconds.
        not_before: the newest instant that the store knows.
        wall: the wall clock, POSIX seconds.
        boot: a clock that never jumps, seconds.
    """

    def __init__(
        self,
        factor: float = 1.0,
        *,
        offset: float = 0.0,
        not_before: float = 0.0,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], float] = _since_boot,
    ) -> None:
        if not factor > 0:
            raise ValueError("the clock's factor must be above 0")
        self.factor = factor
        self._wall = wall
        self._boot = boot
        self._looked = boot()
        self._now = max(wall() + max(0.0, offset), not_before)

    def now(self) -> float:
        """Return the time."""
        boot = self._boot()
        passed = max(0.0, boot - self._looked)
        self._looked = boot
        if self.factor != 1.0:
            self._now += passed * self.factor
            return self._now
        wall = self._wall()
        ahead = self._now + passed - wall
        if ahead < -JUMP:
            self._now = wall
        elif ahead > JUMP:
            # Until they meet, which may be within this look.
            self._now = max(self._now + passed * SLOWED, wall)
        else:
            self._now += passed
        return self._now

    def offset(self) -> float:
        """Return how far ahead of the wall clock it is, seconds, at least 0."""
        return max(0.0, self.now() - self._wall())

    def seconds_until(self, at: float) -> float:
        """Return the real seconds until an instant of this clock, 0 if it has passed."""
        return max(0.0, at - self.now()) / self.factor
