"""What a row of a job's details opens: a run, a line of history, a log."""

from __future__ import annotations

from collections.abc import Sequence

from smc_tui.console.render import runpage
from smc_tui.console.screens.text import TextPage
from smc_tui.model.things import Event, Image, Run


def run_page(
    title: str,
    run: Run,
    image: Image | None,
    events: Sequence[Event],
    log: Sequence[str],
    ahead: float,
) -> TextPage:
    """Return the report of a run; the arguments are those of ``run_lines``."""
    return TextPage(
        title, lambda columns: runpage.run_lines(run, image, events, log, columns, ahead)
    )


def event_page(title: str, event: Event, ahead: float) -> TextPage:
    """Return all of a line of history."""
    return TextPage(title, lambda columns: runpage.event_lines(event, columns, ahead))


def log_page(title: str, log: Sequence[str]) -> TextPage:
    """Return the end of a log, nothing of it cut, the newest in sight."""
    return TextPage(
        title,
        lambda columns: [part for line in log for part in runpage.folded(line, columns, 1)],
        at_end=True,
    )
