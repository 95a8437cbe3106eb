"""Progress drawn in place on a terminal, with rich. Imported only when there is one."""

from __future__ import annotations

import signal
import sys
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from smc_tui.cli.frames import BAR, Bar, Follower, Frame, Watch
from smc_tui.cli.output import Output

#: Ended by a terminate signal, as a shell counts them.
_TERMINATED = 128 + signal.SIGTERM


class LiveFollower(Follower):
    """Draws a watch in place; what was drawn is gone when it ends."""

    def __init__(self, out: Output, watch: Watch) -> None:
        super().__init__(out, watch)
        self._live = Live(
            console=Console(stderr=True, highlight=False), auto_refresh=False, transient=True
        )
        self._ascii = out.ascii
        self._clean = out.clean
        self._before: Any = None

    def __enter__(self) -> Self:
        # A terminate signal must find the way through __exit__: the cursor is hidden.
        self._before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)
        signal.signal(signal.SIGTERM, self._before)

    def say(self, text: str) -> None:
        """Print a line; where both streams are the terminal, the drawing makes room for it."""
        if sys.stdout.isatty():
            self._live.console.print(Text(self._clean(text)))
        else:
            super().say(text)

    def show(self, frame: Frame, now: float = 0.0) -> None:
        """Draw a frame over the last one."""
        self._live.update(self._drawn(frame), refresh=True)

    def _drawn(self, frame: Frame) -> RenderableType:
        lines = [Text(self._clean(frame.title)), *map(self._bar, frame.bars)]
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
        return Group(*lines)

    def _bar(self, bar: Bar) -> Text:
        full, empty = ("#", "-") if self._ascii else ("━", "─")
        done = int(bar.share * BAR)
        return Text.assemble(
            f"  {bar.label:<14}",
            (full * done, "green"),
            (empty * (BAR - done), "dim"),
            f"  {self._clean(bar.facts)}",
        )
