"""The engine, the home folder and the image store in lines; what jobs hold as rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smc_tui.console.render.cells import NOTHING, Cell, Line, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.jobs import clock
from smc_tui.jobstore.feed import Snapshot
from smc_tui.model.costs import MONTH, amount, money_text
from smc_tui.model.lifecycle import Status
from smc_tui.model.options import Config
from smc_tui.model.things import Job, Resource
from smc_tui.model.units import DAY, HOUR, MINUTE, bytes_text, duration_text

_LABEL = 15
#: Of the home's file system: below this share of room left it is said to be little.
LITTLE = 0.1


@dataclass(frozen=True, slots=True)
class Room:
    """Room of the home folder, bytes.

    Attributes:
        total: of its file system.
        free: of it, for this user.
        records: of the job store's files.
    """

    total: int = 0
    free: int = 0
    records: int = 0


def heading(text: str) -> Line:
    """Return a section's name."""
    return (Cell(f" {text}", Tone.STRONG),)


def _line(label: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    return (Cell(f"   {label:<{_LABEL}}", Tone.DIM), Cell(text, tone))


def engine_lines(snapshot: Snapshot, home: str) -> list[Line]:
    """Return what is known of the engine and of what it does."""
    view = snapshot.engine
    if view.alive:
        state = _line("Status", "running", Tone.GOOD)
    else:
        since = f" since {clock(view.down)}" if view.down else ""
        state = _line("Status", f"down{since}; s starts it", Tone.BAD)
    running = [job for job in snapshot.jobs.values() if job.status is Status.RUNNING]
    queued = [job for job in running if job.live.get("waiting_for")]
    waiting = sum(job.status is Status.WAITING for job in snapshot.jobs.values())
    next_run = _next(snapshot)
    speed = "" if view.time_lapse == 1 else f", its clock {view.time_lapse:g} times as fast"
    lines = [heading("Engine"), state]
    if view.started is not None:
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(view.started))
        lines.append(_line("Started", f"{began}{speed}"))
        lines.append(_line("Process", f"{view.pid}, version {view.version}"))
    lines.append(_line("Jobs", f"{len(running)} running, {waiting} waiting"))
    lines.append(_line("Queue", _names(queued), Tone.WARN if queued else Tone.PLAIN))
    lines.append(_line("Next run", next_run))
    lines.append(_line("Home", home))
    return lines


def _next(snapshot: Snapshot) -> str:
    due = [job for job in snapshot.jobs.values() if job.next_run is not None]
    first = min(due, key=lambda job: job.next_run or 0.0, default=None)
    if first is None or first.next_run is None:
        return "none"
    return f"{first.name} at {clock(snapshot.engine.here(first.next_run))}"


def _names(jobs: Sequence[Job]) -> str:
    if not jobs:
        return "empty"
    names = ", ".join(f"{job.name} ({job.live['waiting_for']})" for job in jobs[:3])
    return names + (f" and {len(jobs) - 3} more" if len(jobs) > 3 else "")


def home_lines(room: Room, resources: Mapping[str, Resource]) -> list[Line]:
    """Return how much room there is, and who has it."""
    share = room.free / room.total if room.total else 0.0
    little = share < LITTLE
    word = " - little" if little else ""
    text = f"{bytes_text(room.free)} of {bytes_text(room.total)} ({100 * share:.0f} %){word}"
    staged = sum(resource.size for resource in resources.values())
    count = len(resources)
    held = f"{bytes_text(staged)} in {count} staging area{'' if count == 1 else 's'}; $ lists them"
    return [
        heading("Room"),
        _line("Free", text, Tone.BAD if little else Tone.PLAIN),
        _line("Held by jobs", held),
        _line("Records", bytes_text(room.records)),
    ]


def store_lines(stats: Mapping[str, Any] | None, said: Line) -> list[Line]:
    """Return what the image store holds.

    Args:
        stats: the result of ``store.stats``, None before it came.
        said: what is under way with it, or came of it.
    """
    lines = [heading("Image store")]
    if stats is not None:
        lines += [
            _line("Images", f"{stats['images']} in {bytes_text(stats['bytes_on_disk'])}"),
            _line("Blocks", f"{stats['blocks']}, {bytes_text(stats['bytes_plain'])} uncompressed"),
            _line("Packs", str(stats["packs"])),
            _line("Can be freed", bytes_text(stats["bytes_dead"])),
            _damage(stats["damaged"]),
        ]
    return [*lines, (Cell("   "), *said)] if said else lines


def _damage(count: int) -> Line:
    if not count:
        return _line("Damaged", "none known; v reads it all to see")
    return _line("Damaged", f"{count} records; v names them", Tone.BAD)


# What jobs hold

RESOURCE_COLUMNS = (
    Column("job", "Job", 12, grows=True),
    Column("size", "Size", 10, right=True),
    Column("age", "Age", 8, 1, right=True),
    Column("cost", "So far", 12, 2, right=True),
    Column("month", "In 30 days", 12, 3, right=True),
    Column("state", "State", 10),
    Column("name", "Name", 34, 4),
)


def resource_row(resource: Resource, job: Job | None, now: float, config: Config) -> Row:
    """Return what a job holds at the destination.

    Args:
        resource: what is held.
        job: whose it is; None: the job is gone.
        now: the engine's clock.
        config: the rate.
    """
    age = max(0.0, now - resource.created)
    return Row(
        resource.job_id,
        (
            Cell(job.name) if job else Cell(f"{resource.job_id} (gone)", Tone.WARN),
            Cell(bytes_text(resource.size)),
            Cell(age_text(age)),
            _money(amount(resource.size, age, config), config),
            _money(amount(resource.size, MONTH, config), config),
            Cell(str(resource.state), Tone.PLAIN if job else Tone.WARN),
            Cell(resource.name, Tone.DIM),
        ),
    )


def _money(value: float | None, config: Config) -> Cell:
    return NOTHING if value is None else Cell(money_text(value, config))


def age_text(seconds: float) -> str:
    """Return an age no finer than is worth sending again: minutes, hours, days."""
    grain = MINUTE if seconds < HOUR else HOUR if seconds < DAY else DAY
    return duration_text(seconds // grain * grain) if seconds >= MINUTE else "new"


def resource_total(resources: Sequence[Resource], now: float, config: Config) -> Line:
    """Return what all of it comes to."""
    if not resources:
        return (Cell(" Nothing is held: no unfinished job has run yet.", Tone.DIM),)
    size = bytes_text(sum(resource.size for resource in resources))
    month = [amount(resource.size, MONTH, config) for resource in resources]
    known = [value for value in month if value is not None]
    if not known:
        return (Cell(f" {size} held; no rate is configured (cost.per_gib_month)", Tone.DIM),)
    text = f" {size} held: about {money_text(sum(known), config)} in 30 days, at the present size"
    return (Cell(text),)
