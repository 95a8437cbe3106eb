"""Fields of a dialog, checked as they are typed by the same checks that the engine makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Checkbox, Input, Label

from smc_tui.console.widgets.choice import Choice
from smc_tui.model.errors import SmcError

Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to choose.

    Attributes:
        key: the argument of the request.
        label: SMC's words.
        value: what it is now; a bool makes a check box.
        check: raises an SmcError for what is not allowed.
        limits: the limits in words, beside the field.
        optional: empty is allowed.
        choices: the few values it can have, each with what it means.
    """

    key: str
    label: str
    value: str | bool
    check: Check = str
    limits: str = ""
    optional: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def typed(self) -> bool:
        """Whether it is a text that a person types."""
        return not isinstance(self.value, bool) and not self.choices

    def problem(self, value: Any) -> SmcError | None:
        """Return why a value is not allowed, None where it is."""
        if not self.typed or (self.optional and not value):
            return None
        try:
            self.check(value)
        except SmcError as error:
            return error
        return None


class Box(Checkbox):
    """A check box whose mark is there or not: Textual's own is told by its colour alone."""

    BUTTON_LEFT, BUTTON_RIGHT = "[", "]"

    @property
    def _button(self) -> Content:
        mark = "X" if self.value else " "
        return Content(f"{self.BUTTON_LEFT}{mark}{self.BUTTON_RIGHT}")


class FieldRow(Horizontal):
    """A field with its label and what is wrong with it."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow Label { width: 32; }
    FieldRow Input { width: 24; }
    FieldRow .says { width: 1fr; color: $text-muted; padding-left: 1; }
    FieldRow .says.wrong { color: $error; }
    """

    def __init__(self, asked: Field) -> None:
        super().__init__()
        self.field = asked

    def compose(self) -> ComposeResult:
        """Label, field, limits."""
        if isinstance(self.field.value, bool):
            yield Box(self.field.label, self.field.value, compact=True)
        else:
            yield Label(self.field.label, markup=False)
            if self.field.choices:
                yield Choice(tuple(self.field.choices), self.field.value)
            else:
                yield Input(self.field.value, compact=True)
        yield Label(self.says, classes="says", markup=False)

    def take_focus(self) -> None:
        """Put the focus on the field."""
        self.query("Input, Checkbox, Choice").first().focus()

    @property
    def value(self) -> Any:
        """What it says now."""
        if isinstance(self.field.value, bool):
            return self.query_one(Checkbox).value
        if self.field.choices:
            return self.query_one(Choice).value
        return self.query_one(Input).value.strip()

    @property
    def problem(self) -> SmcError | None:
        """Why what it says is not allowed, None when it is."""
        return self.field.problem(self.value)

    @property
    def says(self) -> str:
        """What stands beside it while nothing is wrong."""
        if not self.field.choices:
            return self.field.limits
        value = self.value if self.query(Choice) else self.field.value
        return self.field.choices[str(value)]

    def show(self, value: str) -> None:
        """Put another value into a field that is typed."""
        self.query_one(Input).value = value

    @on(Input.Changed)
    @on(Choice.Changed)
    def _typed(self) -> None:
        says, problem = self.query_one(".says", Label), self.problem
        says.update(problem.detail if problem else self.says)
        says.set_class(problem is not None, "wrong")
