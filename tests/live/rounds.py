"""Image after image of a disk that is written to, each one taken, handed out and checked."""

from __future__ import annotations

import math
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.checks import Base, Verdict, judge
from tests.live.disks import LiveDisk
from tests.live.freezing import FreezeWitness, Window
from tests.live.writers import Writers
from tests.support.records import forget
from tests.support.runs import Job


@dataclass(frozen=True)
class Taken:
    """An image that was taken.

    Attributes:
        files: each disk as a raw file, for the checks to change.
        result: what the sync worker said of it.
        window: when the kernel saw the file systems frozen, or None.
        begun: the monotonic instant before anything was done for it.
        seconds: what the run took.
    """

    files: list[Path]
    result: dict[str, Any]
    window: Window | None
    begun: float
    seconds: float

    @property
    def consistency(self) -> str:
        """What the image is said to be."""
        return str(self.result["image"]["consistency"])

    @property
    def instant(self) -> dict[str, Any]:
        """How the instant was made, as the result says; empty if it says nothing."""
        return dict(self.result.get("instant") or {})


@dataclass
class Images:
    """Takes images by real runs over a local link, and hands each out as a raw file.

    A new home is begun every so many images, so that the store does not grow, and
    first runs are among those tried.

    Attributes:
        folder: where homes are made.
        out: where files are handed out to.
        disks: what is imaged, all in one job.
        witness: sees the freezes.
        per_home: images until a new home is begun.
        wishes: what a run's description says beside the usual.
        holding: what is held while the run is at work.
    """

    folder: Path
    out: Path
    disks: list[LiveDisk]
    witness: FreezeWitness
    per_home: int = 25
    wishes: dict[str, Any] = field(default_factory=dict)
    holding: Callable[[], AbstractContextManager[object]] = nullcontext
    _job: Job | None = None
    _homes: int = 0

    def take(self) -> Taken:
        """Take the next image."""
        job = self._home()
        self.witness.take()  # what was before is not of this image
        begun = time.monotonic()
        with self.holding():
            result = self._result(job)
        seconds = time.monotonic() - begun
        windows = self.witness.take()
        window = windows[-1] if windows else None
        return Taken(self._files(job, result["image"]["id"]), result, window, begun, seconds)

    def _result(self, job: Job) -> dict[str, Any]:
        """Do a run; if this is given up meanwhile, nothing of the run goes on."""
        run = job.start(**self.wishes)
        try:
            result = run.last()
        except BaseException:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
            raise
        assert result.get("kind") == "result", (result, (job.home / "log").read_text())
        return result

    def _files(self, job: Job, image: str) -> list[Path]:
        """Hand the disks of an image out, in place of those of the last one."""
        files = [self.out / f"image{index}.raw" for index in range(len(self.disks))]
        with job.store() as store:
            for index, file in enumerate(files):
                store.export(image, index, file, overwrite=True)
        return files

    def _home(self) -> Job:
        if self._job is None or self._job.count >= self.per_home:
            self.close()
            self._homes += 1
            home = self.folder / f"home{self._homes}"
            home.mkdir(mode=0o700)
            self._job = Job(home, [disk.device for disk in self.disks])
        return self._job

    def close(self) -> None:
        """Remove the home, and what its runs left in the kernel."""
        if self._job is not None:
            forget(self._job.source)
            shutil.rmtree(self._job.home)
            self._job = None


def claims(taken: Taken) -> list[str]:
    """Return where what the run says of the freeze is not what the kernel saw of it."""
    said = taken.instant.get("frozen_seconds")
    if taken.consistency != "frozen":
        return []
    if taken.window is None or said is None:
        return [f"frozen, it says, for {said} s; the kernel saw {taken.window}"]
    if abs(taken.window.seconds - said) > 0.05 + 0.2 * said:
        return [f"frozen for {said:.3f} s, it says; the kernel saw {taken.window.seconds:.3f} s"]
    return []


@dataclass(frozen=True)
class Round:
    """One image and what is known of it."""

    number: int
    taken: Taken
    verdict: Verdict


@dataclass
class Record:
    """All rounds of a kind.

    Attributes:
        name: of what.
        rounds: the rounds, in order.
    """

    name: str
    rounds: list[Round] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """The findings of all rounds."""
        return [f"round {r.number}: {text}" for r in self.rounds for text in r.verdict.findings]

    @property
    def refused(self) -> int:
        """How many images had any."""
        return sum(bool(round.verdict.findings) for round in self.rounds)

    def consistencies(self) -> dict[str, int]:
        """Return how many images are said to be what."""
        return dict(Counter(round.taken.consistency for round in self.rounds))

    def frozen_ms(self) -> list[float]:
        """Return the milliseconds frozen, as the kernel saw them, of each round that was."""
        windows = (round.taken.window for round in self.rounds)
        return [window.seconds * 1000 for window in windows if window]

    def total(self, what: str) -> int:
        """Return the sum of a count that the runs say of their instant: events, pages, rounds."""
        return sum(int(round.taken.instant.get(what) or 0) for round in self.rounds)

    def summary(self) -> str:
        """Return one line of figures."""
        if not self.rounds:
            return f"{self.name}: no rounds"
        took = [round.taken.seconds for round in self.rounds]
        words = [
            f"{self.name}: {len(self.rounds)} rounds, {self.refused} refused",
            ", ".join(f"{count} {word}" for word, count in self.consistencies().items()),
            f"frozen ms {spread(self.frozen_ms())}",
            f"run s {spread(took)}",
            f"{self.total('events')} events, {self.total('pages')} pages",
            f"{self.rounds[-1].verdict.last} rows",
        ]
        return "; ".join(words)


def spread(values: list[float]) -> str:
    """Return the median, the 95th percentile and the largest of some values."""
    if not values:
        return "none"
    chosen = (percentile(values, 50), percentile(values, 95), max(values))
    return "p50 {:.2f} p95 {:.2f} max {:.2f}".format(*chosen)


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def drive(
    name: str,
    count: int,
    take: Callable[[], Taken],
    disks: list[LiveDisk],
    writers: list[Writers],
    say: Callable[[str], None] = lambda line: None,
) -> Record:
    """Take and check so many images.

    Args:
        name: of the record.
        count: of rounds.
        take: takes an image.
        disks: what it is of.
        writers: who writes to them; every file system has its own.
        say: is told of each finding as it comes, and of the figures now and then.
    """
    record = Record(name)
    for number in range(1, count + 1):
        for each in writers:
            each.must_live()
        taken = take()
        bases = {each.place: Base(each.log, taken.window, taken.begun) for each in writers}
        verdict = Verdict()
        verdict.find("claims", *claims(taken))
        for file, disk in zip(taken.files, disks, strict=True):
            judge(file, disk.filesystems, bases, verdict)
        record.rounds.append(Round(number, taken, verdict))
        for finding in verdict.findings:
            say(f"{name}: round {number}: {finding}")
        if number % 10 == 0:
            say(record.summary())
    return record
