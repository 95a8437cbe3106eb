"""The ``:`` line at the bottom of a page, over its hints.

It lies on a layer of its own, so that nothing above it moves or is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import COMMAND_KEYS
from smc_tui.console.render.cells import Cell, Tone
from smc_tui.console.widgets.lines import Lines


class CommandBar(Vertical):
    """One line to type a command in, one above it for what is wrong or possible.

    Args:
        history: lines typed before, oldest first.
        complete: returns what the last word of a line may become.
    """

    DEFAULT_CSS = """
    CommandBar { dock: bottom; layer: command; height: 2; background: $background; }
    CommandBar Horizontal { height: 1; }
    CommandBar Label { width: 2; }
    CommandBar Input { width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMAND_KEYS)

    @dataclass
    class Given(Message):
        """A line was given; None: none is wanted any more."""

        bar: CommandBar
        line: str | None

    def __init__(self, history: list[str], complete: Callable[[str], list[str]]) -> None:
        super().__init__()
        self._history = history
        self._complete = complete
        self._at = len(history)
        self._typed = ""
        self.back_to: Widget | None = None

    def compose(self) -> ComposeResult:
        """What to say, and the line."""
        yield Lines(id="command-says")
        with Horizontal():
            yield Label(":")
            yield Input(compact=True, id="command")

    @property
    def field(self) -> Input:
        """Where a person types."""
        return self.query_one(Input)

    def on_mount(self) -> None:
        """Take the keys."""
        self.screen.set_focus(self.field, scroll_visible=False)
        self.say("tab completes, up and down go through what was typed, esc leaves", Tone.DIM)

    def say(self, text: str, tone: Tone = Tone.BAD) -> None:
        """Say in one line what is wrong."""
        self.query_one(Lines).show([(Cell(f" {text}", tone),)])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value.strip()
        if line and self._history[-1:] != [line]:
            self._history.append(line)
        self._at, self._typed = len(self._history), ""
        self.post_message(self.Given(self, line or None))

    def action_leave(self) -> None:
        """Give no command."""
        self.post_message(self.Given(self, None))

    def action_history(self, by: int) -> None:
        """Take a line typed before, or the next one, or what stood there first."""
        at = min(max(0, self._at + by), len(self._history))
        if at == self._at:
            return
        if self._at == len(self._history):
            self._typed = self.field.value
        self._at = at
        self.field.value = self._typed if at == len(self._history) else self._history[at]
        self.field.cursor_position = len(self.field.value)

    def action_complete(self) -> None:
        """Complete the last word as far as it is certain; show what it may become."""
        line = self.field.value
        found = self._complete(line)
        if not found:
            self.say("nothing completes that", Tone.DIM)
            return
        start, space, _ = line.rpartition(" ")
        word = found[0] if len(found) == 1 else _common(found)
        end = " " if len(found) == 1 and not word.endswith((":", "=")) else ""
        self.field.value = f"{start}{space}{word}{end}"
        self.field.cursor_position = len(self.field.value)
        self.say("  ".join(found), Tone.DIM)


def _common(words: list[str]) -> str:
    """Return what words begin with in common."""
    first, last = min(words), max(words)
    length = next((at for at, char in enumerate(first) if last[at : at + 1] != char), len(first))
    return first[:length]
