"""View Report and View Drill Report."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import DRILL_KEYS, Key
from smc_tui.console.render import drill
from smc_tui.console.render import report as lines
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.render.detail import day_clock
from smc_tui.console.screens.page import Page
from smc_tui.console.screens.text import TextPage, write
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore import JobStore
from smc_tui.model import markdown
from smc_tui.model.drill import Item, Report
from smc_tui.model.report import report as report_document
from smc_tui.model.reportpage import report_sections
from smc_tui.model.things import Job

#: Rows of a page on which every estimate of a drill is told; those of the item below.
WITH_ESTIMATES, ITEM = 36, 5


def report_page(store: JobStore, job: Job) -> TextPage:
    """Return the page of a job's report, as it is now.

    Raises:
        SmcError: JobStore.*, ReplicationJob.NotFound.
    """
    known = store.known_job(job.id)
    source_id = known.summary.get("source_id")
    source = next((each for each in store.sources() if each.id == source_id), None)
    runs, images = store.runs(known.id), store.images(known.id)
    document = report_document(known, source, runs, images, store.now())
    events = list(known.events)
    sections = list(report_sections(document, events))
    return TextPage(
        f"Report: {known.name}",
        lambda columns: lines.lines(sections, columns),
        lambda: "\n".join(markdown.report_page(document, events)) + "\n",
        f"report_{known.name}",
    )


class DrillScreen(Page):
    """A migration drill's report: its items, and all of the one under the cursor."""

    KEYS: ClassVar[tuple[Key, ...]] = DRILL_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(DRILL_KEYS)

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._report: Report | None = None
        self._items: list[Item] = []

    def compose(self) -> ComposeResult:
        """The title, the result, the items, the one under the cursor, the keys."""
        yield Lines(id="title")
        yield Lines(id="result")
        yield LineTable(drill.ITEMS, glyphs=self.console.glyphs)
        yield Lines(id="item", least=ITEM)
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Take the keys."""
        self.query_one(LineTable).focus()

    def name_shown(self) -> str:
        """Return the page's title."""
        return f"Migration drill: {self._job.name}"

    def show_snapshot(self) -> None:
        """Show the newest report of the job."""
        super().show_snapshot()
        job = self._job = self.console.snapshot.jobs.get(self._job.id, self._job)
        try:
            report = Report.of(job.drill_report)
        except ValueError as error:
            self._items = []
            self.query_one("#result", Lines).show([(Cell(f" {error}", Tone.BAD),)])
            return
        self._items = drill.ordered(report)
        when = drill.made_at(report, day_clock)
        whole = self.size.height >= WITH_ESTIMATES
        self.query_one("#result", Lines).show(drill.top(job.drill_report, report, when, whole))
        table = self.query_one(LineTable)
        table.apply([drill.row(at, item) for at, item in enumerate(self._items)])
        self._show_item()

    @property
    def _item(self) -> Item | None:
        cursor = self.query_one(LineTable).cursor
        return self._items[int(cursor)] if cursor and int(cursor) < len(self._items) else None

    @on(LineTable.Moved)
    def _show_item(self) -> None:
        found: list[Line] = drill.item_lines(self._item, self.size.width)
        self.query_one("#item", Lines).show(found[:ITEM])

    @on(LineTable.Opened)
    def _opened(self) -> None:
        item = self._item
        if item is not None:
            made = f"{self._job.name}: {item.name}"
            self.app.push_screen(TextPage(made, lambda columns: drill.item_lines(item, columns)))

    def action_write(self) -> None:
        """Write the report to a file in the home folder and say where."""
        job = self._job
        if self._items:
            write(self, f"drill_{job.name}", lambda: _drill_text(job))


def _drill_text(job: Job) -> str:
    return "\n".join(markdown.drill_page(job.drill_report, job.name)) + "\n"
