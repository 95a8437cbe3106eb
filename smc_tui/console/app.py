"""The app: opens the store, looks at it twice a second, hands what is new to the screens.

It holds no migration state of its own: the snapshot is the job store's, a key press is
a request in it. So a console that dies takes nothing with it, and two consoles show
the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar, Literal

from textual.app import App
from textual.binding import Binding, BindingType

from smc_tui.console import signals
from smc_tui.console.keys import APP_KEYS, Key
from smc_tui.console.render.glyphs import DRAWN, PLAIN
from smc_tui.console.requests import Desk
from smc_tui.console.themes import THEMES
from smc_tui.jobstore import JobStore
from smc_tui.jobstore.feed import Feed, Snapshot
from smc_tui.model.errors import SmcError

#: Seconds between two looks at the job store.
TICK = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """How the console was started."""

    ascii: bool = False
    read_only: bool = False
    theme: str = "smc-dark"


def bindings(keys: tuple[Key, ...]) -> list[BindingType]:
    """Return keys as Textual's bindings, which a person may remap by their ids."""
    return [
        Binding(key.keys, key.action, key.text, show=False, id=key.id, tooltip=key.text)
        for key in keys
    ]


class ConsoleApp(App[int]):
    """The console on one home's job store."""

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = True
    TITLE = "smc-tui"
    BINDINGS: ClassVar[list[BindingType]] = bindings(APP_KEYS)

    def __init__(self, store: JobStore, options: Options | None = None) -> None:
        super().__init__()
        self.options = options or Options()
        self.glyphs = PLAIN if self.options.ascii else DRAWN
        self.store = store
        self.feed = Feed(store)
        self.desk = Desk(store, self.options.read_only)
        self.trouble: SmcError | None = None
        self.frozen = False

    @property
    def snapshot(self) -> Snapshot:
        """The newest look at the job store."""
        return self.feed.snapshot

    def on_mount(self) -> None:
        """Show the first page from the first look, then look again and again."""
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = self.options.theme
        self.look()
        from smc_tui.console.screens.migration import MigrationScreen

        self.push_screen(MigrationScreen())
        self.set_interval(TICK, self.look)

    def look(self) -> None:
        """Look at the job store; tell the screen on top what is new."""
        if self.frozen:
            return
        try:
            changed = self.feed.look()
            answers = self.desk.answers()
        except SmcError as error:
            changed, answers = self.trouble != error, []
            self.trouble = error
        else:
            changed = changed or self.trouble is not None
            self.trouble = None
        for answer in answers:
            severity: Literal["information", "error"] = "information" if answer.well else "error"
            self.notify(answer.text, title=answer.what, severity=severity, markup=False)
        shown = getattr(self.screen, "show_snapshot", None)
        if changed and shown is not None:
            shown()

    def action_leave(self) -> None:
        """Detach: the console ends, the engine goes on."""
        self.exit(0)

    def action_redraw(self) -> None:
        """Send everything again."""
        self.refresh(repaint=True, layout=True)

    def action_next_theme(self) -> None:
        """Take the next theme."""
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]


def mouse_wanted(asked: bool | None) -> bool:
    """Tell whether to take the mouse: not over ssh, where moving it costs 200 KB/s."""
    return "SSH_CONNECTION" not in os.environ if asked is None else asked


def run(store: JobStore, options: Options, mouse: bool | None = None) -> int:
    """Run the console until it is left; return the exit status."""
    app = ConsoleApp(store, options)

    def leave(status: int) -> None:
        app.call_later(app.exit, status, status)

    signals.install(leave)
    ended = signals.watch_terminal(lambda: os._exit(129))
    try:
        return app.run(mouse=mouse_wanted(mouse)) or app.return_code or 0
    finally:
        ended.set()
