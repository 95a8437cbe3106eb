"""A console driven by keys and judged by what stands on its screen.

    async with opened(fleet) as console:
        await console.sees("web01-1").press("a").sees("Actions: web01-1")

Steps are collected and carried out in their order by ``await``. ``sees`` waits for what
messages under way bring, but never for the clock: the next look at the job store is a
step of its own, ``looks``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any, Self

from textual.pilot import Pilot
from textual.strip import Strip

from smc_tui.console import app as app_module
from smc_tui.console.app import ConsoleApp
from smc_tui.console.options import Options
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore import JobStore
from tests.console.fleet import Fleet

#: Seconds that messages may take; more than any machine needs.
PATIENCE = 20.0

Step = Callable[[], Awaitable[None]]


class Driver:
    """A console under test."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot
        self._steps: list[Step] = []

    @property
    def text(self) -> str:
        """What stands on the screen, line by line."""
        return "\n".join(strip.text.rstrip() for strip in self.strips)

    @property
    def strips(self) -> list[Strip]:
        """The screen's lines as they are sent."""
        return self.app.screen._compositor.render_strips()

    @property
    def table(self) -> LineTable:
        """The first table on the screen on top."""
        return self.app.screen.query(LineTable).first()

    def line(self, text: str) -> str:
        """Return the first line that has a text."""
        found = [line for line in self.text.splitlines() if text in line]
        assert found, f"no line has {text!r}:\n{self.text}"
        return found[0]

    # Steps

    def press(self, *keys: str) -> Self:
        """Press keys, one by one."""
        return self._then(lambda: self.pilot.press(*keys))

    def types(self, text: str) -> Self:
        """Type a text."""
        return self.press(*(_NAMES.get(each, each) for each in text))

    def looks(self) -> Self:
        """Look at the job store now."""

        async def look() -> None:
            self.app.look()

        return self._then(look)

    def resizes(self, columns: int, rows: int) -> Self:
        """Give the terminal another size."""
        return self._then(lambda: self.pilot.resize_terminal(columns, rows))

    def sees(self, *texts: str) -> Self:
        """Wait until all the texts stand on the screen."""
        return self._until(lambda: all(text in self.text for text in texts), f"to see {texts}")

    def sees_not(self, *texts: str) -> Self:
        """Wait until none of the texts stands on the screen."""
        return self._until(lambda: not any(text in self.text for text in texts), f"no {texts}")

    def stands_on(self, key: str) -> Self:
        """Wait until the cursor stands on a row."""
        return self._until(lambda: self.table.cursor == key, f"the cursor on {key}")

    def holds(self, what: str, check: Callable[[], bool]) -> Self:
        """Wait until something is so."""
        return self._until(check, what)

    def _until(self, check: Callable[[], bool], what: str) -> Self:
        async def wait() -> None:
            limit = time.monotonic() + PATIENCE
            await self.pilot.pause()
            while not check():
                assert time.monotonic() < limit, f"waited for {what}:\n{self.text}"
                await self.pilot.pause()

        return self._then(wait)

    def _then(self, step: Step) -> Self:
        self._steps.append(step)
        return self

    def __await__(self) -> Generator[Any, None, Driver]:
        return self._run().__await__()

    async def _run(self) -> Driver:
        steps, self._steps = self._steps, []
        for step in steps:
            await step()
        await self.pilot.pause()
        return self


_NAMES = {" ": "space", "!": "exclamation_mark", "-": "minus", ":": "colon", "/": "slash"}


@asynccontextmanager
async def opened(
    fleet: Fleet, size: tuple[int, int] = (100, 30), **options: Any
) -> AsyncIterator[Driver]:
    """Open a console on a home, of which no clock makes it look."""
    before, app_module.TICK = app_module.TICK, 3600.0
    try:
        with JobStore.open(fleet.home) as store:
            app = ConsoleApp(store, Options(**options))
            async with app.run_test(size=size, notifications=True) as pilot:
                driver = Driver(app, pilot)
                assert not driver._steps
                await driver.holds("a first page", lambda: len(app.screen_stack) > 1)
                yield driver
                assert not driver._steps, "steps that nobody awaited"
    finally:
        app_module.TICK = before
