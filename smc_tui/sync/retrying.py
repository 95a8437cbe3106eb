"""Attempts to get a lost link back: how many, when, and what is said of them.

The count starts anew with every progress, however little: a segment compared, a
segment settled, a block stored. None of them is ever done a second time, so a link
that comes and goes brings the run to its end all the same; only one that stays away,
or brings nothing, uses the attempts up.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from smc_tui.model.errors import SmcError
from smc_tui.model.units import rfc3339
from smc_tui.source.client import Interrupted
from smc_tui.sync.description import RetryPolicy
from smc_tui.sync.lines import Controls
from smc_tui.sync.progress import Progress

#: What a run has done, as numbers that only grow.
Mark = tuple[int, ...]


class Retrying:
    """The attempts of one run."""

    def __init__(
        self,
        policy: RetryPolicy,
        controls: Controls,
        progress: Progress,
        say: Callable[..., None],
    ) -> None:
        self._policy = policy
        self._controls = controls
        self._progress = progress
        self._say = say
        self._attempt = 0
        self._mark: Mark | None = None
        self._cause: SmcError | None = None

    def wait(self, error: SmcError, mark: Mark, *, linked: bool) -> None:
        """Wait until the next attempt is due.

        Args:
            error: why there is no link now.
            mark: what the run has done so far.
            linked: there has been a link in this run.

        Raises:
            SmcError: no attempt is left; what began it, with what came of the attempts.
            Interrupted: the run is to stop.
        """
        if mark != self._mark:
            self._attempt, self._mark, self._cause = 0, mark, None
        cause = self._cause = self._cause or error
        if self._attempt >= self._policy.attempts:
            raise _exhausted(cause, error, self._attempt)
        self._attempt += 1
        pause = self._policy.pause(self._attempt)
        which = f"attempt {self._attempt} of {self._policy.attempts}"
        what = "link lost" if linked else "the source was not reached"
        self._say("event", text=f"{what} ({error}); trying again in {pause:g} s ({which})")
        self._progress.wait(
            {
                "attempt": self._attempt,
                "of": self._policy.attempts,
                "at": rfc3339(time.time() + pause),
                "code": error.code,
            }
        )
        if self._controls.stopped_within(pause):
            raise Interrupted

    def linked(self) -> None:
        """Note that there is a link again; whether it brings anything is to be seen."""
        if self._progress.retry is None:
            return
        self._say("event", text=f"the link is there again (attempt {self._attempt})")
        self._progress.wait(None)


def _exhausted(cause: SmcError, last: SmcError, attempts: int) -> SmcError:
    if not attempts:
        return cause
    detail = f"{attempts} attempts to get the link back failed"
    if (last.code, last.detail) != (cause.code, cause.detail):
        detail = f"{detail}, the last one with {last.code}: {last.detail}"
    told = f"{cause.detail}; {detail}" if cause.detail else detail
    return SmcError(cause.code, told, **{**cause.facts, "attempts": attempts})
