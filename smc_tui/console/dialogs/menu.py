"""The action menu of a row: every action in SMC's words, the impossible ones with the reason."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from smc_tui.console.keymap import Keymap
from smc_tui.console.keys import JOB_KEYS
from smc_tui.console.leave import ALL, Leave
from smc_tui.console.render.cells import Cell, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.model.actions import ACTIONS, Action, ActionId, Friction, Subject, brief
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job

#: Lines on why an action is not possible.
WHY = 2
#: Lines of the menu that are no actions: its border, its title, the lines below.
_AROUND = 3 + WHY

_COLUMNS = (
    Column("key", "", 3),
    Column("label", "", 30, grows=True),
    Column("why", "", 20, grows=True),
)


def menu_rows(jobs: Sequence[Job], keymap: Keymap, leave: Leave = ALL) -> list[tuple[Action, Row]]:
    """Return the actions on jobs as rows: those offered read plain, others dim.

    Args:
        jobs: those that are chosen, the one under the cursor first.
        keymap: how keys are told.
        leave: what this console may ask.
    """
    found = []
    for action in ACTIONS.values():
        if action.subject is not Subject.JOB or action.id not in JOB_KEYS:
            continue
        error = withheld(action, jobs, leave)
        tone = Tone.DIM if error else Tone.PLAIN
        cells = (
            Cell(keymap.shown(JOB_KEYS[action.id]), tone if error else Tone.STRONG),
            Cell(action.label + ("…" if action.friction is not Friction.NONE else ""), tone),
            Cell(reason(action, jobs, leave), Tone.DIM),
        )
        found.append((action, Row(action.id, cells)))
    return found


def withheld(action: Action, jobs: Sequence[Job], leave: Leave = ALL) -> SmcError | None:
    """Return why an action is offered for none of the jobs, None where it is for one.

    What only shows something shows it of the first.
    """
    errors = [leave.refusal(action, job) for job in (jobs if action.verb else jobs[:1])]
    return None if None in errors else errors[0]


def reason(action: Action, jobs: Sequence[Job], leave: Leave = ALL) -> str:
    """Return in a few words why an action is not offered, or what stands before it."""
    error = withheld(action, jobs, leave)
    if error is None:
        possible = sum(leave.refusal(action, job) is None for job in jobs)
        some = f"for {possible} of {len(jobs)}" if action.verb and possible < len(jobs) else ""
        friction = "" if action.friction is Friction.NONE else str(action.friction)
        if friction and len(jobs) > 1:
            friction = "type how many"
        return ", ".join(filter(None, [some, friction]))
    if error.code == "Console.ReadOnly":
        return "read only"
    return brief(action, jobs[0], error)


class ActionMenu(ModalScreen[ActionId | None]):
    """Choose one action of a job."""

    DEFAULT_CSS = """
    ActionMenu { align: center middle; }
    ActionMenu > Vertical {
        width: 76; max-width: 98%; height: auto; max-height: 100%;
        border: round $primary; background: $background; padding: 0 1;
    }
    ActionMenu LineTable { height: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "close", show=False, id="menu.close"),
    ]

    def __init__(self, jobs: Sequence[Job], keymap: Keymap, leave: Leave = ALL) -> None:
        super().__init__()
        self._jobs = jobs
        self._keymap = keymap
        self._leave = leave
        self._rows = menu_rows(jobs, keymap, leave)

    def compose(self) -> ComposeResult:
        """What they are done to, the actions, a line on the chosen one."""
        about = self._jobs[0].name if len(self._jobs) == 1 else f"{len(self._jobs)} marked jobs"
        with Vertical():
            yield Lines([(Cell(f"Actions: {about}", Tone.STRONG),)])
            yield LineTable(_COLUMNS, header=False)
            yield Lines(id="why", least=WHY)

    def on_mount(self) -> None:
        """Show the actions, the cursor on the first that is possible."""
        table = self.query_one(LineTable)
        table.apply([row for _, row in self._rows])
        table.focus()
        first = next((action.id for action, _ in self._rows if not self._withheld(action.id)), None)
        if first is not None:
            table.move_to(first)

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        error = self._withheld(ActionId(event.key)) if event.key else None
        if error is not None:
            self._say(error.detail, Tone.WARN)
        else:
            self._say("enter: go on", Tone.DIM)

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        self._choose(ActionId(event.key))

    def on_key(self, event: events.Key) -> None:
        """Take an action by its letter."""
        for action, _ in self._rows:
            if event.key in self._keymap.keys(JOB_KEYS[action.id]).split(","):
                event.stop()
                self._choose(action.id)

    def _choose(self, action: ActionId) -> None:
        error = self._withheld(action)
        if error is None:
            self.dismiss(action)
        else:
            self._say(f"{error.code}: {error.detail}", Tone.BAD)

    def _say(self, text: str, tone: Tone) -> None:
        says = self.query_one("#why", Lines)
        self._said = (text, tone)
        lines = textwrap.wrap(text, max(10, says.size.width)) if text else []
        says.show([(Cell(line, tone),) for line in lines[:WHY]])

    def on_resize(self) -> None:
        """Leave room for what is said below, however small the terminal is."""
        room = max(1, self.size.height - _AROUND)
        self.query_one(LineTable).styles.height = min(len(self._rows), room)
        self.call_after_refresh(lambda: self._say(*self._said))

    def _withheld(self, action: ActionId) -> SmcError | None:
        return withheld(ACTIONS[action], self._jobs, self._leave)
