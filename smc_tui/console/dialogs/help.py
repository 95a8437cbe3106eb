"""Help: every key that is understood on the page below, made from what is bound there.

A filter narrows it, enter does what the line says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from smc_tui.console.dialogs.menu import reason, withheld
from smc_tui.console.keymap import Keymap, bindings
from smc_tui.console.keys import BY_ID, HELP_KEYS, Key
from smc_tui.console.render.cells import Cell, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.screens.jobscreen import JobScreen
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.model.actions import ACTIONS, ActionId

_COLUMNS = (
    Column("key", "Key", 11),
    Column("text", "What it does", 41, grows=True),
    Column("why", "Not now", 16, 1, grows=True),
    Column("id", "Id, to remap it by", 19, 2),
)

_BLANK = Cell("", Tone.DIM)

#: Nothing is said of any key.
NOTHING: Mapping[str, str] = MappingProxyType({})

#: What the part of an id before its dot is called.
GROUPS = {
    "job": "Jobs: the marked ones, or the cursor's",
    "page": "This page",
    "table": "The table",
    "app": "Everywhere",
}


def live_keys(screen: Screen[Any]) -> list[Key]:
    """Return the keys that a screen understands now, jobs' first, everywhere's last."""
    order = list(GROUPS)
    found: dict[str, Key] = {}
    for active in screen.active_bindings.values():
        identity = active.binding.id or ""
        if identity in BY_ID:
            found[identity] = BY_ID[identity]

    def place(key: Key) -> int:
        group = key.id.partition(".")[0]
        return order.index(group) if group in order else 1

    return sorted(found.values(), key=place)


def why_not(screen: Screen[Any], key: Key) -> str:
    """Return in a few words why a key does nothing on a screen now; empty: it does."""
    if not isinstance(screen, JobScreen) or not key.id.startswith("job."):
        return ""
    action, jobs = ACTIONS[ActionId(key.id.partition(".")[2])], screen.chosen_jobs
    if not jobs:
        return "no job is chosen"
    leave = screen.console.leave
    error = withheld(action, jobs, leave)
    return reason(action, jobs, leave) if error is not None else ""


def help_rows(
    keys: Sequence[Key], keymap: Keymap, words: str = "", why: Mapping[str, str] = NOTHING
) -> list[Row]:
    """Return the keys whose text, key or id has all the words, under their groups' titles.

    Args:
        keys: those that are understood.
        keymap: how they are told.
        words: what is looked for.
        why: by their ids, why some of them do nothing now.
    """
    rows: list[Row] = []
    group = ""
    for key in keys:
        shown = keymap.all_shown(key)
        text = f"{key.text} {shown} {key.id}".lower()
        if not all(word in text for word in words.lower().split()):
            continue
        now = key.id.partition(".")[0]
        if now != group:
            group = now
            title = Cell(GROUPS.get(group, "This page"), Tone.DIM)
            rows.append(Row(f"group:{group}", (_BLANK, title, _BLANK, _BLANK)))
        said = why.get(key.id, "")
        tone = Tone.DIM if said else Tone.PLAIN
        letter = Cell(shown, tone if said else Tone.STRONG)
        texts = (Cell(key.text, tone), Cell(said, Tone.DIM), Cell(key.id, Tone.DIM))
        rows.append(Row(key.id, (letter, *texts)))
    return rows


class Help(ModalScreen[str | None]):
    """The keys of the page below; its answer is the id of the one to press.

    Args:
        below: the page.
    """

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Vertical {
        width: 110; max-width: 98%; height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Help Input { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(HELP_KEYS)

    def __init__(self, below: Screen[Any], keymap: Keymap) -> None:
        super().__init__()
        self._keys = live_keys(below)
        self._why = {key.id: why_not(below, key) for key in self._keys}
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        """A filter over the list."""
        title = (Cell("Keys. Type to filter, enter does it, esc closes", Tone.STRONG),)
        with Vertical():
            yield Lines([title])
            yield Input(placeholder="words of what you look for", compact=True)
            yield LineTable(_COLUMNS)

    def on_mount(self) -> None:
        """Show all keys; a person types, so the filter has the focus."""
        self._show("")
        self.query_one(Input).focus()

    @property
    def _table(self) -> LineTable:
        return self.query_one(LineTable)

    def _show(self, words: str) -> None:
        rows = help_rows(self._keys, self._keymap, words, self._why)
        self._table.apply(rows)
        first = next((row.key for row in rows if row.key in BY_ID), None)
        if first is not None:
            self._table.move_to(first)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._show(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_run()

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.action_run()

    def action_run(self) -> None:
        """Close and do what the line under the cursor says."""
        if self._table.cursor in BY_ID:
            self.dismiss(self._table.cursor)

    def action_down(self, by: int) -> None:
        """Move in the list while the filter has the focus."""
        self._table.action_move(by)

    def action_close(self) -> None:
        """Close and do nothing."""
        self.dismiss(None)
