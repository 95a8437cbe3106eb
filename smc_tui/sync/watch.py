"""A run over disks that are written to: what must be read, and the instant they all show.

    record      every write is recorded in the source's kernel from here on
    plan        what to compare: everything, or nothing but a random sample, where a
                whole record since the last image names what was written
    compare     the pass over the segments that were planned (``transfer``)
    rounds      the pages written meanwhile, again and again until they are few
    freeze      the last pages, while every file system stands still
    settle      the record stays in the kernel for the next run, or goes

Why the image is one instant: ``source/live`` argues that a page without a mark is what was
read. Before the first round all segments are as they were read after the record was on,
or, where the record has been whole since the last image, as that image has them. Each
round lays the marked pages over them. When the last round ends in the freeze with no
mark left, all pages are what the disks held while nothing could change.

The sample guards against a record, or a count of writes, that is whole and wrong, say of
a disk that is written to on another way as well. What it finds changed must have been
marked; a single block that was not condemns the record, and everything is compared in
this very run.

A link that is lost takes the marks of this run with it; the next one compares all.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from smc_tui.images import NO_CHUNKS, ZERO_NAMES
from smc_tui.model.geometry import BLOCKS_PER_SEGMENT, PAGE, PAGES_PER_BLOCK, SEGMENT
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.source.liveclient import Doubtful, Frozen, LiveClient, Marks, Pages
from smc_tui.sync.description import RunDescription
from smc_tui.sync.lines import Controls
from smc_tui.sync.pacing import BYTES_IN_MBIT, compression_level
from smc_tui.sync.patching import Patcher
from smc_tui.sync.record import Record
from smc_tui.sync.segments import Segment
from smc_tui.sync.tidy import family_of
from smc_tui.sync.transfer import Step, Transfer
from smc_tui.sync.work import DiskWork

FULL, TRACE, NOTHING = "full comparison", "trace", "nothing written"

#: Pages that are few: 4 MiB are read in a few hundredths of a second.
FEW = 1024
#: Pages that come at once, 64 MiB: what is held in memory here.
MOST = 16 << 10
#: Bytes of pages that wait in memory before they are laid over their blocks. That takes
#: longer than to fetch them, and the server goes on writing meanwhile.
GATHERED = 256 << 20
#: Rounds without getting fewer after which a freeze is tried all the same.
STUBBORN = 6
#: Freezes that are tried; between two of them comes a round.
FREEZES = 3
#: Of the segments that nothing was marked in, one in so many is compared, and a few at least.
SAMPLE, SAMPLE_LEAST = 1000, 4

_PAGES_PER_SEGMENT = SEGMENT // PAGE


@dataclass
class Finding:
    """How a run knew what changed, and what instant its image is of.

    Attributes:
        detection: FULL, TRACE or NOTHING.
        reason: why that one.
        method: ``freeze``, ``nothing writes`` or ``none``.
        why: why that method.
        frozen: how the freeze went.
        states: of the disks at the instant, by index.
        rounds: how often written pages were fetched.
    """

    detection: str = FULL
    reason: str = ""
    method: str = "nothing writes"
    why: str = ""
    frozen: Frozen | None = None
    rounds: int = 0
    pages: int = 0
    events: int = 0

    def document(self) -> dict[str, Any]:
        """Return what the engine is told of the instant."""
        return {
            "method": self.method,
            "reason": self.why,
            "frozen_seconds": self.frozen.seconds if self.frozen else None,
            "rounds": self.rounds,
            "pages": self.pages,
            "events": self.events,
        }


class Watch:
    """The source's disks in one run, over one connection.

    Attributes:
        finding: what there is to say in the end.
    """

    def __init__(
        self,
        description: RunDescription,
        client: AgentClient,
        disks: list[OpenDisk],
        works: list[DiskWork],
        transfer: Transfer,
        patcher: Patcher,
        controls: Controls,
        say: Callable[..., None],
    ) -> None:
        self._description = description
        self._client = client
        self._disks = disks
        self._works = {work.index: work for work in works}
        self._transfer = transfer
        self._patcher = patcher
        self._controls = controls
        self._say = say
        self._record = Record.load(description.staging)
        self._live: LiveClient | None = None
        self._name = ""
        self.finding = Finding()

    @property
    def watching(self) -> bool:
        """Whether writes are being recorded."""
        return self._live is not None

    # What to read

    def begin(self) -> None:
        """Find out what must be read, and have the transfer plan it."""
        if self._nothing_written():
            self.finding.detection = NOTHING
            self._set_totals(0)
            self._transfer.plan(self._sample())
            return
        self._look(self._record.doubt(self._disks))
        if self.finding.detection == TRACE:
            self._set_totals(0)
            self._transfer.plan(self._unknown())
        else:
            self._transfer.plan(self._everything())

    def _nothing_written(self) -> bool:
        """Tell whether the last image is what the disks hold."""
        if self._description.full_comparison or self._record.consistency in ("", "fuzzy"):
            return False
        if not all(self._record.unwritten(disk) for disk in self._disks):
            return False
        return not any(work.suspect for work in self._works.values()) and all(
            work.map.get(number) is not None for work, number in self._all()
        )

    def _look(self, doubt: str) -> None:
        """Have writes recorded where something is mounted; decide whether a record tells."""
        if self._description.instant == "none":
            self._without("as the job's settings want it")
            return
        if not any(disk.block_device for disk in self._disks):
            return
        live = LiveClient(self._client, self._disks)
        survey = live.survey()
        if not any(survey.mounted.values()):
            return
        if not survey.root or not survey.tracing:
            self._without("writes cannot be recorded without " + _lacking(survey.root))
            return
        if self._description.full_comparison:
            doubt = "it is time for a full comparison"
        self._open(live, doubt)

    def _without(self, why: str) -> None:
        self.finding.method, self.finding.why = "none", why

    def _open(self, live: LiveClient, doubt: str) -> None:
        """Open the record: the one since the last image where it is beyond doubt."""
        try:
            if not doubt:
                if self._begin_record(live, self._record.name, go_on=True):
                    for disk, pairs in self._record.written.items():
                        live.mark(int(disk), pairs)
                    for disk, pairs in self._record.loose.items():
                        live.mark(int(disk), pairs, loose=True)
                    self.finding.detection = TRACE
                    return
                doubt = "the record of writes is gone from the source"
        except Doubtful as lost:
            doubt = str(lost)
        self.finding.reason = doubt
        try:
            self._begin_record(live, self._new_name())
        except Doubtful as why:
            self._live = None
            self._without(str(why))

    @property
    def _family(self) -> str:
        return family_of(self._description.source_id)

    def _new_name(self) -> str:
        return self._family + secrets.token_hex(4)

    def _begin_record(self, live: LiveClient, name: str, *, go_on: bool = False) -> bool:
        self._record.opened(name).save(self._description.staging)
        found = live.record(name, self._family, go_on=go_on)
        self._live, self._name = live, name
        return found

    def _all(self) -> Iterator[Step]:
        for work in self._works.values():
            yield from work.every()

    def _unknown(self) -> Iterator[Step]:
        """Yield what no record helps with: segments that are not known, or damaged here."""
        for work, number in self._all():
            if number in work.suspect or work.map.get(number) is None:
                work.count.total += work.length(number)
                yield work, number

    def _everything(self) -> Iterator[Step]:
        """Yield all segments but those that no file system uses."""
        for work in self._works.values():
            free = self._free(work.index)
            for _, number in work.every():
                if number not in free:
                    yield work, number
                    continue
                work.count.total -= work.length(number)
                if work.map.get(number) is None:
                    segment = Segment(work.index, number, None, bytearray(NO_CHUNKS))
                    segment.start_from(ZERO_NAMES)
                    self._transfer.checkpoints.settle(segment)

    def _free(self, disk: int) -> set[int]:
        """Return the segments of a disk that nothing is in; empty while nobody watches it.

        What is written there later leaves its mark, like everything else.
        """
        if self._live is None:
            return set()
        return {
            number
            for first, end in self._live.free(disk)
            for number in range(-(-first // _PAGES_PER_SEGMENT), end // _PAGES_PER_SEGMENT)
        }

    def _set_totals(self, total: int) -> None:
        for work in self._works.values():
            work.count.total = total

    # To the instant

    def to_an_instant(self) -> bool:
        """Bring what was compared to one instant; False: the run is to stop.

        Raises:
            SmcError: the source, the link or the destination failed.
        """
        if self.finding.detection == NOTHING and not self._nothing_indeed():
            return False
        if self._live is None:
            return True
        try:
            try:
                return self._reach(self._live)
            except Doubtful as why:
                return self._anew(self._live, str(why)) and self._reach(self._live)
        except Doubtful as why:
            self._say("event", text=f"no instant: {why}")
            self._lay()
            self._live = None
            self._without(str(why))
        return self._controls.stop is None

    def _nothing_indeed(self) -> bool:
        """Compare everything where the sample differs though no write was counted; False: stop.

        Something reaches the disk on another way, or was written since the run began.
        """
        loose = {int(disk): pairs for disk, pairs in self._record.loose.items()}
        if not self._transfer.changed - _blocks(loose):
            return True
        why = "a sample had changed although no write was counted"
        self.finding.reason = why
        self._look(why)
        return self._all_compared(why)

    def _reach(self, live: LiveClient) -> bool:
        if not self._rounds(live) or not self._proven(live):
            return False
        self._freeze(live)
        self._lay()
        self.finding.events += live.events
        return self._controls.stop is None

    def _anew(self, live: LiveClient, why: str) -> bool:
        """Begin another record, and compare everything under it; False: stop."""
        self._begin_record(live, self._new_name())
        return self._all_compared(why)

    def _all_compared(self, why: str) -> bool:
        self._lay()
        self._say("event", text=f"{why}: everything is compared")
        self.finding.detection, self.finding.reason = FULL, why
        for work in self._works.values():
            work.count.total, work.count.compared = work.size, 0
        self._transfer.plan(self._all())
        return self._transfer.go_on(self._client) is None

    def _rounds(self, live: LiveClient) -> bool:
        """Fetch written pages until they are few; False: the run is to stop."""
        fewest, stubborn = 1 << 62, 0
        while stubborn < STUBBORN:
            if self._controls.stop is not None:
                return False
            marked = self._fetch(live)
            if marked <= FEW:
                return True
            stubborn = stubborn + 1 if marked >= fewest else 0
            fewest = min(fewest, marked)
        return True

    def _fetch(self, live: LiveClient) -> int:
        """Fetch one lot of pages; return how many are marked by then."""
        limit = self._controls.limit_mbit * BYTES_IN_MBIT
        most = min(MOST, max(256, int(limit / 2) // PAGE)) if limit else MOST
        taken, marked = live.take(self._gather, most=most, level=self._level, flush=True)
        if self._patcher.gathered >= GATHERED:
            self._lay()
        self.finding.rounds += 1
        if limit:
            self._controls.stopped_within(taken * PAGE / limit)
        return marked

    @property
    def _level(self) -> int:
        return compression_level(
            self._controls.compression,
            self._description.link_bps,
            self._controls.limit_mbit,
            self._client.zstd,
        )

    def _gather(self, pages: Pages) -> None:
        self._patcher.gather(pages)
        self.finding.pages += pages.size // PAGE
        if self.finding.detection == TRACE:
            count = self._works[pages.disk].count
            count.total += pages.size
            count.compared += pages.size

    def _lay(self) -> None:
        self._transfer.keep()
        self._patcher.lay(self._level)
        self._transfer.keep()

    def _proven(self, live: LiveClient) -> bool:
        """Compare a sample of what the record says was not written; False: stop."""
        if self.finding.detection != TRACE:
            return True
        self._lay()
        self._transfer.changed.clear()
        self._transfer.plan(self._sample())
        if self._transfer.go_on(self._client) is not None or not self._rounds(live):
            return False
        missed = self._transfer.changed - self._patcher.touched
        if missed:
            missed -= _blocks(live.loose())
        if not missed:
            return True
        why = f"the record of writes had missed {len(missed)} blocks"
        return self._all_compared(why) and self._rounds(live)

    def _sample(self) -> Iterator[Step]:
        touched = {(disk, block // BLOCKS_PER_SEGMENT) for disk, block in self._patcher.touched}
        for work in self._works.values():
            rest = [
                number
                for number in range(work.segments)
                if (work.index, number) not in touched and _was_read(work, number)
            ]
            count = min(len(rest), max(SAMPLE_LEAST, len(rest) // SAMPLE))
            for number in sorted(random.sample(rest, count)):
                work.count.total += work.length(number)
                yield work, number

    def _freeze(self, live: LiveClient) -> None:
        hooks = self._description.hooks
        for attempt in range(FREEZES):
            if attempt and not self._rounds(live):
                return
            frozen = live.freeze(self._gather, level=self._level, **hooks)
            if frozen.frozen:
                self.finding.method, self.finding.frozen = "freeze", frozen
                return
            self._say("event", text=f"no instant yet: {frozen.reason}")
            self._without(frozen.reason)
            if not frozen.again:
                return

    # The end

    def verdict(self, seen: tuple[str, str]) -> tuple[str, str]:
        """Return the image's consistency and the reason.

        Args:
            seen: what the disks' states say, before and after; see ``recognition``.
        """
        finding = self.finding
        if finding.detection == NOTHING:
            return self._record.consistency, "nothing was written since the last image"
        if finding.frozen is not None and finding.frozen.frozen:
            return "frozen", f"all file systems stood still for {finding.frozen.seconds:.3f} s"
        if seen[0] == "fuzzy" and finding.why:
            return seen[0], f"{seen[1]}; {finding.why}"
        return seen

    def settle(self, image: str, consistency: str, states: dict[str, list[Any]]) -> None:
        """Remember the image, and keep the record of writes where it goes on from it.

        Args:
            image: the one that is published.
            consistency: its.
            states: of the disks at the end of the run, by index.

        Raises:
            SmcError: the link or the destination failed; the image stands all the same.
        """
        frozen = self.finding.frozen
        keep = frozen is not None and frozen.frozen and self._description.continues
        if frozen is not None and frozen.frozen:
            states = {str(index): state for index, state in frozen.states.items()}
        if self._live is not None:
            self._live.settle(keep=keep)
        elif self._record.name and not self._description.continues:
            LiveClient(self._client, self._disks).forget(self._family)
        if self.finding.detection == NOTHING:
            kept = replace(self._record, image=image)
        else:
            kept = Record(image, consistency, states, self._name if keep else "", keep)
            if keep and frozen is not None:
                kept = kept.with_marks({}, frozen.loose)
        kept.save(self._description.staging)


def _was_read(work: DiskWork, number: int) -> bool:
    """Tell whether a segment was ever read whole: what was free then is not known."""
    record = work.map.get(number)
    return record is not None and record[0] != NO_CHUNKS


def _blocks(marks: Marks) -> set[tuple[int, int]]:
    """Return the blocks, as (disk, block), that any of the pages lie in."""
    return {
        (disk, block)
        for disk, pairs in marks.items()
        for first, end in pairs
        for block in range(first // PAGES_PER_BLOCK, -(-end // PAGES_PER_BLOCK))
    }


def _lacking(root: bool) -> str:
    return "tracefs" if root else "root"
