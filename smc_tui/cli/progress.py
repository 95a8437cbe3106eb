"""What is known of a run or another long work while it goes on.

Two bars that move at once, because the engine compares and transfers at once. Nothing is
shown that is not known: no bar before the total is known, no time remaining before it is
worth something, and 100 % belongs to a published image.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from smc_tui.cli.frames import Bar, Follower, Frame, Watch
from smc_tui.cli.output import Output
from smc_tui.cli.words import job_word, percent, size
from smc_tui.jobstore import JobStore, Request
from smc_tui.model.delays import delay
from smc_tui.model.documents import job_summary
from smc_tui.model.errors import SmcError
from smc_tui.model.estimate import SmoothedRate, remaining, transfer_remaining
from smc_tui.model.lifecycle import Phase
from smc_tui.model.things import Counters, Job
from smc_tui.model.units import duration_text, rate_text


@dataclass
class RunWatch:
    """A job's run under way.

    Speeds are smoothed here, over this command's own clock: the engine's may run
    a thousand times as fast.
    """

    store: JobStore
    job_id: str
    _run_id: str | None = None
    _began: float = 0.0
    _read: SmoothedRate = field(default_factory=SmoothedRate)
    _sent: SmoothedRate = field(default_factory=SmoothedRate)

    def frame(self, request: Request | None = None) -> Frame | None:
        """Return the two bars of the run, or the job's status between runs."""
        try:
            job = self.store.job(self.job_id)
        except SmcError as error:
            if error.code != "ReplicationJob.NotFound":
                raise
            return None
        now = time.monotonic()
        if job.run_id != self._run_id:
            self._run_id, self._began = job.run_id, now
            self._read, self._sent = SmoothedRate(), SmoothedRate()
        title = f"{job.name}: {job_word(job_summary(job))}"
        done = counters(job)
        if job.phase in (Phase.DRILLING, Phase.CUTOVER) and job.live.get("step"):
            return Frame(f"{title}, {job.live['step']}")
        if job.phase is None:
            return Frame(title, idle=True)
        held_up = delay(job.live)
        if held_up or done.total <= 0:
            return Frame(f"{title}: {held_up}" if held_up else title)
        # From the first byte on: the time before it says nothing about a speed.
        read = self._read.sample(done.compared, now) if done.compared else 0.0
        sent = self._sent.sample(done.sent, now) if done.sent else 0.0
        at_it = now - self._began
        return Frame(
            f"{title}, {percent(job.progress)}",
            (
                compare_bar(job, done, read, remaining(done, read, at_it)),
                transfer_bar(job, done, sent, at_it),
            ),
        )


def counters(job: Job) -> Counters:
    """Return what the running worker last said it has done."""
    live = job.live
    names = ("total", "compared", "changed", "sent", "wire", "stored")
    return Counters(**{name: int(live.get(name) or 0) for name in names})


def compare_bar(job: Job, done: Counters, speed: float, left: float | None) -> Bar:
    """Return how much of the disks has been compared."""
    facts = [f"{size(done.compared)} of {size(done.total)}"]
    if done.compared < done.total:
        facts += _pace(speed, left)
    held = str(job.live.get("held_by") or "")
    if held:
        facts.append(f"held by the {held}")
    return Bar("Comparing", done.compared, done.total, ", ".join(facts))


def transfer_bar(job: Job, done: Counters, speed: float, seconds: float) -> Bar:
    """Return how much of what has to be transferred, as far as is known, has been."""
    needed = int(job.live.get("needed", done.changed) or 0)
    if not needed:
        known = f"{size(done.changed)} changed, all of it stored already" if done.changed else ""
        return Bar("Transferring", 0, 0, known or "nothing found changed so far")
    facts = [f"{size(done.sent)} of {size(needed)}"]
    if done.changed > needed:
        facts[0] += f" ({size(done.changed)} changed)"
    facts += _pace(speed, transfer_remaining(done, needed, speed, seconds))
    wire = float(job.live.get("wire_bps") or 0)
    if wire > 0:
        facts.append(f"wire {rate_text(wire)}")
    return Bar("Transferring", done.sent, needed, ", ".join(facts))


def _pace(speed: float, left: float | None) -> list[str]:
    """Return a speed, and a time remaining that is worth saying."""
    pace = [rate_text(speed)] if speed >= 1 else []
    if left is not None and left >= 1:
        pace.append(f"about {duration_text(left)} left")
    return pace


@dataclass
class WorkWatch:
    """A work on images that tells its progress in its request."""

    title: str
    _rate: SmoothedRate = field(default_factory=SmoothedRate)

    def frame(self, request: Request | None) -> Frame | None:
        """Return one bar once the work has said how much there is to do."""
        told: dict[str, Any] = request.progress if request is not None else {}
        total, done = float(told.get("total") or 0), float(told.get("done") or 0)
        if total <= 0:
            return Frame(self.title)
        speed = self._rate.sample(done, time.monotonic())
        facts = [f"{size(done)} of {size(total)}", *([rate_text(speed)] if speed > 0 else [])]
        return Frame(self.title, (Bar("Done", done, total, ", ".join(facts)),))


@contextmanager
def following(out: Output, watch: Watch) -> Iterator[Follower]:
    """Yield what shows a watch's progress on standard error, in the way that fits there."""
    if not out.drawing(sys.stderr):
        yield Follower(out, watch)
        return
    # Here, because only a terminal is worth the time that rich takes.
    from smc_tui.cli.live import LiveFollower

    with LiveFollower(out, watch) as live:
        yield live
