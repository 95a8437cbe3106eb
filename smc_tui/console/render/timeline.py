"""A job's images on a line: what can be had back, what is used, what went, what failed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from smc_tui.console.render.cells import Cell, Line, Tone, fit
from smc_tui.console.render.glyphs import Glyphs
from smc_tui.console.render.story import ends
from smc_tui.model.lifecycle import ImageState, RunKind, Status
from smc_tui.model.things import Event, Image, Job, Run

#: Columns of one image.
_WIDE = 9

#: The event that takes an image, and how its result begins where the rule took it.
_REMOVED, _RULE = "image deleting", "retention"


@dataclass(frozen=True, slots=True)
class Mark:
    """One run's image.

    Attributes:
        number: which run it is of, from 1.
        sign: a field of the glyphs.
        word: the same in a word.
        at: when, POSIX seconds of the engine's clock.
    """

    number: int
    sign: str
    word: str
    at: float


_TONES = {
    "kept": Tone.GOOD, "used": Tone.STRONG, "pinned": Tone.STRONG, "pruned": Tone.DIM,
    "building": Tone.BUSY, "failed": Tone.BAD,
}  # fmt: skip


def marks(
    job: Job, runs: Sequence[Run], images: Mapping[str, Image], events: Iterable[Event]
) -> list[Mark]:
    """Return what became of each run's image.

    Args:
        job: the job.
        runs: its runs, oldest first.
        images: what is kept, by id.
        events: its history: why images went.
    """
    gone = {event.image_id: event.result for event in events if event.action == _REMOVED}
    found = []
    for at, run in enumerate(runs, start=1):
        sign, word = _became(job, run, images.get(run.image_id), gone.get(run.image_id, ""))
        found.append(Mark(at, sign, word, run.ended or run.started))
    return found


def _became(job: Job, run: Run, image: Image | None, why: str) -> tuple[str, str]:
    if image is not None:
        return _kept(run, image)
    if run.ended is None:
        if job.status is Status.RUNNING:
            return "building", f"{int(job.progress)} %"
        return "building", "paused"
    if run.fault is not None:
        return "failed", "failed"
    return "pruned", "pruned" if not why or why.startswith(_RULE) else "deleted"


def _kept(run: Run, image: Image) -> tuple[str, str]:
    if image.state is ImageState.DELETING:
        return "pruned", "going"
    if image.state is ImageState.DAMAGED:
        return "failed", "damaged"
    if image.pinned:
        return "pinned", "pinned"
    if image.holds:
        return "used", "in use"
    if not image.consistency.one_instant:
        return "kept", "fuzzy"
    return "kept", "full" if run.kind is RunKind.FULL else "inc"


def lines(
    found: Sequence[Mark], job: Job, columns: int, glyphs: Glyphs, ahead: float = 0.0
) -> list[Line]:
    """Return the timeline under its heading, the newest at the right end.

    Args:
        found: the marks, oldest first.
        job: for what it keeps.
        columns: room.
        glyphs: the terminal's signs.
        ahead: seconds that the engine's clock is ahead of this machine's.
    """
    most = 1 if job.settings.once else job.settings.keep
    heading = (
        Cell(" Images", Tone.STRONG),
        Cell(f" keep {most}", Tone.DIM),
    )
    named = ("kept", "pinned", "used", "pruned", "building", "failed")
    words = {"used": "in use"}
    legend = "  ".join(f"{getattr(glyphs, name)} {words.get(name, name)}" for name in named)
    top = ends(heading, (Cell(f"{legend} ", Tone.DIM),) if columns >= 92 else (), columns, glyphs)
    if not found:
        return [top, (Cell("  none yet", Tone.DIM),), (), (), ()]
    room = max(1, (columns - 2) // _WIDE)
    shown = found[-room:]
    earlier = len(found) > len(shown)
    joint = glyphs.rule * (_WIDE - 1)
    signs = [Cell(f" {glyphs.more if earlier else ' '}", Tone.DIM)]
    for at, each in enumerate(shown):
        signs.append(Cell(getattr(glyphs, each.sign), _TONES[each.sign]))
        signs.append(Cell(joint if at < len(shown) - 1 else "", Tone.DIM))
    days = [time.strftime("%m-%d", time.localtime(each.at - ahead)) for each in shown]
    return [
        top,
        _row([f"#{each.number}" for each in shown], Tone.PLAIN, glyphs),
        tuple(signs),
        _row([each.word for each in shown], Tone.PLAIN, glyphs),
        _row(days, Tone.DIM, glyphs),
    ]


def _row(texts: Sequence[str], tone: Tone, glyphs: Glyphs) -> Line:
    cells = (fit(text, _WIDE - 1, more=glyphs.more) + " " for text in texts)
    return (Cell("  " + "".join(cells).rstrip(), tone),)
