"""Engine and store health; what jobs hold at the destination and what it costs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll

from smc_tui.console.keymap import bindings
from smc_tui.console.keys import HEALTH_KEYS, RESOURCE_KEYS
from smc_tui.console.render import health
from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.screens.page import Page
from smc_tui.console.widgets.lines import Lines
from smc_tui.console.widgets.table import LineTable
from smc_tui.jobstore import Request
from smc_tui.model.errors import SmcError

if TYPE_CHECKING:
    from smc_tui.console.shell import Shell

#: What may be asked of the image store: what is said while it lasts, and of its result.
_WORKS = {
    "stats": "Counting",
    "check": "Reading every record",
    "collect": "Freeing what nothing needs",
}


class HealthScreen(Page):
    """The engine, the room it has, the image store."""

    NAME = "Engine and store"
    KEYS = HEALTH_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(HEALTH_KEYS)

    def __init__(self) -> None:
        super().__init__()
        self._stats: Mapping[str, Any] | None = None
        self._said: Line = ()

    def compose(self) -> ComposeResult:
        """The title, three sections, the keys."""
        yield Lines(id="title")
        with VerticalScroll():
            yield Lines(id="engine")
            yield Lines(id="room")
            yield Lines(id="store")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Show what is known, and have the store counted where that may be asked."""
        self.query_one(VerticalScroll).focus()
        self.show_snapshot()
        if self.console.snapshot.engine.alive and not self.console.options.read_only:
            self.action_ask("stats")
        else:
            self._say("c counts it, with an engine and not read-only", Tone.DIM)

    def show_snapshot(self) -> None:
        """Show the newest snapshot and what room there is now."""
        super().show_snapshot()
        snapshot, home = self.console.snapshot, self.console.store.home
        self.query_one("#engine", Lines).show(health.engine_lines(snapshot, str(home.path)))
        lines = health.home_lines(_room(self.console), snapshot.resources)
        self.query_one("#room", Lines).show(lines)
        self.query_one("#store", Lines).show(health.store_lines(self._stats, self._said))

    def _say(self, text: str, tone: Tone) -> None:
        self._said = (Cell(text, tone),)
        self.query_one("#store", Lines).show(health.store_lines(self._stats, self._said))

    def action_start_engine(self) -> None:
        """Start the engine if none runs."""
        self.console.action_start_engine()

    def action_ask(self, work: str) -> None:
        """Have the engine count, check or collect the image store."""

        def tell(request: Request, error: SmcError | None) -> None:
            if self.is_attached:
                self._told(work, request, error)

        try:
            self.console.desk.ask(f"smc-tui store {work}", f"store.{work}", "", {}, tell)
        except SmcError as error:
            self._say(error.line, Tone.BAD)
        else:
            self._say(f"{_WORKS[work]} …", Tone.BUSY)

    def _told(self, work: str, request: Request, error: SmcError | None) -> None:
        if error is not None:
            self._say(error.line, Tone.BAD)
        elif request.state.ended:
            if work == "stats":
                self._stats = request.result
            self._say(*_result(work, request.result))


def _result(work: str, result: Mapping[str, Any]) -> tuple[str, Tone]:
    at = time.strftime("%H:%M:%S")
    if work == "check":
        return f"{at} it is whole: {result['records']} records were read", Tone.GOOD
    if work == "collect":
        from smc_tui.model.units import bytes_text

        return f"{at} freed {bytes_text(result['bytes_freed'])}", Tone.GOOD
    return f"counted at {at}", Tone.DIM


def _room(console: Shell) -> health.Room:
    """Return the home's room; none is known of one that is gone."""
    home = console.store.home
    try:
        found = os.statvfs(home.path)
        files = [home.jobs_db, home.jobs_db.with_name(f"{home.jobs_db.name}-wal")]
        records = sum(path.stat().st_size for path in files if path.exists())
    except OSError:
        return health.Room()
    return health.Room(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, records)


class ResourcesScreen(Page):
    """Intermediate resources with their size, age and cost."""

    NAME = "Intermediate resources"
    KEYS = RESOURCE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(RESOURCE_KEYS)

    def compose(self) -> ComposeResult:
        """The title, the table, the sum, the keys."""
        yield Lines(id="title")
        yield LineTable(health.RESOURCE_COLUMNS, glyphs=self.console.glyphs)
        yield Lines(id="total")
        yield Lines(id="hints")

    def on_mount(self) -> None:
        """Show what is held."""
        self.query_one(LineTable).focus()
        self.show_snapshot()

    def show_snapshot(self) -> None:
        """Show the newest snapshot."""
        super().show_snapshot()
        snapshot, config = self.console.snapshot, self.console.options.config
        now = time.time() + snapshot.engine.ahead
        held = sorted(snapshot.resources.values(), key=lambda each: -each.size)
        rows = [
            health.resource_row(each, snapshot.jobs.get(each.job_id), now, config) for each in held
        ]
        self.query_one(LineTable).apply(rows)
        self.query_one("#total", Lines).show([health.resource_total(held, now, config)])

    @on(LineTable.Opened)
    def _opened(self, event: LineTable.Opened) -> None:
        """Go to the job on the page before."""
        self.app.pop_screen()
        for table in self.app.screen.query(LineTable):
            table.move_to(event.key)
