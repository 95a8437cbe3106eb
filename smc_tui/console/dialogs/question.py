"""One question before an action: what it does, what goes, what stays, what it costs.

Named after the act, never "OK": "Cancel the job" or "Keep it". What cannot be undone
asks for the name, typed; the focus is on the safe answer or on the empty field.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Label, Static

from smc_tui.console.dialogs.fields import Field, FieldRow
from smc_tui.console.widgets.choice import Choice

Answers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a dialog asks.

    Attributes:
        title: the act and the thing.
        lines: consequences, line by line.
        act: the button that does it.
        keep: the button that does not.
        name: what has to be typed; empty: nothing.
        fields: what is chosen with it.
        command: the equal command line.
    """

    title: str
    lines: Sequence[str]
    act: str
    keep: str = "Leave it"
    name: str = ""
    fields: Sequence[Field] = ()
    command: str = ""


#: Columns of a question, and those of its border, its edges and its scrollbar.
WIDTH = 84
_AROUND = 6

_LABEL = re.compile(r" +\S+: +")


def hanging(lines: Sequence[str], columns: int) -> str:
    """Return lines broken so that what belongs to a label stands below its beginning."""
    broken: list[str] = []
    for line in lines:
        label = _LABEL.match(line)
        under = " " * len(label[0]) if label else ""
        room = max(columns, len(under) + 10)
        # A name that is cut at its hyphen reads as two.
        broken += textwrap.wrap(line, room, subsequent_indent=under, break_on_hyphens=False) or [""]
    return "\n".join(broken)


class Ask(ModalScreen[Answers | None]):
    """A question; its answer is the fields' values, or None."""

    DEFAULT_CSS = """
    Ask { align: center middle; }
    Ask > VerticalScroll {
        width: 84; max-width: 98%; height: auto; max-height: 95%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    Ask .title { text-style: bold; }
    Ask .command { color: $text-muted; }
    Ask FieldRow { height: auto; }
    Ask FieldRow Label { width: 26; }
    Ask .buttons { height: auto; margin-top: 1; }
    Ask Button { margin-right: 2; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "leave it", show=False, id="ask.leave"),
        Binding("down,right", "app.focus_next", "next", show=False, id="ask.next"),
        Binding("up,left", "app.focus_previous", "previous", show=False, id="ask.previous"),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question
        self._lines = question.lines

    def compose(self) -> ComposeResult:
        """Title, consequences, fields, the name to type, two buttons."""
        question = self.question
        with VerticalScroll():
            yield Label(question.title, classes="title", markup=False)
            yield Static(self._told(question.lines), markup=False, id="lines")
            for field in question.fields:
                yield FieldRow(field)
            if question.name:
                yield Label(f"Type {question.name} to go on:", markup=False)
                yield Input(id="name", compact=True)
            if question.command:
                yield Static(question.command, classes="command", markup=False, id="command")
            with Horizontal(classes="buttons"):
                yield Button(question.keep, id="keep", compact=True)
                yield Button(
                    question.act, id="act", variant="error" if question.name else "primary",
                    disabled=bool(question.name), compact=True,
                )  # fmt: skip

    def _told(self, lines: Sequence[str]) -> str:
        return hanging(lines, min(WIDTH, int(self.app.size.width * 0.98)) - _AROUND)

    def on_resize(self) -> None:
        """Break the lines anew."""
        self.query_one("#lines", Static).update(self._told(self._lines))

    def on_mount(self) -> None:
        """Put the focus where nothing can go wrong."""
        if self.question.fields:
            self.query(FieldRow).first().take_focus()
        elif self.question.name:
            self.query_one("#name").focus()
        else:
            self.query_one("#keep").focus()

    @property
    def answers(self) -> dict[str, Any]:
        """What the fields say now."""
        return {row.field.key: row.value for row in self.query(FieldRow)}

    def _may(self) -> bool:
        typed = not self.question.name or self.query_one("#name", Input).value == self.question.name
        return typed and all(row.problem is None for row in self.query(FieldRow))

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        self.query_one("#act", Button).disabled = not self._may()
        self.revised()

    def revised(self) -> None:
        """Show what follows from what the fields say now; for those who make questions."""

    def tell(self, lines: Sequence[str], command: str) -> None:
        """Show other consequences and another equal command line."""
        self._lines = lines
        self.query_one("#lines", Static).update(self._told(lines))
        if self.question.command:
            self.query_one("#command", Static).update(command)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if self._may():
            self.dismiss(self.answers)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(self.answers if event.button.id == "act" else None)
