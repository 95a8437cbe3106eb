"""A job, or a source without one, as a row of the Server Migration page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from smc_tui.console.render.cells import NOTHING, Cell, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.glyphs import Glyphs, bar
from smc_tui.jobstore.feed import Snapshot
from smc_tui.model.actions import status_word
from smc_tui.model.lifecycle import Phase, SourceState, Status
from smc_tui.model.things import Image, Job, Source
from smc_tui.model.units import DAY, bytes_text, duration_text, rate_text

#: Cells of a bar in the table.
BAR = 10

#: Columns that a code may take; of a longer one its second word is shown.
CODE = 16

#: The columns in SMC's order: what the job is, its real-time migration status with
#: progress, speed and remaining time, what it has delivered, what was verified.
COLUMNS = (
    Column("job", "Job", 12, grows=True),
    Column("source", "Source", 10, 1, grows=True),
    Column("status", "Status", 14),
    Column("progress", "Progress", BAR + 5),
    Column("speed", "Speed", 10, 3, right=True),
    Column("eta", "Remaining / next", CODE, 2),
    Column("images", "Images", 6, 4, right=True),
    Column("verified", "Verified", 8, 5),
)

#: The same with what a wide terminal has room for.
WIDE = (
    *COLUMNS[:2],
    Column("reached", "Reached", 12, 7, grows=True),
    *COLUMNS[2:],
    Column("size", "Size", 9, 6, right=True),
    Column("id", "Id", 10, 8),
)

TONES = {
    Status.READY: Tone.PLAIN,
    Status.RUNNING: Tone.BUSY,
    Status.WAITING: Tone.GOOD,
    Status.STOPPED: Tone.DIM,
    Status.IN_ERROR: Tone.BAD,
    Status.DRILL_EXCEPTION: Tone.BAD,
    Status.FINISHED: Tone.GOOD,
    Status.EXPIRED: Tone.WARN,
    Status.DELETING: Tone.DIM,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row is about: a job with its source, or a source alone."""

    key: str
    source: Source | None
    job: Job | None
    kept: int = 0
    newest: Image | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.job is not None:
            return self.job.name
        assert self.source is not None
        return self.source.name


def entries(snapshot: Snapshot) -> list[Entry]:
    """Return all jobs, then the sources that no unfinished job uses."""
    newest: dict[str, Image] = {image.job_id: image for image in snapshot.images.values()}
    found = [
        Entry(
            job.id,
            snapshot.sources.get(job.source_id),
            job,
            snapshot.kept.get(job.id, 0),
            newest.get(job.id),
        )
        for job in snapshot.jobs.values()
    ]
    busy = {job.source_id for job in snapshot.jobs.values() if job.status is not Status.FINISHED}
    idle = (source for source in snapshot.sources.values() if source.id not in busy)
    return [*found, *(Entry(source.id, source, None) for source in idle)]


def row(entry: Entry, columns: tuple[Column, ...], glyphs: Glyphs, ahead: float = 0.0) -> Row:
    """Return a row.

    Args:
        entry: what it is about.
        columns: which cells, in which order.
        glyphs: the terminal's signs.
        ahead: seconds that the engine's clock is ahead of this machine's.
    """
    made = {**_CELLS, "job": _idle_cell} if entry.job is None else _CELLS
    return Row(entry.key, tuple(made[column.key](entry, glyphs, ahead) for column in columns))


def status(entry: Entry) -> Cell:
    """Return SMC's word for what goes on, the phase while it runs."""
    job = entry.job
    if job is None:
        assert entry.source is not None
        gone = entry.source.state is SourceState.UNAVAILABLE
        return Cell("Offline", Tone.BAD) if gone else Cell("Online", Tone.PLAIN)
    if job.wish:
        return Cell("Cancelling" if job.wish == "cancel" else "Pausing", Tone.WARN)
    if job.live.get("waiting_for"):
        return Cell("Queued", Tone.WARN)
    if job.live.get("retry"):
        return Cell("Reconnecting", Tone.WARN)
    if job.phase is Phase.SYNCING:
        return Cell("Transferring" if _transferring(job) else "Comparing", Tone.BUSY)
    return Cell(status_word(job.state), TONES[job.status])


def _transferring(job: Job) -> bool:
    """Tell whether a run waits for the link rather than for the disk."""
    return job.live.get("held_by") in ("link", "speed limit")


def _job_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    return Cell(entry.name)


def _idle_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    return Cell("no job", Tone.DIM)


def _source_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    if entry.job is not None:
        return Cell(entry.job.source_name)
    assert entry.source is not None
    return Cell(entry.source.name)


def _status_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    return status(entry)


def _progress_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    job = entry.job
    if job is None or (job.status is Status.READY and not job.progress):
        return NOTHING
    filled, empty = bar(job.progress / 100, BAR, glyphs)
    running = job.status is Status.RUNNING
    return Cell(f"{int(job.progress):3d}% {filled}{empty}", Tone.BUSY if running else Tone.DIM)


def _speed_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    live = entry.job.live if entry.job else {}
    speed = live.get("sent_per_second") if entry.job and _transferring(entry.job) else None
    speed = speed or live.get("bytes_per_second")
    if not isinstance(speed, int | float) or speed < 1:
        return NOTHING
    return Cell(rate_text(speed))


def _eta_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    job = entry.job
    if job is None:
        return NOTHING
    if job.status is Status.RUNNING:
        left = job.live.get("remaining_seconds")
        return Cell(f"{duration_text(left)} left") if isinstance(left, int | float) else NOTHING
    if job.status is Status.IN_ERROR and job.fault is not None:
        code = job.fault.code
        return Cell(code if len(code) <= CODE else code.rpartition(".")[2], Tone.BAD)
    if job.next_run is not None:
        return Cell(f"next {clock(job.next_run - ahead)}")
    if job.status is Status.READY and job.settings.start_at:
        return Cell(f"at {clock(job.settings.start_at - ahead)}")
    return NOTHING


def clock(at: float, now: float | None = None) -> str:
    """Return an instant by this machine's clock: the hour today, else the day too.

    No countdown: a number that changes each second is sent each second.
    """
    today = time.time() if now is None else now
    form = "%H:%M" if abs(at - today) < DAY / 2 else "%m-%d %H:%M"
    return time.strftime(form, time.localtime(at))


def _images_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    if entry.job is None:
        return NOTHING
    most = 1 if entry.job.settings.once else entry.job.settings.keep
    return Cell(f"{entry.kept}/{most}", Tone.PLAIN if entry.kept else Tone.DIM)


def _verified_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    image = entry.newest
    if image is None:
        return NOTHING
    if image.fault is not None:
        return Cell("NO", Tone.BAD)
    return Cell("yes", Tone.GOOD) if image.verified else NOTHING


def _reached_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    source = entry.source
    if source is None:
        return NOTHING
    return Cell(source.ssh.target if source.ssh else "this host")


def _size_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    return Cell(bytes_text(entry.source.total)) if entry.source else NOTHING


def _id_cell(entry: Entry, glyphs: Glyphs, ahead: float) -> Cell:
    return Cell(entry.key, Tone.DIM)


_CELLS = {
    "job": _job_cell,
    "source": _source_cell,
    "reached": _reached_cell,
    "status": _status_cell,
    "progress": _progress_cell,
    "speed": _speed_cell,
    "eta": _eta_cell,
    "images": _images_cell,
    "verified": _verified_cell,
    "size": _size_cell,
    "id": _id_cell,
}


# Which rows, in which order


#: Filters by status, in the order of the digits that choose them.
CHIPS: tuple[tuple[str, frozenset[Status]], ...] = (
    ("All", frozenset(Status)),
    ("Running", frozenset({Status.RUNNING})),
    ("Waiting", frozenset({Status.WAITING})),
    ("Paused", frozenset({Status.STOPPED})),
    ("Error", frozenset({Status.IN_ERROR, Status.DRILL_EXCEPTION, Status.EXPIRED})),
    ("Completed", frozenset({Status.FINISHED})),
)

#: Their names where there is less room.
SHORT_CHIPS = ("All", "Run", "Wait", "Pause", "Error", "Done")


def in_chip(entry: Entry, chip: int) -> bool:
    """Tell whether a chip shows an entry; sources without a job are under All."""
    return chip == 0 or (entry.job is not None and entry.job.status in CHIPS[chip][1])


def matches(entry: Entry, words: list[str]) -> bool:
    """Tell whether an entry has every word, and none of those that begin with ``!``.

    ``state:InError`` and ``tag:wave-1`` look in one place alone.
    """
    text = " ".join(_texts(entry)).lower()
    tags = {*(entry.job.tags if entry.job else ()), *(entry.source.tags if entry.source else ())}
    for word in words:
        wanted, plain = not word.startswith("!"), word.lstrip("!")
        kind, colon, rest = plain.partition(":")
        if colon and kind == "state":
            found = rest.lower() in status(entry).text.lower() or (
                entry.job is not None and rest.lower() == entry.job.status.lower()
            )
        elif colon and kind == "tag":
            found = rest in tags
        else:
            found = plain.lower() in text
        if plain and found is not wanted:
            return False
    return True


def _texts(entry: Entry) -> Iterator[str]:
    if entry.job is not None:
        job = entry.job
        yield from (job.id, job.name, job.source_name, str(job.status), job.description)
        yield from job.tags
    if entry.source is not None:
        source = entry.source
        yield from (source.id, source.name, source.description, *source.tags)
        if source.ssh is not None:
            yield source.ssh.target
    yield status(entry).text


def order_key(entry: Entry, column: str) -> tuple[int, float, str]:
    """Return what a column sorts an entry by: what has no value comes last."""
    job = entry.job
    name = entry.name.lower()
    if column == "source":
        return (0, 0.0, (job.source_name if job else entry.name).lower())
    if job is None:
        return (1, 0.0, name)
    live = job.live
    numbers: dict[str, float | None] = {
        "status": float(list(Status).index(job.status)),
        "progress": job.progress,
        "speed": live.get("bytes_per_second"),
        "eta": live.get("remaining_seconds") or job.next_run,
        "images": float(entry.kept),
        "verified": entry.newest.verified if entry.newest else None,
        "size": float(entry.source.total) if entry.source else None,
    }
    number = numbers.get(column, 0.0)
    return (0, float(number), name) if number is not None else (1, 0.0, name)
