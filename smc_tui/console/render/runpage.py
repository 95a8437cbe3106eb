"""One run, and one line of history, as a page of text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from smc_tui.console.render.cells import Cell, Line, Tone
from smc_tui.console.render.detail import day_clock
from smc_tui.console.render.runs import result
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.history import action_words, fact_words, result_words
from smc_tui.model.lifecycle import consistency_text
from smc_tui.model.things import Event, Fault, Image, Run
from smc_tui.model.units import bytes_text, duration_text, printable, rate_text

_LABEL = 15


def heading(text: str) -> Line:
    """Return a section's name."""
    return (Cell(f" {text}", Tone.STRONG),)


def labelled(label: str, text: str, columns: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    """Return a label and a text, folded under itself."""
    room = max(10, columns - _LABEL - 4)
    parts = textwrap.wrap(printable(text), room) or [""]
    labels = [label, *[""] * (len(parts) - 1)]
    return [
        (Cell(f"   {name:<{_LABEL}}", Tone.DIM), Cell(part, tone))
        for name, part in zip(labels, parts, strict=True)
    ]


def folded(text: str, columns: int, indent: int = 3, tone: Tone = Tone.PLAIN) -> list[Line]:
    """Return a text folded to a width."""
    parts = textwrap.wrap(text, max(10, columns - indent), drop_whitespace=False) or [""]
    return [(Cell(" " * indent + part, tone),) for part in parts]


def fault_lines(fault: Fault, columns: int) -> list[Line]:
    """Return what a failure was, what is safe, what to do, where a retry goes on."""
    known = CATALOGUE.get(fault.code)
    rows = [("Code", fault.code, Tone.BAD), ("Detail", fault.detail, Tone.PLAIN)]
    if known is not None:
        rows[1:1] = [("Cause", known.cause, Tone.PLAIN)]
        rows += [
            ("Safe", known.safe, Tone.GOOD),
            ("Next step", known.next_step, Tone.PLAIN),
            *([("Resumes", known.resumes, Tone.PLAIN)] if known.resumes else []),
        ]
    return [line for row in rows for line in labelled(row[0], row[1], columns, row[2])]


def run_lines(
    run: Run,
    image: Image | None,
    events: Iterable[Event],
    log: Sequence[str],
    columns: int,
    ahead: float = 0.0,
) -> list[Line]:
    """Return the report of a run.

    Args:
        run: the run.
        image: its image, where that is still kept.
        events: its history.
        log: the end of its log.
        columns: room.
        ahead: seconds that the engine's clock is ahead of this machine's.
    """
    lines = [heading("Run")]
    for label, text, tone in _facts(run, image, ahead):
        lines += labelled(label, text, columns, tone)
    if run.fault is not None:
        lines += [(), heading("Error"), *fault_lines(run.fault, columns)]
    lines += [(), heading("Bytes")]
    for label, text in _bytes(run):
        lines += labelled(label, text, columns)
    told = [event for event in events if event.run_id == run.id]
    lines += [(), heading("Events")]
    for event in told:
        lines += _event(event, columns, ahead)
    lines += [(), heading("The end of its log")]
    for line in log:
        lines += folded(line, columns, tone=Tone.DIM)
    if not log:
        lines.append((Cell("   it has none", Tone.DIM),))
    return lines


def _facts(run: Run, image: Image | None, ahead: float) -> Iterator[tuple[str, str, Tone]]:
    came = result(run)
    yield "Id", run.id, Tone.PLAIN
    yield "Kind", str(run.kind), Tone.PLAIN
    yield "Result", came.text, came.tone
    yield "Started", day_clock(run.started - ahead), Tone.PLAIN
    if run.ended is not None:
        yield "Ended", day_clock(run.ended - ahead), Tone.PLAIN
    workers = f", by {run.attempts} workers one after the other" if run.attempts > 1 else ""
    yield "At work", f"{duration_text(run.seconds)}{workers}", Tone.PLAIN
    if run.published:
        kept = "" if image else " (no longer kept)"
        yield "Image", f"{run.image_name}{kept}", Tone.PLAIN
    if run.reading.found:
        yield "Changes", f"found by {run.reading.found}", Tone.PLAIN
    instant = run.reading.instant
    if instant is not None:
        yield "Instant", instant.text, Tone.PLAIN
    if image is not None:
        tone = Tone.PLAIN if image.consistency.one_instant else Tone.WARN
        yield "Consistency", consistency_text(image.consistency, image.reason), tone


def _bytes(run: Run) -> Iterator[tuple[str, str]]:
    done = run.counters
    yield "Compared", f"{bytes_text(done.compared)} of {bytes_text(done.total)}"
    yield "Changed", bytes_text(done.changed)
    yield "Sent", f"{bytes_text(done.sent)}, {bytes_text(done.wire)} on the wire"
    yield "Stored", bytes_text(done.stored)
    if run.seconds >= 1 and done.compared:
        speeds = (done.compared / run.seconds, done.wire / run.seconds)
        yield "On average", f"compared {rate_text(speeds[0])}, wire {rate_text(speeds[1])}"


def _event(event: Event, columns: int, ahead: float) -> list[Line]:
    words = " ".join(filter(None, [f"{action_words(event)}: {result_words(event)}",
                                   fact_words(event)]))  # fmt: skip
    return labelled(day_clock(event.at - ahead), words, columns)


def event_lines(event: Event, columns: int, ahead: float = 0.0) -> list[Line]:
    """Return a line of history with all that it has."""
    rows = (
        ("When", day_clock(event.at - ahead)),
        ("Who", event.actor),
        ("What", action_words(event)),
        ("Result", result_words(event)),
        ("Facts", fact_words(event)),
    )
    lines = [line for label, text in rows for line in labelled(label, text, columns)]
    if event.result in CATALOGUE:
        fault = Fault(event.result, str(event.facts.get("detail", "")), event.at)
        lines += [(), *fault_lines(fault, columns)]
    return lines
