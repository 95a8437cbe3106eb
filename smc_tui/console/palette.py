"""The command palette: the keys' table once more, to be searched; and every job by its name.

What is not possible now stays there and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from smc_tui.console.dialogs.help import live_keys, why_not
from smc_tui.console.options import THEME_NAMES

if TYPE_CHECKING:
    from smc_tui.console.shell import Shell

#: Groups of keys that make no sense away from what has the focus.
_NOT_HERE = frozenset({"table", "form", "wizard", "choice", "command", "help"})

Choice = tuple[str, str, Callable[[], object]]


class Actions(Provider):
    """Everything that a key does on the page below, themes, and the way to each job."""

    @property
    def _console(self) -> Shell:
        return cast("Shell", self.app)

    def _choices(self) -> Iterator[Choice]:
        """Yield what to show, what to say of it, what to do."""
        console = self._console
        for key in live_keys(self.screen):
            if key.id.partition(".")[0] in _NOT_HERE or key.id == "app.palette":
                continue
            why = why_not(self.screen, key)
            shown = console.keymap.shown(key)
            yield (
                key.text,
                f"{shown}   not now: {why}" if why else shown,
                partial(console.press, key.id),
            )
        for name in THEME_NAMES:
            yield f"theme {name}", "colours", partial(setattr, console, "theme", THEME_NAMES[name])

    def _jobs(self) -> Iterator[Choice]:
        for job in self._console.snapshot.jobs.values():
            yield f"go to {job.name}", job.source_name, partial(self._console.go_to, job.id)

    async def discover(self) -> Hits:
        """Yield all that can be done, before anything is typed."""
        for text, told, do in self._choices():
            yield DiscoveryHit(text, do, help=told)

    async def search(self, query: str) -> Hits:
        """Yield what matches."""
        matcher = self.matcher(query)
        for text, told, do in (*self._choices(), *self._jobs()):
            score = matcher.match(text)
            if score > 0:
                yield Hit(score, matcher.highlight(text), do, text=text, help=told)
