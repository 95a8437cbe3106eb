"""The app: opens the store, looks at it twice a second, hands what is new to the screens.

It holds no migration state of its own: the snapshot is the job store's, a key press is
a request in it. So a console that dies takes nothing with it, and two consoles show
the same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from textual import work
from textual.binding import BindingType
from textual.events import DescendantFocus, Resize
from textual.filter import LineFilter
from textual.widgets import Input

from smc_tui.console import signals
from smc_tui.console.doors import Doors
from smc_tui.console.filters import AsciiOnly, Printable
from smc_tui.console.keymap import bindings
from smc_tui.console.keys import APP_KEYS
from smc_tui.console.options import THEME_NAMES, Options, chosen_theme
from smc_tui.console.screens.small import TooSmall, too_small
from smc_tui.console.themes import THEMES
from smc_tui.jobstore import JobStore
from smc_tui.model.errors import SmcError

#: Seconds between two looks at the job store.
TICK = 0.5


class ConsoleApp(Doors):
    """The console on one home's job store."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = True
    TITLE = "smc-tui"
    BINDINGS: ClassVar[list[BindingType]] = bindings(APP_KEYS)

    def __init__(
        self,
        store: JobStore,
        options: Options | None = None,
        start_engine: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(store, options, start_engine)
        self.mistake: Exception | None = None
        self._last_filters: list[LineFilter] = [
            Printable(),
            *([AsciiOnly()] if self.options.ascii else []),
        ]
        self._home_loop: asyncio.AbstractEventLoop | None = None

    def on_mount(self) -> None:
        """Show the first page from the first look, then look again and again."""
        self._home_loop = asyncio.get_running_loop()
        if not self.is_headless:
            signals.mind_stops(lambda: self._soon(self.action_redraw))
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = chosen_theme(self.options, {"NO_COLOR": "1"} if self.no_color else os.environ)
        self.set_class(self.options.ascii, "-ascii")
        self.look()
        from smc_tui.console.screens.migration import MigrationScreen

        self.push_screen(MigrationScreen())
        self.set_interval(TICK, self.look)
        if self.start_engine is not None and not self.snapshot.engine.alive:
            # Once the first page is there: it takes as long as the console itself.
            self.call_after_refresh(self.action_start_engine)

    def on_resize(self, event: Resize) -> None:
        """Ask for room where no page fits."""
        small = isinstance(self.screen, TooSmall)
        if too_small(*event.size) and not small:
            self.push_screen(TooSmall())
        elif small and not too_small(*event.size):
            self.pop_screen()
            self.show_snapshot()

    def look(self) -> None:
        """Look at the job store; tell the screen on top what is new."""
        try:
            changed = not self.frozen and self.feed.look()
            answers = self.desk.answers()
        except SmcError as error:
            changed, answers = str(self.trouble) != str(error), []
            self.trouble = error
        else:
            changed = changed or self.trouble is not None
            self.trouble = None
        for answer in answers:
            severity: Literal["information", "error"] = "information" if answer.well else "error"
            self.notify(answer.text, title=answer.what, severity=severity, markup=False)
        if changed:
            self.show_snapshot()

    def show_snapshot(self) -> None:
        """Have the screen on top show the newest snapshot."""
        shown = getattr(self.screen, "show_snapshot", None)
        try:
            if shown is not None:
                shown()
        except SmcError as error:
            # What a screen reads besides the snapshot may fail as the snapshot may.
            self.trouble = error

    @work(thread=True, exclusive=True, group="engine", exit_on_error=False)
    def action_start_engine(self) -> None:
        """Start the engine, if this console may and none runs."""
        try:
            if self.start_engine is None:
                raise SmcError("Engine.NotReachable", "this console does not start it")
            self.start_engine()
        except SmcError as error:
            self.call_from_thread(self.notify, error.line, severity="error", markup=False)

    @property
    def native_ansi_color(self) -> bool:
        """Without colours the terminal's own stay: else Textual makes greys, or black on black."""
        return getattr(self, "no_color", False) or super().native_ansi_color

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's own for colours, then ours for texts."""
        return [*super().get_line_filters(), *self._last_filters]

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Keep cursors from blinking: each blink is sent, over ssh too."""
        if isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def leave_soon(self, status: int) -> None:
        """Leave with a status; may be called from a signal handler or another thread."""
        self._soon(self.exit, status, status)

    def _soon(self, what: Callable[..., object], *values: object) -> None:
        if self._home_loop is not None:
            self._home_loop.call_soon_threadsafe(what, *values)

    def _fatal_error(self) -> None:
        """End after a mistake of this program; the command line tells of it, in one line."""
        self.mistake = self._exception
        if self.is_headless:
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    def action_leave(self) -> None:
        """Detach: the console ends, the engine goes on."""
        self.exit(0)

    def action_redraw(self) -> None:
        """Send everything again."""
        self.refresh(repaint=True, layout=True)

    def action_next_theme(self) -> None:
        """Take the next theme."""
        names = list(THEME_NAMES.values())
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]
