"""The action menu of a row: every action in SMC's words, the impossible ones with the reason."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from smc_tui.console.keys import JOB_KEYS
from smc_tui.console.render.cells import Cell, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.model.actions import ACTIONS, Action, ActionId, Friction, Subject, refusal
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import Job

_COLUMNS = (
    Column("key", "", 3),
    Column("label", "", 30, grows=True),
    Column("why", "", 20, grows=True),
)


def menu_rows(job: Job) -> list[tuple[Action, Row]]:
    """Return the actions on a job as rows: those offered first read plain, others dim."""
    found = []
    for action in ACTIONS.values():
        if action.subject is not Subject.JOB or action.id not in JOB_KEYS:
            continue
        error = refusal(action, job)
        tone = Tone.DIM if error else Tone.PLAIN
        cells = (
            Cell(JOB_KEYS[action.id].shown, tone if error else Tone.STRONG),
            Cell(action.label + ("…" if action.friction is not Friction.NONE else ""), tone),
            Cell(reason(action, job), Tone.DIM),
        )
        found.append((action, Row(action.id, cells)))
    return found


def reason(action: Action, job: Job) -> str:
    """Return in a few words why an action is not offered, or what stands before it."""
    error = refusal(action, job)
    if error is None:
        return "" if action.friction is Friction.NONE else str(action.friction)
    if error.code == "Action.Unavailable":
        return f"needs {action.needs}"
    if error.code == "ReplicationJob.OnceOnly":
        return "incremental jobs only"
    statuses = dict.fromkeys(
        str(state.phase if state.phase and state.status is not Status.RUNNING else state.status)
        for state in action.states
    )
    return f"only {', '.join(statuses)}"


class ActionMenu(ModalScreen[ActionId | None]):
    """Choose one action of a job."""

    DEFAULT_CSS = """
    ActionMenu { align: center middle; }
    ActionMenu > Vertical {
        width: 76; max-width: 98%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
    }
    ActionMenu LineTable { height: auto; max-height: 20; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "close", show=False, id="menu.close"),
    ]

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._rows = menu_rows(job)

    def compose(self) -> ComposeResult:
        """The job's name, the actions, a line on the chosen one."""
        with Vertical():
            yield Lines([(Cell(f"Actions: {self._job.name}", Tone.STRONG),)])
            yield LineTable(_COLUMNS, header=False)
            yield Lines(id="why")

    def on_mount(self) -> None:
        """Show the actions, the cursor on the first that is possible."""
        table = self.query_one(LineTable)
        table.styles.height = len(self._rows)
        table.apply([row for _, row in self._rows])
        table.focus()
        first = next(
            (action.id for action, _ in self._rows if not refusal(action, self._job)), None
        )
        if first is not None:
            table.move_to(first)

    @on(LineTable.Moved)
    def _moved(self, event: LineTable.Moved) -> None:
        error = refusal(ACTIONS[ActionId(event.key)], self._job) if event.key else None
        line = (Cell(error.detail, Tone.WARN),) if error else (Cell("enter: go on", Tone.DIM),)
        self.query_one("#why", Lines).show([line])

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        self._choose(ActionId(event.key))

    def on_key(self, event: events.Key) -> None:
        """Take an action by its letter."""
        for action, _ in self._rows:
            if event.character == JOB_KEYS[action.id].shown:
                event.stop()
                self._choose(action.id)

    def _choose(self, action: ActionId) -> None:
        error = refusal(ACTIONS[action], self._job)
        if error is None:
            self.dismiss(action)
        else:
            self.query_one("#why", Lines).show([(Cell(error.line, Tone.BAD),)])
