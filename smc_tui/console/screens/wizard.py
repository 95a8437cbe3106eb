"""What the wizards have in common: steps, fields checked as they are typed, a way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Input

from smc_tui.console.dialogs.fields import Field, FieldRow
from smc_tui.console.keymap import bindings
from smc_tui.console.keys import BY_ID, FORM_KEYS, WIZARD_KEYS
from smc_tui.console.render import story, wizards
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.widgets.choice import Choice
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.model.errors import SmcError

if TYPE_CHECKING:
    from smc_tui.console.shell import Shell

#: What keys do in a form.
FIELD_HINTS = (("form.next", "next field"), ("choice.next", "choose"))


class Wizard(Screen[None]):
    """A few steps on one page.

    A step shows the form, a table or neither; the lines below follow what is typed.
    """

    TITLE = ""
    STEPS: ClassVar[tuple[str, ...]] = ()

    DEFAULT_CSS = """
    Wizard > #form { height: auto; max-height: 60%; padding: 1 1 0 1; }
    Wizard > #form Label { width: 24; }
    Wizard > #form .says { width: 1fr; }
    Wizard > #form FieldRow { height: 1; }
    Wizard > LineTable { height: auto; max-height: 50%; margin: 1 0 0 0; }
    Wizard > #body { height: 1fr; margin: 1 0 0 0; }
    Wizard > #command { height: auto; max-height: 3; }
    Wizard.-narrow > #form { padding: 0 1; }
    Wizard.-narrow > #form Input { width: 18; }
    Wizard.-narrow > LineTable, Wizard.-narrow > #body { margin: 0; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings((*FORM_KEYS, *WIZARD_KEYS))

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.fault: SmcError | None = None

    @property
    def console(self) -> Shell:
        """The app, by its own name."""
        return cast("Shell", self.app)

    # What each wizard says

    def fields(self) -> Sequence[Field]:
        """Return the fields of the form."""
        raise NotImplementedError

    def asked(self, key: str, answers: dict[str, Any]) -> bool:
        """Tell whether a field is asked with what the others say."""
        raise NotImplementedError

    def body(self) -> list[Line]:
        """Return the lines below the form or the table."""
        raise NotImplementedError

    def command(self) -> str:
        """Return the equal command line, empty where there is none yet."""
        raise NotImplementedError

    def hints(self) -> Sequence[tuple[str, str]]:
        """Return what keys do in this step: their ids, and in a few words what."""
        raise NotImplementedError

    def table(self) -> LineTable:
        """Return the table of the steps that choose from one."""
        raise NotImplementedError

    @property
    def on_form(self) -> bool:
        """Whether this step shows the form."""
        raise NotImplementedError

    @property
    def on_table(self) -> bool:
        """Whether this step shows the table."""
        raise NotImplementedError

    # Showing

    def compose(self) -> ComposeResult:
        """Lay out the page, top to bottom."""
        yield Lines(id="title")
        yield Lines(id="steps")
        with VerticalScroll(id="form", can_focus=False):
            for field in self.fields():
                yield FieldRow(field)
        yield self.table()
        yield Lines(id="body")
        yield Lines(id="command")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Show the first step."""
        self.turn_to(self.step)

    def on_resize(self) -> None:
        """Draw the lines anew for the new width."""
        self.set_class(self.size.width < 80 or self.size.height < 24, "-narrow")
        self.show_snapshot()

    def turn_to(self, step: int) -> None:
        """Go to a step and put the focus where a person goes on."""
        self.step = step
        form, table = self.query_one("#form"), self.query_one(LineTable)
        form.display, table.display = self.on_form, self.on_table
        if self.on_form:
            self._show_asked()
            self.first_row.take_focus()
        elif self.on_table:
            table.focus()
        else:
            self.set_focus(None)
        self.show_snapshot()

    @property
    def first_row(self) -> FieldRow:
        """The field that a person is to fill in first: the first that is wrong, else the first."""
        rows = [row for row in self.query(FieldRow) if row.display]
        return next((row for row in rows if row.problem is not None), rows[0])

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        width, glyphs = self.size.width, self.console.glyphs
        title = story.title(self.TITLE, self.console.snapshot, width)
        self._lines("#title", [title])
        self._lines("#steps", [wizards.steps_line(self.STEPS, self.step, glyphs)])
        lines = wizards.fault_lines(self.fault) if self.fault is not None else self._wrong_lines()
        self._lines("#body", wizards.wrapped([*lines, *self.body()], width))
        command = self.command()
        self._lines("#command", wizards.wrapped([(Cell(f" {command}", Tone.DIM),)], width))
        hints: list[Cell] = [Cell(" ")]
        for identity, text in self.hints():
            key = self.console.keymap.shown(BY_ID[identity])
            hints += [Cell(key, Tone.STRONG), Cell(f" {text}  ", Tone.DIM)]
        self._lines("#hints", [story.ends(tuple(hints), (), width, glyphs)])

    def _lines(self, where: str, lines: list[Line]) -> None:
        self.query_one(where, Lines).show(lines)

    # The form

    @property
    def answers(self) -> dict[str, Any]:
        """What the fields say now."""
        return {row.field.key: row.value for row in self.query(FieldRow)}

    def row(self, key: str) -> FieldRow:
        """Return the row of a field."""
        return next(row for row in self.query(FieldRow) if row.field.key == key)

    @property
    def wrong(self) -> FieldRow | None:
        """The first field that is asked and not allowed as it stands."""
        return next((row for row in self.query(FieldRow) if row.display and row.problem), None)

    def _wrong_lines(self) -> list[Line]:
        """Return in full what is wrong: beside its field there may be no room for it."""
        row = next(
            (row for row in self.query(FieldRow) if row.display and row.value and row.problem), None
        )
        if not self.on_form or row is None or row.problem is None:
            return []
        return [(Cell(f" {row.field.label}: ", Tone.BAD), Cell(row.problem.detail))]

    @on(Input.Changed)
    @on(Choice.Changed)
    def _changed(self) -> None:
        self.fault = None
        self._show_asked()
        self.show_snapshot()

    def _show_asked(self) -> None:
        answers = self.answers
        for row in self.query(FieldRow):
            row.display = self.asked(row.field.key, answers)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_next()

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        event.stop()
        self.action_next()

    def complain(self) -> bool:
        """Point out the first field that is wrong; tell whether there was one."""
        row = self.wrong
        if row is None or row.problem is None:
            return False
        self.fault = row.problem
        row.take_focus()
        self.show_snapshot()
        return True

    # Keys

    def action_next(self) -> None:
        """Go on from this step."""
        raise NotImplementedError

    def action_accept(self) -> None:
        """Accept what is asked about; nothing is by default."""

    def action_back(self) -> None:
        """Close the wizard."""
        self.app.pop_screen()

    def action_next_field(self) -> None:
        """Go to the next field."""
        self.focus_next()

    def action_previous_field(self) -> None:
        """Go to the previous field."""
        self.focus_previous()
