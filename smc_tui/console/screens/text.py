"""A page of text to read: scrolled by line and page, written to a file where that helps."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import TEXT_KEYS, Key
from smc_tui.console.render.cells import Line
from smc_tui.console.screens.page import Page
from smc_tui.console.widgets.lines import Lines
from smc_tui.model.errors import SmcError
from smc_tui.model.units import stamp

#: Where in the home folder written pages are left.
FOLDER = "reports"


class TextPage(Page):
    """Lines that are made for a width.

    Args:
        title: what the page is called.
        made: makes its lines for so many columns.
        written: makes what ``o`` writes; None: there is nothing to write.
        file: how the file's name begins; letters, digits, ``_``, ``:`` and ``-``.
        at_end: begin at the end, where the newest of a log stands.
    """

    DEFAULT_CSS = "TextPage VerticalScroll { scrollbar-size-vertical: 1; }"

    BINDINGS: ClassVar[list[BindingType]] = bindings(TEXT_KEYS)

    def __init__(
        self,
        title: str,
        made: Callable[[int], Sequence[Line]],
        written: Callable[[], str] | None = None,
        file: str = "",
        *,
        at_end: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._made = made
        self._written = written
        self._file = file
        self._at_end = at_end

    @property
    def keys(self) -> tuple[Key, ...]:
        """What is told in the bottom line."""
        return tuple(key for key in TEXT_KEYS if key.id != "text.write" or self._written)

    def compose(self) -> ComposeResult:
        """The title, the text, the keys."""
        yield Lines(id="title")
        with VerticalScroll():
            yield Lines(id="text")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Show it and take the keys."""
        self.query_one(VerticalScroll).focus()
        if self._at_end:
            self.call_after_refresh(self.action_to_end, True)

    def name_shown(self) -> str:
        """Return the page's title."""
        return self._title

    def on_resize(self) -> None:
        """Make the lines for the new width."""
        super().on_resize()
        self.query_one("#text", Lines).show(list(self._made(self.size.width - 1)))

    # Keys

    def action_scroll(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_scroll_page(self, pages: float) -> None:
        """Scroll by pages."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_relative(y=int(pages * max(1, scroll.size.height - 1)), animate=False)

    def action_to_end(self, last: bool) -> None:
        """Go to the end or to the beginning."""
        scroll = self.query_one(VerticalScroll)
        scroll.scroll_end(animate=False) if last else scroll.scroll_home(animate=False)

    def action_write(self) -> None:
        """Write it to a file in the home folder and say where."""
        if self._written is not None:
            write(self, self._file, self._written)


def write(page: Page, name: str, made: Callable[[], str]) -> None:
    """Write a text to a new file in the home folder and say where.

    Args:
        page: says it.
        name: how the file's name begins; letters, digits, ``_``, ``:`` and ``-``.
        made: makes the text.
    """
    store = page.console.store
    path = store.home.path / FOLDER / f"{name}_{stamp(store.now())}.md"
    try:
        _leave(path, made())
    except SmcError as error:
        page.notify(error.line, severity="error", markup=False)
    else:
        page.notify(f"written to {path}", markup=False)


def _leave(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # Never through a link, never readable by others: it tells of a whole server.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise SmcError("Home.Unusable", f"{path}: {error.strerror}") from error
