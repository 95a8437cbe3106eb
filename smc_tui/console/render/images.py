"""Kept images as rows, what retention takes next, and all of one image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from smc_tui.console.render.cells import NOTHING, Cell, Line, Tone
from smc_tui.console.render.columns import Column, Row
from smc_tui.console.render.detail import day_clock
from smc_tui.console.render.runpage import fault_lines, heading, labelled
from smc_tui.model.lifecycle import ImageState, Status, consistency_text
from smc_tui.model.retention import outgoing
from smc_tui.model.things import Image, Job
from smc_tui.model.units import bytes_text

COLUMNS = (
    Column("image", "Image", 18, grows=True),
    Column("job", "Job", 12, 2, grows=True),
    Column("created", "Created", 14),
    Column("size", "Size", 9, 3, right=True),
    Column("consistency", "Consistency", 11, 5),
    Column("state", "State", 9),
    Column("use", "Use", 12, 1),
    Column("verified", "Verified", 14, 4),
)


def going(images: Sequence[Image], jobs: Mapping[str, Job]) -> dict[str, list[Image]]:
    """Return by job which images go after its next one; of jobs that make one."""
    made: dict[str, list[Image]] = {}
    for job in jobs.values():
        if job.status is not Status.FINISHED and not job.settings.once:
            own = [image for image in images if image.job_id == job.id]
            made[job.id] = outgoing(own, job.settings.keep)
    return made


def row(image: Image, goes: bool, ahead: float = 0.0) -> Row:
    """Return an image.

    Args:
        image: the image.
        goes: whether it goes after its job's next image.
        ahead: seconds that the engine's clock is ahead of this machine's.
    """
    bad = image.state is ImageState.DAMAGED
    tone = Tone.PLAIN if image.consistency.one_instant else Tone.WARN
    return Row(
        image.id,
        (
            Cell(image.name),
            Cell(image.job_name, Tone.DIM),
            Cell(day_clock(image.created - ahead)),
            Cell(bytes_text(image.size)),
            Cell(str(image.consistency), tone),
            Cell(str(image.state), Tone.BAD if bad else Tone.PLAIN),
            use(image, goes),
            _verified(image, ahead),
        ),
    )


def use(image: Image, goes: bool) -> Cell:
    """Return who uses an image, or that retention takes it next."""
    kinds = dict.fromkeys(hold.partition(":")[0] for hold in image.holds)
    words = ["pinned" if kind == "pin" else kind for kind in kinds]
    if words:
        return Cell(", ".join(words), Tone.STRONG)
    return Cell("goes next", Tone.WARN) if goes else NOTHING


def _verified(image: Image, ahead: float) -> Cell:
    if image.fault is not None:
        return Cell("NO", Tone.BAD)
    if not image.verified:
        return NOTHING
    return Cell(day_clock(image.verified - ahead), Tone.GOOD)


def preview(image: Image | None, job: Job | None, gone: Sequence[Image], count: int) -> list[Line]:
    """Return two lines: what is to be known of an image, and what retention takes next.

    Args:
        image: the one under the cursor.
        job: its job, where that is still there.
        gone: what goes after the job's next image.
        count: how many images the job has.
    """
    if image is None:
        return [(Cell(" No image is kept yet.", Tone.DIM),), ()]
    if image.fault is not None:
        first: Line = (Cell(f" {image.fault.code}: {image.fault.detail}", Tone.BAD),)
    else:
        tone = Tone.DIM if image.consistency.one_instant else Tone.WARN
        first = (Cell(f" {consistency_text(image.consistency, image.reason)}", tone),)
    return [first, (Cell(f" {_next(image, job, gone, count)}", Tone.DIM),)]


def _next(image: Image, job: Job | None, gone: Sequence[Image], count: int) -> str:
    if job is None:
        return f"{image.job_name} is gone: its images stay until they are deleted."
    if job.status is Status.FINISHED or job.settings.once:
        return f"{job.name} makes no further image: none goes by itself."
    kept = f"{job.name} keeps {job.settings.keep} and has {count}"
    if not gone:
        return f"{kept}: after its next image none goes."
    return f"{kept}: after its next image {', '.join(each.name for each in gone)} goes first."


def image_lines(image: Image, columns: int, ahead: float = 0.0) -> list[Line]:
    """Return all of an image."""
    rows: Iterable[tuple[str, str]] = (
        ("Id", image.id),
        ("State", str(image.state)),
        ("Size", bytes_text(image.size)),
        ("Consistency", consistency_text(image.consistency, image.reason)),
        ("Created", day_clock(image.created - ahead)),
        ("Source", f"{image.source_name} ({image.source_id})"),
        ("Job", f"{image.job_name} ({image.job_id}), run {image.run_id}"),
        ("Used by", ", ".join(image.holds) or "nothing"),
        ("Verified", day_clock(image.verified - ahead) if image.verified else "not yet"),
        ("Root digest", image.root),
    )
    lines = [line for label, text in rows for line in labelled(label, text, columns)]
    if image.fault is not None:
        lines += [(), heading("Error"), *fault_lines(image.fault, columns)]
    lines += [(), heading("Disks")]
    for disk in image.disks:
        text = f"{disk.get('path')}, {bytes_text(int(disk['size']))}, {disk.get('role', '')}"
        lines += labelled(f"Disk {disk['index']}", text, columns)
    return lines
