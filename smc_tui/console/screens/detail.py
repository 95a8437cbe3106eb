"""The details of a job: phases, bars, images, runs, events, the log."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import DETAIL_KEYS, JOB_KEYS
from smc_tui.console.render import detail, jobs, runs, story, timeline
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.screens import runpages
from smc_tui.console.screens.jobscreen import JobScreen
from smc_tui.console.screens.page import hint_line
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore.logs import last_lines
from smc_tui.model.actions import ActionId
from smc_tui.model.lifecycle import Status
from smc_tui.model.stays import stays
from smc_tui.model.things import Event, Job, Run

#: Seconds between two samples of the graph, and how many are kept.
EVERY, SAMPLES = 1.0, 300

#: Runs, events and lines of a log that are listed, the newest of them.
MOST = 500

#: Rows that a pane takes at least, and those of the page that a graph, bars of disks
#: and a timeline are worth.
PANE, WITH_GRAPH, WITH_DISKS, WITH_TIMELINE = 5, 22, 24, 28

#: The panes, in the order in which tab goes through them.
PANES = {"runs": runs.RUNS, "events": runs.EVENTS, "log": runs.LOG}


class DetailScreen(JobScreen):
    """One job; ``[`` and ``]`` go to its neighbours."""

    DEFAULT_CSS = """
    DetailScreen .pane { height: 1fr; }
    DetailScreen .pane.away { display: none; }
    DetailScreen #timeline.away { display: none; }
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings((*DETAIL_KEYS, *JOB_KEYS.values()))

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job
        self._runs: list[Run] = []
        self._events: list[Event] = []
        self._samples: deque[detail.Sample] = deque(maxlen=SAMPLES)
        self._sampled = 0.0
        self._pane = 0

    # Which job

    @property
    def current_job(self) -> Job | None:
        """The job, unless it is gone."""
        return self.console.snapshot.jobs.get(self._job.id)

    def show_job(self, job: Job) -> None:
        """Turn to another job."""
        self._job, self._runs, self._events = job, [], []
        self._samples.clear()
        self._sampled = 0.0
        self.show_snapshot()

    def action_job(self, by: int) -> None:
        """Go to the job before or after in the order of the Server Migration page."""
        known = self.console.snapshot.jobs
        order = [key for key in self.console.order() if key in known]
        order = order if self._job.id in order else list(known)
        if order:
            at = order.index(self._job.id) + by if self._job.id in order else 0
            self.show_job(known[order[at % len(order)]])

    def action_back(self) -> None:
        """Go back, the cursor on this job."""
        self.app.pop_screen()
        self.console.show_row(self._job.id)

    # Layout

    def compose(self) -> ComposeResult:
        """The title, what goes on, the images, three panes, the keys."""
        yield Lines(id="title")
        yield Lines(id="overview")
        yield Lines(id="timeline")
        glyphs = self.console.glyphs
        for name, columns in PANES.items():
            with Vertical(id=name, classes="pane"):
                yield Lines(id=f"{name}-name")
                yield LineTable(columns, glyphs=glyphs, header=name != "log", id=f"{name}-table")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Take the keys."""
        self._table().focus()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.show_snapshot()

    def _table(self, name: str = "") -> LineTable:
        return self.query_one(f"#{name or list(PANES)[self._pane]}-table", LineTable)

    def action_pane(self, by: int) -> None:
        """Go to the next pane or to the one before."""
        self._pane = (self._pane + by) % len(PANES)
        self.show_snapshot()
        self.set_focus(self._table(), scroll_visible=False)

    def action_log(self) -> None:
        """Go to the log."""
        self.action_pane(list(PANES).index("log") - self._pane)

    # Showing

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        job = self.current_job
        self._job = job or self._job
        self._read()
        self._sample()
        rows, columns = self.size.height, self.size.width
        overview = self._overview(rows, columns)
        with_timeline = rows >= WITH_TIMELINE
        self._lines("#title", [self._title(job is None)])
        self._lines("#overview", overview)
        self.query_one("#timeline").set_class(not with_timeline, "away")
        if with_timeline:
            self._lines("#timeline", self._timeline(columns))
        room = rows - 2 - len(overview) - (5 if with_timeline else 0)
        self._panes(max(1, min(len(PANES), room // PANE)))
        self._lines("#hints", [hint_line(self.console, _HINTED, columns)])

    def _read(self) -> None:
        """Read runs and events as far as they are new: a job may have thousands."""
        store = self.console.store
        after = self._events[-1].id if self._events else 0
        fresh = store.events(self._job.id, after=after)
        self._events += fresh
        if fresh or not self._runs:
            self._runs = store.runs(self._job.id)
        elif (last := store.last_run(self._job.id)) is not None:
            self._runs[-1] = last

    def _sample(self) -> None:
        now = self.console.snapshot.read
        if self._job.status is Status.RUNNING and now - self._sampled >= EVERY:
            self._sampled = now
            self._samples.append(detail.sample(self._job))

    @property
    def _ahead(self) -> float:
        return -self.console.snapshot.engine.here(0.0)

    def _title(self, deleted: bool) -> Line:
        app = self.console
        if app.trouble is not None:
            return (Cell(f" {app.trouble.line}", Tone.BAD),)
        right: list[Cell] = [
            *([Cell("FROZEN ", Tone.WARN)] if app.frozen else []),
            *([Cell("read only ", Tone.WARN)] if app.options.read_only else []),
        ]
        if not app.snapshot.engine.alive:
            right += [story.engine(app.snapshot.engine, 0), Cell(" ")]
        elif not deleted:
            right += [jobs.status(self._entry), Cell(" ")]
            if self._job.fault is not None:
                right += [Cell(self._job.fault.code, Tone.BAD), Cell(" ")]
        return detail.title(self._job, deleted, tuple(right), self.size.width, app.glyphs)

    @property
    def _entry(self) -> jobs.Entry:
        source = self.console.snapshot.sources.get(self._job.source_id)
        return jobs.Entry(self._job.id, source, self._job)

    @property
    def _last(self) -> Run | None:
        return self._runs[-1] if self._runs else None

    def _overview(self, rows: int, columns: int) -> list[Line]:
        """Return what goes on, or what was last and comes next."""
        app, job, entry = self.console, self._job, self._entry
        glyphs, last = app.glyphs, self._last
        told = story.story(entry, last, columns, glyphs)
        lapse = app.snapshot.engine.time_lapse or 1.0
        now = app.snapshot.read if lapse == 1 else None
        been = stays(self._events)
        phases = detail.phases(job, last, been, glyphs, lapse, self._ahead)
        drill = detail.drill_line(job, app.keymap.shown(JOB_KEYS[ActionId.VIEW_DRILL]))
        if job.status is Status.RUNNING:
            disks = detail.DISKS if rows >= WITH_DISKS else 0
            lines = [told[0], phases, *detail.held_up(job)]
            bars = detail.bars(job, entry.source, columns, glyphs, disks)
            if bars:
                lines += [*bars, detail.pace(job, last, columns, glyphs, now)]
            if rows >= WITH_GRAPH:
                lines += detail.pace_graph(self._samples, job, columns, glyphs)
        else:
            lines = [told[0], *([phases] if been else []), *told[1:]]
        if drill and rows >= WITH_DISKS:
            lines.append(drill)
        return [story.cut(line, columns, glyphs) for line in lines]

    def _timeline(self, columns: int) -> list[Line]:
        marks = timeline.marks(self._job, self._runs, self.console.snapshot.images, self._events)
        return timeline.lines(marks, self._job, columns, self.console.glyphs, self._ahead)

    def _panes(self, count: int) -> None:
        """Show as many panes as there is room for, that of the cursor among them."""
        first = min(max(0, self._pane - count + 1), len(PANES) - count)
        shown = range(first, first + count)
        for at, name in enumerate(PANES):
            self.query_one(f"#{name}").set_class(at not in shown, "away")
            if at in shown:
                self._fill(name)
                self._lines(f"#{name}-name", [self._heading(at, list(shown))])

    def _fill(self, name: str) -> None:
        images, ahead = self.console.snapshot.images, self._ahead
        if name == "runs":
            rows = runs.run_rows(self._runs, images, MOST, ahead)
        elif name == "events":
            rows = [runs.event_row(event, ahead) for event in self._events[-MOST:][::-1]]
        else:
            rows = runs.log_rows(self._log(self._last))
        self._table(name).apply(rows)

    def _log(self, run: Run | None) -> list[str]:
        """Return the end of a run's log, the newest line first."""
        if run is None:
            return []
        return last_lines(self.console.store.home.run_log(self._job.id, run.id), MOST)[::-1]

    def _heading(self, at: int, shown: list[int]) -> Line:
        newest = f" of run #{len(self._runs)}, newest first" if self._runs else ""
        names = {
            "runs": f"Runs {len(self._runs)}",
            "events": f"Events {len(self._events)}",
            "log": f"Log{newest}",
        }
        here = self._pane == at
        sign = self.console.glyphs.cursor if here else " "
        line = [Cell(f"{sign}{names[list(PANES)[at]]}", Tone.STRONG if here else Tone.PLAIN)]
        others = [name for number, name in enumerate(names.values()) if number not in shown]
        if others and at == shown[-1]:
            line.append(Cell(f"   tab: {', '.join(others)}", Tone.DIM))
        return tuple(line)

    # What rows open

    @on(LineTable.Opened, "#runs-table")
    def _open_run(self, event: LineTable.Opened) -> None:
        at, run = next((at, run) for at, run in enumerate(self._runs, 1) if run.id == event.key)
        image, log = self.console.snapshot.images.get(run.image_id), self._log(run)[::-1]
        name, events = f"{self._job.name}, run #{at}", list(self._events)
        self.app.push_screen(runpages.run_page(name, run, image, events, log, self._ahead))

    @on(LineTable.Opened, "#events-table")
    def _open_event(self, event: LineTable.Opened) -> None:
        found = next(each for each in self._events if str(each.id) == event.key)
        page = runpages.event_page(f"{self._job.name}, an event", found, self._ahead)
        self.app.push_screen(page)

    @on(LineTable.Opened, "#log-table")
    def _open_log(self) -> None:
        name = f"{self._job.name}, log of run #{len(self._runs)}"
        self.app.push_screen(runpages.log_page(name, self._log(self._last)[::-1]))

    # Copies

    def action_copy_id(self) -> None:
        """Hand the job's id to the terminal's clipboard."""
        self.copy_id(self._job.name, self._job.id)

    def action_copy_row(self) -> None:
        """Hand the job as the command line's JSON to the terminal's clipboard."""
        self.copy_document(self._job.name, lambda: self.console.store.job_document(self._job.id))


#: What the bottom line tells.
_HINTED = (
    *DETAIL_KEYS,
    *(replace(JOB_KEYS[each], hint=True) for each in (ActionId.TROUBLESHOOT, ActionId.VIEW_REPORT)),
)
