"""A job's runs, events and log as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from smc_tui.console.render.cells import NOTHING, Cell, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.detail import day_clock
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.things import Event, Image, Run
from smc_tui.model.units import bytes_text, duration_text

RUNS = (
    Column("number", "Run", 4),
    Column("kind", "Kind", 8, 3),
    Column("started", "Started", 14),
    Column("took", "Took", 8, right=True),
    Column("compared", "Compared", 9, 5, right=True),
    Column("sent", "Sent", 9, 1, right=True),
    Column("found", "Found by", 15, 7),
    Column("frozen", "Frozen", 7, 6, right=True),
    Column("result", "Result", 10, grows=True),
    Column("image", "Image", 24, 8, grows=True),
    Column("verified", "Verified", 8, 2),
)

EVENTS = (
    Column("at", "When", 14),
    Column("who", "Who", 14, 2),
    Column("what", "What", 14, grows=True),
    Column("result", "Result", 14, grows=True),
    Column("facts", "Facts", 20, 1, grows=True),
)

LOG = (Column("line", "", 20, grows=True),)


def run_row(number: int, run: Run, image: Image | None, ahead: float = 0.0) -> Row:
    """Return a run.

    Args:
        number: which one of its job it is, from 1.
        run: the run.
        image: its image, where that is still kept.
        ahead: seconds that the engine's clock is ahead of this machine's.
    """
    counters = run.counters
    return Row(
        run.id,
        (
            Cell(f"#{number}", Tone.STRONG),
            Cell(str(run.kind)),
            Cell(day_clock(run.started - ahead)),
            Cell(duration_text(run.seconds)),
            Cell(bytes_text(counters.compared)) if counters.compared else NOTHING,
            Cell(bytes_text(counters.sent)) if counters.compared else NOTHING,
            Cell(str(run.reading.detection)) if run.reading.detection else NOTHING,
            Cell(run.reading.frozen) if run.reading.frozen else NOTHING,
            result(run),
            (Cell(run.image_name) if image else Cell("gone", Tone.DIM))
            if run.published
            else NOTHING,
            _verified(image),
        ),
    )


def result(run: Run) -> Cell:
    """Return what came of a run."""
    if run.fault is not None:
        return Cell(run.fault.code, Tone.BAD)
    if run.ended is None:
        return Cell("under way", Tone.BUSY)
    return Cell("ok", Tone.GOOD) if run.published else Cell("ended", Tone.DIM)


def _verified(image: Image | None) -> Cell:
    if image is None:
        return NOTHING
    if image.fault is not None:
        return Cell("NO", Tone.BAD)
    return Cell("yes", Tone.GOOD) if image.verified else NOTHING


def run_rows(
    runs: Sequence[Run], images: Mapping[str, Image], most: int, ahead: float = 0.0
) -> list[Row]:
    """Return the newest runs, the newest first, numbered from the oldest."""
    numbered = list(enumerate(runs, start=1))[-most:][::-1]
    return [run_row(number, run, images.get(run.image_id), ahead) for number, run in numbered]


def event_row(event: Event, ahead: float = 0.0) -> Row:
    """Return a line of history."""
    bad = event.result in CATALOGUE
    return Row(
        str(event.id),
        (
            Cell(day_clock(event.at - ahead), Tone.DIM),
            Cell(event.actor, Tone.DIM),
            Cell(action_words(event)),
            Cell(result_words(event), Tone.BAD if bad else Tone.PLAIN),
            Cell(fact_words(event), Tone.DIM),
        ),
    )


def log_rows(lines: Sequence[str]) -> list[Row]:
    """Return the lines of a log."""
    return [Row(str(at), (Cell(line),)) for at, line in enumerate(lines)]
