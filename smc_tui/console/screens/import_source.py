"""The wizard that imports a source: where it is, its host key, what was found, its disks.

A look at a server is one request. A host key that is not known yet refuses it with the
fingerprint, and it is asked again with the key once a person has accepted that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on

from smc_tui.console import plans
from smc_tui.console.dialogs.fields import Field
from smc_tui.console.render import wizards
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.screens.wizard import FIELD_HINTS, Wizard
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore.requests import Request, RequestState
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Source

SERVER, LOOK, KEY, DISKS = range(4)


class ImportSource(Wizard):
    """Import a server over SSH, or disks of this host."""

    TITLE = "Import source"
    STEPS: ClassVar[tuple[str, ...]] = ("Server", "Look", "Host key", "Disks")

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, Any] = {}
        self._disks: tuple[str, ...] = ()
        self._accepted = ""
        self._keys: dict[tuple[str, str], str] = {}
        self._shown_key: SmcError | None = None
        self._request = ""
        self._source: Source | None = None
        self._state = ""

    # What is shown

    def fields(self) -> Sequence[Field]:
        """Return what is chosen about a source."""
        return plans.import_fields()

    def asked(self, key: str, answers: dict[str, Any]) -> bool:
        """Tell whether a field is for the kind that is chosen."""
        return plans.import_shown(key, answers)

    def table(self) -> LineTable:
        """Return the table of the disks."""
        return LineTable(wizards.DISK_COLUMNS, glyphs=self.console.glyphs, marking=True)

    @property
    def on_form(self) -> bool:
        """The first step is the form."""
        return self.step == SERVER

    @property
    def on_table(self) -> bool:
        """The last step chooses disks."""
        return self.step == DISKS

    def body(self) -> list[Line]:
        """Return what the step has to say."""
        if self.step == LOOK:
            name = self._given["name"]
            return [(Cell(f" Looking at {name}: {self._state}", Tone.BUSY),)]
        if self.step == KEY and self._shown_key is not None:
            return wizards.host_key_lines(self._given["address"], self._shown_key)
        if self.step == DISKS and self._source is not None:
            return self._found(self._source)
        return []

    def _found(self, source: Source) -> list[Line]:
        lines = [*wizards.found_lines(source), *wizards.estimate_lines(source)]
        system = next((disk.path for disk in source.disks if disk.role == "system"), None)
        chosen = self._chosen
        if not chosen:
            lines.append((Cell(" No disk is chosen: space marks one.", Tone.BAD),))
        elif system is not None and system not in chosen:
            text = f" Without {system} an image of it does not boot."
            lines.append((Cell(text, Tone.WARN),))
        return lines

    def command(self) -> str:
        """Return the command line that imports the same."""
        answers = self._given if self.step != SERVER else self.answers
        disks = self._chosen if self._narrowed else self._disks
        return plans.import_command(self.console.options.back, answers, disks, self._accepted)

    def hints(self) -> Sequence[tuple[str, str]]:
        """Return what keys do now."""
        mark = ("table.mark", "mark the disks to take")
        if self._narrowed:
            return (("wizard.next", "import these disks anew"), mark, ("form.back", "keep all"))
        return (
            (("wizard.next", "look at it"), *FIELD_HINTS, ("form.back", "leave")),
            (("form.back", "leave; the engine looks on, its answer comes as a message"),),
            (("wizard.accept", "accept this key"), ("form.back", "back to the form")),
            (("wizard.next", "done"), mark),
        )[self.step]

    # The disks

    @property
    def _chosen(self) -> tuple[str, ...]:
        table = self.query_one(LineTable)
        return tuple(key for key in table.keys if key in table.marks)

    @property
    def _narrowed(self) -> bool:
        """Whether other disks are marked than were imported."""
        if self.step != DISKS or self._source is None:
            return False
        return self._chosen != tuple(disk.path for disk in self._source.disks)

    @on(LineTable.Marked)
    def _marked(self) -> None:
        self.show_snapshot()

    # Keys

    def action_next(self) -> None:
        """Look at the server; or keep the disks that are marked."""
        if self.step == SERVER and not self.complain():
            self._given, self._disks = self.answers, ()
            self._accepted = self._keys.get(self._place, "")
            self._look()
        elif self.step == DISKS and not self._narrowed:
            self._done()
        elif self.step == DISKS and self._chosen:
            self._import_anew()

    def action_accept(self) -> None:
        """Accept the host key that is shown, and look again."""
        if self.step == KEY and self._shown_key is not None:
            self._accepted = str(self._shown_key.facts["fingerprint"])
            self._keys[self._place] = self._accepted
            self._look()

    @property
    def _place(self) -> tuple[str, str]:
        """Whose host key it is: another user of the same host is shown the same one."""
        return self._given["address"].rpartition("@")[2], self._given["config"]

    def action_back(self) -> None:
        """Go back to the form, or leave."""
        if self.step == KEY:
            self.turn_to(SERVER)
        elif self.step == DISKS:
            self._done()
        else:
            super().action_back()

    def _done(self) -> None:
        source = self._source
        self.app.pop_screen()
        if source is not None:
            self.console.show_row(source.id)

    # The request

    def _look(self) -> None:
        """Ask for a look at what the form names."""
        try:
            args = plans.import_args(self._given, self._disks)
            if self._accepted:
                args["accept_key"] = self._accepted
            self.fault, self._state = None, "asked"
            self._request = self.console.desk.ask(
                f"source import {self._given['name']}", "source.import", self._given["name"],
                args, self._heard,
            )  # fmt: skip
        except SmcError as error:
            self._fail(error)
        else:
            self.turn_to(LOOK)

    def _heard(self, request: Request, error: SmcError | None) -> None:
        name = request.target
        if not self.is_attached or request.id != self._request:
            self._tell_all(name, request, error)
        elif error is not None and self._may_accept(error):
            self._shown_key = error
            self.turn_to(KEY)
        elif error is not None:
            self._fail(error)
        elif request.state is RequestState.DONE:
            self._keep(str(request.result["source"]))
        else:
            self._state = "the engine is at it; a slow server takes some seconds"
            self.show_snapshot()

    def _may_accept(self, error: SmcError) -> bool:
        known = error.code == "HostKey.NotAccepted" and error.facts.get("fingerprint")
        # A second refusal is another key than the one that was accepted: it is a failure.
        return bool(known) and not self._accepted

    def _tell_all(self, name: str, request: Request, error: SmcError | None) -> None:
        """Tell what came of a look that nobody waits for here any more."""
        if error is not None:
            self.console.notify(error.line, title=name, severity="error", markup=False)
        elif request.state is RequestState.DONE:
            self.console.notify("imported", title=name, markup=False)

    def _fail(self, error: SmcError) -> None:
        self.fault = error
        self.turn_to(SERVER)
        if self.wrong is None:
            where = plans.at_fault(error, self._given)
            self.row(where).take_focus()

    def _keep(self, source_id: str) -> None:
        try:
            source = self.console.store.source(source_id)
        except SmcError as error:
            self._fail(error)
            return
        self._source = source
        table = self.query_one(LineTable)
        table.action_unmark()
        table.apply(wizards.disk_rows(source.disks, source.inventory))
        table.action_mark_all()
        self.turn_to(DISKS)

    def _import_anew(self) -> None:
        """Forget the source that has just been imported, and import it with these disks."""
        source = self._source
        if source is None:
            return
        key = source.host_key or {}
        self._disks, self._accepted = self._chosen, str(key.get("fingerprint", ""))
        try:
            self._request = self.console.desk.ask(
                f"source remove {source.name}", "source.remove", source.id, {}, self._removed
            )
        except SmcError as error:
            self.fault = error
            self.show_snapshot()

    def _removed(self, request: Request, error: SmcError | None) -> None:
        if not self.is_attached or request.id != self._request:
            self._tell_all(self._given["name"], request, error)
        elif error is not None:
            self.fault = error
            self.show_snapshot()
        elif request.state.ended or request.state is RequestState.ACCEPTED:
            self._source = None
            self._look()
