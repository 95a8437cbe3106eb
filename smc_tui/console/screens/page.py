"""A page that is no list of jobs: a title above, its keys below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.screen import Screen

from smc_tui.console.keys import Key
from smc_tui.console.render import story
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.widgets.lines import Lines

if TYPE_CHECKING:
    from smc_tui.console.shell import Shell


def hint_line(app: Shell, keys: Iterable[Key], columns: int) -> Line:
    """Return the bottom line: the keys that are told there, as they are chosen."""
    line: list[Cell] = [Cell(" ")]
    for key in keys:
        if key.hint:
            line += [Cell(app.keymap.shown(key), Tone.STRONG), Cell(f" {key.text}  ", Tone.DIM)]
    return story.cut(tuple(line), columns, app.glyphs)


class Page(Screen[None]):
    """A page with a title above and its keys below."""

    NAME = ""
    KEYS: ClassVar[tuple[Key, ...]] = ()

    @property
    def keys(self) -> tuple[Key, ...]:
        """Its own keys, as the bottom line tells them."""
        return self.KEYS

    @property
    def console(self) -> Shell:
        """The app, by its own name."""
        return cast("Shell", self.app)

    def name_shown(self) -> str:
        """Return what the page is called in its title."""
        return self.NAME

    def on_screen_resume(self) -> None:
        """Show what has come while another page was on top."""
        self.show_snapshot()

    def on_resize(self) -> None:
        """Draw anew for the new width."""
        self.show_snapshot()

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        app = self.console
        if app.trouble is not None:
            line: Line = (Cell(f" {app.trouble.line}", Tone.BAD),)
        else:
            line = story.title(self.name_shown(), app.snapshot, self.size.width)
        self.query_one("#title", Lines).show([line])
        self.query_one("#hints", Lines).show([self.hints()])

    def hints(self) -> Line:
        """Return the bottom line."""
        return hint_line(self.console, self.keys, self.size.width)

    def action_back(self) -> None:
        """Go back to the page before."""
        self.app.pop_screen()
