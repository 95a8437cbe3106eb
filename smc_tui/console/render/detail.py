"""A job's details in lines: phases, two bars, each disk, the pace and a graph of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from smc_tui.console.render.cells import Cell, Line, Tone, fit, width
from smc_tui.console.render.glyphs import Glyphs, bar, graph
from smc_tui.console.render.jobs import clock
from smc_tui.console.render.story import cut, ends
from smc_tui.model import drill
from smc_tui.model.lifecycle import Phase, Status
from smc_tui.model.stays import Stay
from smc_tui.model.things import DrillMode, Job, Run, Source
from smc_tui.model.units import bytes_text, duration_text, parse_instant, printable, rate_text

#: A bar's columns, at least and at most; its label's.
_LEAST, _MOST, _LABEL = 8, 40, 12

#: Rows of the graph.
GRAPH = 2

#: Disks that have a bar of their own; more are counted.
DISKS = 4


def day_clock(at: float) -> str:
    """Return an instant with its day, by this machine's clock."""
    return time.strftime("%m-%d %H:%M:%S", time.localtime(at))


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes a second at one moment: read from the disks, and over the link."""

    read: float
    wire: float


def number(live: Mapping[str, Any], name: str) -> float:
    """Return a number of a worker's progress line; 0 where it has none."""
    value = live.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def sample(job: Job) -> Sample:
    """Return what a job's worker does now."""
    return Sample(number(job.live, "read_bps"), number(job.live, "wire_bps"))


# Phases


def phases(
    job: Job,
    run: Run | None,
    found: Mapping[Phase, Stay],
    glyphs: Glyphs,
    lapse: float = 1.0,
    ahead: float = 0.0,
) -> Line:
    """Return the phases in their order: how long each took, which one is under way.

    Args:
        job: the job.
        run: its newest run.
        found: where it has been.
        glyphs: the terminal's signs.
        lapse: how many times as fast the engine's clock goes as a watch.
        ahead: seconds that it is ahead of this machine's.
    """
    line: list[Cell] = [Cell(" ")]
    failed = run is not None and run.fault is not None and job.status is Status.IN_ERROR
    last = list(found)[-1] if found else None
    for each in _expected(job, run, found):
        if len(line) > 1:
            line.append(Cell(f" {glyphs.step} ", Tone.DIM))
        stay = found.get(each)
        if stay is None:
            line.append(Cell(str(each), Tone.DIM))
        elif stay.since is not None and job.phase is each:
            line.append(Cell(f"[{each.upper()} since {clock(stay.since - ahead)}]", Tone.BUSY))
        elif failed and each is last:
            took = duration_text(stay.seconds / lapse)
            line.append(Cell(f"[{each.upper()} failed after {took}]", Tone.BAD))
        else:
            line.append(Cell(f"{each} {duration_text(stay.seconds / lapse)}"))
    return tuple(line)


def _expected(job: Job, run: Run | None, found: Mapping[Phase, Stay]) -> list[Phase]:
    """Return the phases that the run under way or the newest one has been in or comes to."""
    first = run is None and job.settings.drill is not DrillMode.OFF
    wanted = {Phase.PREPARING, Phase.SYNCING, Phase.PROCESSING, *found}
    wanted |= {Phase.DRILLING} if first else set()
    wanted |= {Phase.CLEANING} if job.completing or job.settings.once else set()
    return [phase for phase in Phase if phase in wanted]


# Bars


def bars(job: Job, source: Source | None, columns: int, glyphs: Glyphs, disks: int) -> list[Line]:
    """Return how far comparing and transferring are, in all and a disk each.

    Two bars because two things hold them: the disk, and the link.

    Args:
        job: a running one.
        source: for the disks' names.
        columns: room.
        glyphs: the terminal's signs.
        disks: how many disks may have a line of their own.
    """
    live = job.live
    total, compared = number(live, "total"), number(live, "compared")
    changed, needed, sent = (number(live, name) for name in ("changed", "needed", "sent"))
    if total <= 0:
        return []
    held = printable(str(live.get("held_by") or ""))
    by_link = held in ("link", "speed limit")
    read, wire = _speed(live, "read_bps"), _speed(live, "wire_bps")
    by = f"held by the {held}" if held else ""
    told = f"{bytes_text(compared)} of {bytes_text(total)}"
    found = f"{bytes_text(sent)} of {bytes_text(needed)}"
    if not needed:
        known = f"all of {bytes_text(changed)} stored already"
        found = known if changed else "nothing found changed so far"
    # What changes and what matters first: the end of a line is what a narrow one loses.
    reading = _joined(read, "" if by_link else by, told)
    sending = _joined(wire, by if by_link else "", found)
    done = sent / needed if needed else 0.0
    tones = (Tone.DIM, Tone.BUSY) if by_link else (Tone.BUSY, Tone.DIM)
    lines = [
        _bar("Comparing", compared / total, reading, columns, glyphs, tones[0]),
        _bar("Transferring", done, sending, columns, glyphs, tones[1]),
    ]
    return [*lines, *_disks(live.get("disks"), source, columns, glyphs, disks)]


def _speed(live: Mapping[str, Any], name: str) -> str:
    speed = number(live, name)
    return rate_text(speed) if speed >= 1 else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _disks(
    told: object, source: Source | None, columns: int, glyphs: Glyphs, most: int
) -> list[Line]:
    found = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    if len(found) < 2 or most < 1:
        return []  # the one disk's bars are those above
    names = {disk.index: disk.path.removeprefix("/dev/") for disk in source.disks} if source else {}
    lines = []
    for disk in found[:most]:
        index, total = int(number(disk, "index")), number(disk, "total")
        name = names.get(index, f"disk {index}")
        compared, sent, needed = (number(disk, key) for key in ("compared", "sent", "needed"))
        text = f"{bytes_text(compared)} of {bytes_text(total)}"
        if needed:
            text += f"; sent {bytes_text(sent)} of {bytes_text(needed)}"
        share = compared / total if total else 0.0
        lines.append(_bar(f"  {name}", share, text, columns, glyphs, Tone.DIM))
    if len(found) > most:
        lines.append((Cell(f"   and {len(found) - most} more disks", Tone.DIM),))
    return lines


def _bar(label: str, share: float, text: str, columns: int, glyphs: Glyphs, tone: Tone) -> Line:
    wide = min(_MOST, max(_LEAST, columns // 5))
    filled, empty = bar(share, wide, glyphs)
    percent = int(100 * min(1.0, max(0.0, share)))
    line = (
        Cell(f" {fit(label, _LABEL, more=glyphs.more)}"),
        Cell(f"{percent:3d}% ", Tone.STRONG),
        Cell(f"{filled}{empty}  ", tone),
        Cell(text, Tone.PLAIN if tone is Tone.BUSY else Tone.DIM),
    )
    return cut(line, columns, glyphs)


# The pace


def pace(job: Job, run: Run | None, columns: int, glyphs: Glyphs, now: float | None) -> Line:
    """Return the speed now and on average, its limit, what was saved, and the end.

    Args:
        job: a running one.
        run: the run under way.
        columns: room.
        glyphs: the terminal's signs.
        now: this machine's clock; None where the engine's goes at another speed.
    """
    limit = job.settings.limit_mbit
    parts = [f"limit {limit} Mbit/s" if limit else "no limit"]
    if run is not None and run.seconds >= 1 and run.counters.wire:
        parts.append(f"on average {rate_text(run.counters.wire / run.seconds)}")
    compared, needed, sent = (number(job.live, key) for key in ("compared", "needed", "sent"))
    if compared:
        # Rounded down: what has to be sent is not to be told as saved.
        parts.append(f"not sent again {max(0, int(100 * (1 - needed / compared)))} %")
    wire = number(job.live, "wire")
    if sent and wire and sent / wire >= 1.05:
        parts.append(f"compressed {sent / wire:.1f}x")
    right: Line = ()
    left = job.live.get("remaining_seconds")
    if isinstance(left, int | float):
        end = f"{glyphs.arrow} {clock(now + left)} " if now is not None else ""
        right = (Cell(f"{duration_text(left)} left {end}", Tone.STRONG),)
    line = (Cell(f" {f' {glyphs.dot} '.join(parts)}"),)
    return ends(line, right, columns, glyphs)


def held_up(job: Job) -> list[Line]:
    """Return why a run does not go on by itself just now, if so."""
    lines: list[Line] = []
    waiting, retry = job.live.get("waiting_for"), job.live.get("retry")
    if waiting:
        lines.append((Cell(f" Queued: waits for {printable(str(waiting))}", Tone.WARN),))
    if isinstance(retry, dict):
        lines.append((Cell(f" Reconnecting: {_attempt(retry)}", Tone.WARN),))
    if job.phase in (Phase.DRILLING, Phase.CUTOVER) and job.live.get("step"):
        lines.append((Cell(f" Looking at: {printable(str(job.live['step']))}", Tone.BUSY),))
    return lines


def _attempt(retry: Mapping[str, Any]) -> str:
    words = f"attempt {int(number(retry, 'attempt'))}"
    if number(retry, "of"):
        words += f" of {int(number(retry, 'of'))}"
    with suppress(KeyError, AttributeError, TypeError, ValueError, OverflowError, OSError):
        words += f" at {time.strftime('%H:%M:%S', time.localtime(parse_instant(retry['at'])))}"
    code = retry.get("code")
    return f"{words}, after {printable(str(code))}" if code else words


def pace_graph(samples: Sequence[Sample], job: Job, columns: int, glyphs: Glyphs) -> list[Line]:
    """Return a graph of what holds the run: the disk's speed, or the link's."""
    by_link = job.live.get("held_by") in ("link", "speed limit")
    values = [each.wire if by_link else each.read for each in samples]
    room = columns - _LABEL - 2
    top = max(values[-room:], default=0.0) if room > 0 else 0.0
    if top < 1:
        return []
    rows = graph(values, room, GRAPH, glyphs)
    labels = (rate_text(top), "on the link" if by_link else "read")
    return [
        (Cell(f"{label:>{_LABEL}} ", Tone.DIM), Cell(row.rstrip()))
        for label, row in zip(labels, rows, strict=True)
    ]


# The drill


def drill_line(job: Job, key: str) -> Line:
    """Return what the latest migration drill found."""
    report = job.drill_report
    if not report.get("items"):
        return ()
    tones = {drill.Level.CRITICAL: Tone.BAD, drill.Level.WARNING: Tone.WARN}
    found = (tone for level, tone in tones.items() if level == report.get("result"))
    words = Cell(printable(drill.summary(report)), next(found, Tone.PLAIN))
    return (Cell(" Migration drill: ", Tone.DIM), words, Cell(f"  {key} shows it", Tone.DIM))


def title(job: Job, deleted: bool, right: Line, columns: int, glyphs: Glyphs) -> Line:
    """Return the top line: where this is, which job, what it does now."""
    gone = (Cell(" deleted", Tone.BAD),) if deleted else ()
    where = (Cell(f" Server Migration {glyphs.step}", Tone.DIM),)
    name = (Cell(f" {job.name}", Tone.STRONG),)
    identity = (Cell(f" ({job.id})", Tone.DIM),)
    room = columns - width(right)
    for left in ((*where, *name, *identity, *gone), (*name, *identity, *gone), (*name, *gone)):
        if width(left) < room:
            break
    return ends(left, right, columns, glyphs)
