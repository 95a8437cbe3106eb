"""The wizard that makes a migration job: its source, its settings, its drill as it comes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from smc_tui.console import plans
from smc_tui.console.dialogs.fields import Field
from smc_tui.console.render import wizards
from smc_tui.console.render.cells import Cell, Line, Tone, shown
from smc_tui.console.render.jobs import Entry, clock, status
from smc_tui.console.screens.wizard import FIELD_HINTS, Wizard
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore.requests import Request
from smc_tui.model import settings
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import Phase, Status
from smc_tui.model.options import Config
from smc_tui.model.things import Job, Source

SOURCE, SETTINGS, JOB = range(3)


class NewJob(Wizard):
    """Make a migration job.

    Args:
        source: the one to migrate; None: a person chooses.
        config: the configured defaults.
    """

    TITLE = "New migration job"
    STEPS: ClassVar[tuple[str, ...]] = ("Source", "Settings", "Job")

    def __init__(self, source: Source | None, config: Config) -> None:
        super().__init__()
        self._source = source
        self._config = config
        self._request = ""
        self._waits = False
        self._job_id = ""
        self._free: int | None = None
        self.step = SOURCE if source is None else SETTINGS

    # What is shown

    def fields(self) -> Sequence[Field]:
        """Return what is chosen about a job."""
        name = self._default_name() if self._source is not None else ""
        return plans.job_fields(name, self._config, self._now)

    def _now(self) -> float:
        return time.time() + self.console.snapshot.engine.ahead

    def _default_name(self) -> str:
        assert self._source is not None
        jobs = self.console.snapshot.jobs.values()
        return plans.default_name(self._source, [job.name for job in jobs])

    def asked(self, key: str, answers: dict[str, Any]) -> bool:
        """Tell whether a field is asked with what the others say."""
        return plans.job_shown(key, answers)

    def table(self) -> LineTable:
        """Return the table of the sources."""
        return LineTable(wizards.SOURCE_COLUMNS, glyphs=self.console.glyphs)

    @property
    def on_form(self) -> bool:
        """The second step is the form."""
        return self.step == SETTINGS

    @property
    def on_table(self) -> bool:
        """The first step chooses a source."""
        return self.step == SOURCE

    def on_mount(self) -> None:
        """See how much room images have, and show the first step."""
        with suppress(OSError):
            room = os.statvfs(self.console.store.home.path)
            self._free = room.f_bavail * room.f_frsize
        super().on_mount()

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        if self.step == SOURCE:
            sources = self.console.snapshot.sources.values()
            self.query_one(LineTable).apply(wizards.source_rows(sources, self._unfinished))
        super().show_snapshot()

    @property
    def _unfinished(self) -> dict[str, Job]:
        jobs = self.console.snapshot.jobs.values()
        ended = (Status.FINISHED, Status.DELETING)
        return {job.source_id: job for job in jobs if job.status not in ended}

    def body(self) -> list[Line]:
        """Return what the step has to say."""
        if self.step == JOB:
            return self._made()
        if self.step == SETTINGS and self._source is not None:
            limit = 0
            with suppress(SmcError):
                limit = settings.limit(self.answers["limit_mbit"])
            asked = [(Cell(" asked; the engine has not answered yet", Tone.BUSY),)]
            told = wizards.estimate_lines(self._source, limit, self._free)
            return [*(asked if self._waits else []), *told]
        if not self.console.snapshot.sources:
            return [(Cell(" There is no source yet: esc, then I imports one.", Tone.WARN),)]
        return []

    def _made(self) -> list[Line]:
        snapshot = self.console.snapshot
        job = snapshot.jobs.get(self._job_id)
        if job is None:
            return [(Cell(f" {self._job_id} is made", Tone.GOOD),)]
        word = status(Entry(job.id, snapshot.sources.get(job.source_id), job))
        lines: list[Line] = [
            (Cell(f" {job.name} ({job.id}): ", Tone.STRONG), Cell(word.text, word.tone))
        ]
        if job.next_run is not None:
            at = clock(snapshot.engine.here(job.next_run))
            what = "starts" if job.status is Status.READY else "next synchronisation"
            lines.append((Cell(f" {what} at {at}"),))
        if job.phase is Phase.DRILLING and job.live.get("step"):
            lines.append((Cell(f" {shown(str(job.live['step']))}", Tone.BUSY),))
        elif job.status is Status.RUNNING and job.phase is not Phase.DRILLING:
            lines.append((Cell(f" the migration runs: {job.progress:.0f} %", Tone.BUSY),))
        if job.fault is not None:
            lines += wizards.fault_lines(SmcError(job.fault.code, job.fault.detail))
        if job.drill_report:
            lines += [(), *wizards.drill_lines(job.drill_report)]
        return lines

    def command(self) -> str:
        """Return the command line that makes the same job."""
        if self._source is None or self.step == SOURCE:
            return ""
        back = self.console.options.back
        return plans.job_command(back, self._source, self.answers, self._config)

    def hints(self) -> Sequence[tuple[str, str]]:
        """Return what keys do now."""
        return (
            (("wizard.next", "choose this source"), ("form.back", "leave")),
            (("wizard.next", "make the job"), *FIELD_HINTS, ("form.back", "sources")),
            (("wizard.next", "to the job; it goes on without this page"),),
        )[self.step]

    # Keys

    def action_next(self) -> None:
        """Go on: with the source, with making the job, to the job."""
        if self.step == SOURCE:
            self._choose()
        elif self.step == JOB:
            self._leave()
        elif not self._waits and not self.complain():
            self._make()

    def action_back(self) -> None:
        """Go back to the sources, or leave."""
        if self.step == SETTINGS:
            self.fault = None
            self.turn_to(SOURCE)
        elif self.step == JOB:
            self._leave()
        else:
            super().action_back()

    def _choose(self) -> None:
        key = self.query_one(LineTable).cursor
        source = self.console.snapshot.sources.get(key or "")
        if source is None:
            return
        why = wizards.source_refusal(source, self._unfinished.get(source.id))
        if why:
            error = SmcError("SourceServerState.Invalid", f"{source.name} is {why}")
            self.notify(error.line, severity="warning", markup=False)
            return
        changed, self._source = source != self._source, source
        if changed:
            self.row("name").show(self._default_name())
        self.turn_to(SETTINGS)

    def _leave(self) -> None:
        self.app.pop_screen()
        self.console.show_row(self._job_id)

    # The request

    def _make(self) -> None:
        assert self._source is not None
        try:
            args = plans.job_args(self.answers, self._config)
            self._request = self.console.desk.ask(
                self.command(), "job.create", self._source.id, args, self._heard
            )
        except SmcError as error:
            self.fault = error
        else:
            self.fault, self._waits = None, True
        self.show_snapshot()

    def _heard(self, request: Request, error: SmcError | None) -> None:
        if not self.is_attached or self.step == JOB:
            # What becomes of a run is told by its page; here only whether the job was made.
            if error is not None and not self._job_id:
                self.console.notify(error.line, severity="error", markup=False)
            return
        self._waits = False
        if error is not None and "job" not in request.result:
            self.fault = error
            self.show_snapshot()
            return
        self._job_id = str(request.result["job"])
        self.turn_to(JOB)
