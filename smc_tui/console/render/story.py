"""The lines around the table: title, chips, the selected row's story, who did what."""

from __future__ import annotations

import time
from collections.abc import Sequence

from smc_tui.console.render.cells import Cell, Line, Tone, columns_of, fit, shown, width
from smc_tui.console.render.glyphs import DRAWN, Glyphs
from smc_tui.console.render.jobs import CHIPS, SHORT_CHIPS, Entry, clock, in_chip
from smc_tui.jobstore.feed import EngineView, Snapshot
from smc_tui.model.catalogue import CATALOGUE
from smc_tui.model.delays import delay
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import Event, Job, Run
from smc_tui.model.units import bytes_text, duration_text

NOTHING_YET = "Nothing here yet. I imports a source, ? helps"


def title(page: str, snapshot: Snapshot, columns: int, marks: Sequence[str] = ()) -> Line:
    """Return the top line: the page at the left, the engine at the right.

    Args:
        page: its name.
        snapshot: what is known.
        columns: room.
        marks: what else is to be known of this console: frozen, read only.
    """
    left = (Cell(" smc-tui ", Tone.STRONG), Cell(f" {page}"))
    told = [Cell(f"{mark} · ", Tone.WARN) for mark in marks]
    right = (*told, engine(snapshot.engine, len(_running(snapshot))), Cell(" "))
    return ends(left, right, columns)


def ends(left: Line, right: Line, columns: int, glyphs: Glyphs = DRAWN) -> Line:
    """Return a line with one part at each end; the left one is cut where they meet."""
    room = max(0, columns - width(right))
    kept = cut(left, max(0, room - 1), glyphs)
    return (*kept, Cell(" " * (room - width(kept))), *right)


def _running(snapshot: Snapshot) -> list[Job]:
    return [job for job in snapshot.jobs.values() if job.status is Status.RUNNING]


def engine(view: EngineView, running: int) -> Cell:
    """Return the engine in words."""
    if not view.alive:
        # Since when, not for how long: a number that ticks is sent each second.
        at = time.strftime("%H:%M:%S", time.localtime(view.down)) if view.down else ""
        since = f" since {at}" if at else ""
        return Cell(f"engine down{since}", Tone.BAD)
    lapse = f" · {view.time_lapse:g} times as fast" if view.time_lapse != 1 else ""
    return Cell(f"engine up · {running} running{lapse}", Tone.DIM)


def farewell(snapshot: Snapshot, back: str) -> str:
    """Return what goes on when the console is left, and how to come back."""
    running = len(_running(snapshot))
    waiting = sum(job.status is Status.WAITING for job in snapshot.jobs.values())
    if snapshot.engine.alive:
        said = f"engine keeps running: {running} running, {waiting} waiting"
    else:
        said = "no engine is running: nothing goes on by itself"
    return f"{said}. Back: {back}"


def chips(entries: Sequence[Entry], chosen: int, words: str, columns: int, glyphs: Glyphs) -> Line:
    """Return the filters with their counts, the chosen one in brackets, and the text filter.

    Where there is no room for the names they are short, then left out: the digits choose.
    """
    right = (Cell(f"filter: {words} ", Tone.WARN),) if words else ()
    counts = [sum(in_chip(entry, number) for entry in entries) for number in range(len(CHIPS))]
    for names in (tuple(name for name, _ in CHIPS), SHORT_CHIPS, None):
        line = _chips(counts, chosen, names)
        if width(line) + width(right) < columns:
            break
    return ends(line, right, columns, glyphs)


def _chips(counts: Sequence[int], chosen: int, names: Sequence[str] | None) -> Line:
    line: list[Cell] = [Cell(" ")]
    for number, count in enumerate(counts):
        text = f"{number} {names[number]} {count}" if names else f"{number}:{count}"
        bad = CHIPS[number][0] == "Error" and count
        tone = Tone.STRONG if number == chosen else Tone.BAD if bad else Tone.DIM
        line.append(Cell(f"[{text}]" if number == chosen else f" {text} ", tone))
        if names:
            line.append(Cell(" "))
    return tuple(line)


def story(
    entry: Entry | None, last: Run | None, columns: int, glyphs: Glyphs, filtered: bool = False
) -> list[Line]:
    """Return three lines on the selected row: what it is, what was last, what to do.

    Args:
        entry: the row, None when there is none.
        last: its newest run.
        columns: room.
        glyphs: the terminal's signs.
        filtered: whether there are rows that are not shown.
    """
    if entry is None:
        text = "Nothing matches; esc clears the filter" if filtered else NOTHING_YET
        return [(Cell(f" {text}.", Tone.DIM),), (), ()]
    lines = [_what(entry, glyphs), _last(last), _next(entry)]
    return [cut(line, columns, glyphs) for line in lines]


def cut(line: Line, columns: int, glyphs: Glyphs) -> Line:
    """Return a line that takes at most so many columns."""
    room, kept = columns, []
    for cell in line:
        if room <= 0:
            break
        text = shown(cell.text)
        if columns_of(text) > room:
            text = fit(text, room, more=glyphs.more)
        kept.append(Cell(text, cell.tone))
        room -= columns_of(text)
    return tuple(kept)


def _what(entry: Entry, glyphs: Glyphs) -> Line:
    source, job = entry.source, entry.job
    parts = [f" {entry.name}"]
    if source is not None:
        parts.append(f"{source.ssh.target if source.ssh else 'this host'}")
        parts.append(f"{len(source.disks)} disk{'s' if len(source.disks) != 1 else ''}")
        parts.append(bytes_text(source.total))
    if job is not None:
        kind = "once" if job.settings.once else f"every {duration_text(job.settings.interval)}"
        kept = f"keeps {job.settings.keep} image{'s' if job.settings.keep != 1 else ''}"
        parts += [f"{glyphs.arrow} {job.settings.target}", kind, kept]
        parts += [f"#{tag}" for tag in job.tags]
    sign = f" {glyphs.dot} "
    return (Cell(parts[0], Tone.STRONG), Cell(sign + sign.join(parts[1:])))


def _last(run: Run | None) -> Line:
    if run is None:
        return (Cell(" no run yet", Tone.DIM),)
    counters = run.counters
    took = duration_text(run.seconds)
    when = clock(run.started)
    done = f"compared {bytes_text(counters.compared)}, sent {bytes_text(counters.sent)}"
    if counters.total:
        done += f" ({100 * counters.sent / counters.total:.1f} %)"
    if run.ended is None:
        return (Cell(f" {run.kind} run since {when}: {done}", Tone.BUSY),)
    if run.fault is not None:
        return (Cell(f" {run.kind} run {when} failed after {took}: {run.fault.code}", Tone.BAD),)
    if run.reading.detection is not None:
        done += f", {run.reading.detection}"
    if run.reading.brief:
        done += f", {run.reading.brief}"
    return (Cell(f" last run {when}, {run.kind}, {took}: {done}"),)


def _next(entry: Entry) -> Line:
    job, source = entry.job, entry.source
    fault = job.fault if job is not None else source.fault if source is not None else None
    if fault is not None:
        known = CATALOGUE.get(fault.code)
        step = f" - {known.next_step}" if known else ""
        return (Cell(f" {fault.detail}{step}", Tone.BAD),)
    if job is None:
        return (Cell(" N makes a migration job of it", Tone.DIM),)
    held_up = delay(job.live)
    if held_up:
        return (Cell(f" {held_up}", Tone.WARN),)
    held = job.live.get("held_by")
    if held:
        return (Cell(f" held by the {held}"),)
    if job.next_run is not None:
        return (Cell(f" next synchronisation at {clock(job.next_run)}", Tone.DIM),)
    return ()


def log_line(event: Event, names: dict[str, str]) -> Line:
    """Return a line of history: when, about what, what, who."""
    when = time.strftime("%H:%M:%S", time.localtime(event.at))
    about = names.get(event.job_id) or names.get(event.source_id) or ""
    bad = "." in event.result and event.result in CATALOGUE
    return (
        Cell(f" {when} ", Tone.DIM),
        Cell(f"{about} " if about else ""),
        Cell(f"{event.action}: {event.result}", Tone.BAD if bad else Tone.PLAIN),
        Cell(f"  {event.actor}", Tone.DIM),
    )
