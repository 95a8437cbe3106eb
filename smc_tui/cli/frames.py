"""What a person sees while something goes on, on standard error: frames, one after another.

On a terminal they are drawn in place (``live``); elsewhere a line is said when something
new begins and every few seconds between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from smc_tui.cli.output import Output
from smc_tui.jobstore import Request

#: Seconds between two looks at a run: its worker tells of itself as often.
LOOK = 0.25
#: Seconds between two lines where there is no terminal.
LINE = 5.0
BAR = 28


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what, how far of what, and the facts behind it."""

    label: str
    done: float
    total: float
    facts: str

    @property
    def share(self) -> float:
        """How far, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What is to be seen at one moment; ``idle``: nothing is under way."""

    title: str
    bars: tuple[Bar, ...] = ()
    idle: bool = False

    @property
    def line(self) -> str:
        """The same in one line."""
        return "; ".join([self.title, *(f"{bar.label.lower()}: {bar.facts}" for bar in self.bars)])


class Watch(Protocol):
    """Something that can be looked at again and again."""

    def frame(self, request: Request | None) -> Frame | None:
        """Return what is to be seen now, None while there is nothing."""


class Follower:
    """Shows a watch while something is waited for; call it as often as you like."""

    def __init__(self, out: Output, watch: Watch) -> None:
        self._out = out
        self._watch = watch
        self._looked = float("-inf")
        self._said = float("-inf")
        self._title = ""

    def __call__(self, request: Request | None = None) -> None:
        """Look, if the last look is old enough."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        frame = self._watch.frame(request)
        if frame is not None:
            self.show(frame, now)

    def say(self, text: str) -> None:
        """Print a line on standard output, above what is drawn."""
        self._out.line(text)

    def show(self, frame: Frame, now: float) -> None:
        """Say a line when something new begins, and now and then between."""
        words = frame.title.partition(",")[0]
        if frame.idle:
            return
        if words != self._title or (frame.bars and now - self._said >= LINE):
            self._title, self._said = words, now
            self._out.talk(frame.line)
