"""One of a few words, chosen with left and right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import CHOICE_KEYS


class Choice(Widget, can_focus=True):
    """A few words in a line, the chosen one in brackets; an empty one is a dash."""

    DEFAULT_CSS = """
    Choice { height: 1; width: auto; }
    Choice:focus { background: $panel; text-style: bold; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(CHOICE_KEYS)

    value: reactive[str] = reactive("", layout=True)
    """The chosen word."""

    @dataclass
    class Changed(Message):
        """Another word is chosen."""

        choice: Choice
        value: str

    def __init__(self, words: Sequence[str], value: str) -> None:
        super().__init__()
        self._words = tuple(words)
        self.set_reactive(Choice.value, value)

    def render(self) -> Text:
        """Return the words."""
        shown = (f"[{word or '-'}]" if word == self.value else f" {word or '-'} "
                 for word in self._words)  # fmt: skip
        return Text("".join(shown), no_wrap=True)

    def watch_value(self, value: str) -> None:
        """Tell of another word."""
        if self.is_mounted:
            self.post_message(self.Changed(self, value))

    def action_choose(self, by: int) -> None:
        """Choose the next or the previous word, round the ends."""
        self.value = self._words[(self._words.index(self.value) + by) % len(self._words)]
