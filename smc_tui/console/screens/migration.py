"""The Server Migration page: all jobs and idle sources in one table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import var
from textual.widgets import Input

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import APP_KEYS, JOB_KEYS, PAGE_KEYS
from smc_tui.console.render import jobs, story
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.render.columns import Column
from smc_tui.console.screens.jobscreen import JobScreen
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Job, Run, Source

#: Lines of history under the table.
LOG = 2


class MigrationScreen(JobScreen):
    """The table, its filters, the selected row's story, who did what."""

    BINDINGS: ClassVar[list[BindingType]] = bindings((*PAGE_KEYS, *JOB_KEYS.values()))

    chip: var[int] = var(0)
    """Which status filter is on."""
    words: var[str] = var("")
    """The text filter."""
    wide: var[bool] = var(False)
    """Whether all columns are wanted."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: dict[str, jobs.Entry] = {}
        self._order: tuple[str, bool] | None = None
        self._wanted = ""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns wanted now."""
        return jobs.WIDE if self.wide else jobs.COLUMNS

    def compose(self) -> ComposeResult:
        """Lay out the page, top to bottom."""
        if self.console.options.note:
            yield Lines([(Cell(f" {self.console.options.note}", Tone.WARN),)], id="note")
        yield Lines(id="title")
        yield Lines(id="chips")
        yield LineTable(self.columns, glyphs=self.console.glyphs, marking=True, id="jobs")
        yield Lines(id="story", least=3)
        yield Lines(id="log", least=LOG)
        yield Input(id="filter", placeholder="words, !not, state:InError, tag:wave-1", compact=True)
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Show what is known and take the keys."""
        self.query_one(LineTable).focus()
        self.show_snapshot()

    def on_resize(self) -> None:
        """Draw the lines anew for the new width."""
        self.show_snapshot()

    # Showing

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        snapshot = self.console.snapshot
        found = jobs.entries(snapshot)
        self._entries = {entry.key: entry for entry in found}
        shown = [
            entry
            for entry in found
            if jobs.in_chip(entry, self.chip) and jobs.matches(entry, self.words.split())
        ]
        if self._order is not None:
            key, descending = self._order
            shown.sort(key=lambda entry: jobs.order_key(entry, key), reverse=descending)
        glyphs, ahead = self.console.glyphs, -snapshot.engine.here(0.0)
        table = self.query_one(LineTable)
        table.apply([jobs.row(entry, self.columns, glyphs, ahead) for entry in shown])
        if self._wanted in table.keys:
            table.move_to(self._wanted)
            self._wanted = ""
        self._lines("#title", [self._title()])
        self._lines("#chips", [story.chips(found, self.chip, self.words, self.size.width, glyphs)])
        self._story()
        names = {entry.key: entry.name for entry in found}
        newest = snapshot.events[-LOG:][::-1]
        self._lines("#log", [story.log_line(event, names) for event in newest])
        self._lines("#hints", [self._hints(len(shown))])

    def _title(self) -> Line:
        app = self.console
        if app.trouble is not None:
            return (Cell(f" {app.trouble.line}", Tone.BAD),)
        marks = [
            *(["FROZEN"] if app.frozen else []),
            *(["read only"] if app.options.read_only else []),
        ]
        return story.title("Server Migration", app.snapshot, self.size.width, marks)

    def _story(self) -> None:
        entry = self.entry
        last: Run | None = None
        if entry is not None and entry.job is not None:
            # Without its last run rather than not at all, when the job store fails.
            with suppress(SmcError):
                last = self.console.store.last_run(entry.job.id)
        filtered = bool(self._entries)
        lines = story.story(entry, last, self.size.width, self.console.glyphs, filtered)
        self._lines("#story", lines)

    def _hints(self, shown: int) -> Line:
        keys = [key for key in (*PAGE_KEYS, *APP_KEYS) if key.hint]
        line: list[Cell] = [Cell(" ")]
        for key in keys:
            line += [
                Cell(self.console.keymap.shown(key), Tone.STRONG),
                Cell(f" {key.text}  ", Tone.DIM),
            ]
        marks = len(self.query_one(LineTable).marks)
        count = f"{marks} marked · " if marks else ""
        right = (Cell(f"{count}{shown} of {len(self._entries)} ", Tone.DIM),)
        return story.ends(tuple(line), right, self.size.width, self.console.glyphs)

    @property
    def entry(self) -> jobs.Entry | None:
        """What the cursor stands on."""
        return self._entries.get(self.query_one(LineTable).cursor or "")

    @on(LineTable.Moved)
    def _moved(self) -> None:
        self._story()

    @on(LineTable.Opened)
    def _opened(self) -> None:
        """Open the details of the job under the cursor; of a source make a job."""
        from smc_tui.console.screens.detail import DetailScreen

        job = self.current_job
        if job is not None:
            self.app.push_screen(DetailScreen(job))
        elif self.entry is not None:
            self.action_new_job()

    @on(LineTable.Marked)
    def _marked(self) -> None:
        self.show_snapshot()

    # Filters and order

    def action_chip(self, number: int) -> None:
        """Show one status alone; the same again shows all."""
        self.chip = 0 if number == self.chip else number
        self.show_snapshot()

    def action_filter(self) -> None:
        """Open the text filter."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        # At once, not after the next refresh: the next key may be here already.
        self.set_focus(field, scroll_visible=False)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self.words = event.value
        self.show_snapshot()

    def filter_by(self, words: str) -> None:
        """Show what has these words alone; the field and the rows follow."""
        self.query_one("#filter", Input).value = words

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.query_one("#filter", Input).remove_class("open")
        self.query_one(LineTable).focus()

    def action_clear(self) -> None:
        """Clear the text filter, then the chip, then the marks."""
        field = self.query_one("#filter", Input)
        table = self.query_one(LineTable)
        if field.has_class("open") or self.words:
            field.value = ""
            self._filter_done()
        elif self.chip:
            self.action_chip(0)
        else:
            table.action_unmark()

    def action_sort(self, by: int) -> None:
        """Sort by the next or the previous column; past the ends: as they were made."""
        keys = [None, *(column.key for column in self.columns)]
        at = keys.index(self._order[0] if self._order else None)
        key = keys[(at + by) % len(keys)]
        self.sort_by(key)

    def sort_by(self, key: str | None, descending: bool = False) -> None:
        """Sort by a column; None: as they were made."""
        self._order = None if key is None else (key, descending)
        self.query_one(LineTable).show_order(key, descending)
        self.show_snapshot()

    def action_reverse(self) -> None:
        """Turn the order round."""
        key, descending = self._order or ("job", False)
        self.sort_by(key, not descending)

    def action_wide(self) -> None:
        """Show more columns, or fewer."""
        self.wide = not self.wide
        self.query_one(LineTable).show_columns(self.columns)
        self.show_snapshot()

    # What is done to jobs

    @property
    def current_job(self) -> Job | None:
        """The job under the cursor."""
        entry = self.entry
        return None if entry is None else entry.job

    @property
    def chosen_jobs(self) -> Sequence[Job]:
        """The marked jobs that are shown, else the current one."""
        marks = self.query_one(LineTable).marks
        marked = [entry.job for key, entry in self._entries.items() if key in marks and entry.job]
        return marked or super().chosen_jobs

    def acted(self) -> None:
        """Drop the marks: the next key is for the row under the cursor again."""
        self.query_one(LineTable).action_unmark()

    # Sources and new jobs

    def action_import_source(self) -> None:
        """Open the wizard that imports a source, if this console may import any."""
        from smc_tui.console.screens.import_source import ImportSource

        if self.console.may_ask():
            self.app.push_screen(ImportSource())

    def action_new_job(self) -> None:
        """Open the wizard that makes a job, on the source under the cursor if that is free."""
        entry = self.entry
        free = entry is not None and entry.job is None
        self.open_new_job(entry.source if entry is not None and free else None)

    def open_new_job(self, source: Source | None) -> None:
        """Open the wizard that makes a job."""
        from smc_tui.console.screens.new_job import NewJob

        if self.console.may_ask():
            self.app.push_screen(NewJob(source, self.console.options.config))

    def stand_on(self, key: str) -> None:
        """Put the cursor on a row, now or as soon as there is one."""
        self._wanted = key
        self.show_snapshot()

    # Copies

    def action_copy_id(self) -> None:
        """Hand the id of the row to the terminal's clipboard."""
        entry = self.entry
        if entry is not None:
            self.copy_id(entry.name, entry.key)

    def action_copy_row(self) -> None:
        """Hand the row as the command line's JSON to the terminal's clipboard."""
        entry = self.entry
        if entry is not None:
            store = self.console.store
            document = store.job_document if entry.job is not None else store.source_document
            self.copy_document(entry.name, lambda: document(entry.key))
