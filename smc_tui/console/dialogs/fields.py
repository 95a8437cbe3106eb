"""Fields of a dialog, checked as they are typed by the same checks that the engine makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Checkbox, Input, Label

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
    """

    key: str
    label: str
    value: str | bool
    check: Check = str
    limits: str = ""
    optional: bool = False


class FieldRow(Horizontal):
    """A field with its label and what is wrong with it."""

    DEFAULT_CSS = """
    FieldRow { height: 1; }
    FieldRow Label { width: 32; }
    FieldRow Input { width: 24; }
    FieldRow .says { width: 1fr; color: $text-muted; padding-left: 1; }
    FieldRow .says.wrong { color: $error; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def compose(self) -> ComposeResult:
        """Label, field, limits."""
        if isinstance(self.field.value, bool):
            yield Checkbox(self.field.label, self.field.value, compact=True)
        else:
            yield Label(self.field.label, markup=False)
            yield Input(self.field.value, compact=True)
        yield Label(self.field.limits, classes="says", markup=False)

    def take_focus(self) -> None:
        """Put the focus on the field."""
        self.query("Input, Checkbox").first().focus()

    @property
    def value(self) -> Any:
        """What it says now."""
        if isinstance(self.field.value, bool):
            return self.query_one(Checkbox).value
        return self.query_one(Input).value.strip()

    @property
    def problem(self) -> SmcError | None:
        """Why what it says is not allowed, None when it is."""
        if isinstance(self.field.value, bool) or (self.field.optional and not self.value):
            return None
        try:
            self.field.check(self.value)
        except SmcError as error:
            return error
        return None

    @on(Input.Changed)
    def _typed(self) -> None:
        says, problem = self.query_one(".says", Label), self.problem
        says.update(problem.detail if problem else self.field.limits)
        says.set_class(problem is not None, "wrong")
