"""The pipeline of a run: scan, answer, want, data, in one pass over the disks.

    scan    up to WINDOW segments are asked for, with what is known of them
    answer  what differs is named; names that the store lacks are wanted
    want    as many as the speed limit allows, in slices when there is one
    data    every block is hashed on arrival, stored, and its segments settled

One thread does all of this; what waits for the destination's disk is in
``checkpoints``. All state is what is outstanding, so stopping at any moment is
safe: blocks that came are stored, segments not settled are compared again.

A lost link is such a stop. What was outstanding is asked for again over the next
one and everything else stays done: the change map expects what it expected before,
so the answer names again what differs, and of that only what has not come is wanted.

A block that several segments lack is asked for once; each of them waits for it
and is settled only when it is here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from blake3 import blake3

from smc_tui.images import (
    ZERO_BLOCK,
    ZERO_NAMES,
    ImageStore,
    PayloadError,
    Session,
    plain,
)
from smc_tui.model.catalogue import ExitCode
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, BLOCKS_PER_SEGMENT
from smc_tui.source import protocol
from smc_tui.source.client import AgentClient
from smc_tui.sync.checkpoints import Checkpoints
from smc_tui.sync.lines import Controls, Stop
from smc_tui.sync.pacing import TokenBucket, compression_level
from smc_tui.sync.progress import Progress
from smc_tui.sync.segments import Hash, Segment, bits_of, changed_blocks
from smc_tui.sync.work import DiskWork

WINDOW = 48  # segments outstanding: a fast disk stays busy over a round trip of 100 ms
_LOOK = 0.1  # s without a frame after which controls and progress are looked at again


#: A segment of a disk that is to be compared.
Step = tuple[DiskWork, int]


class Want(NamedTuple):
    """Blocks of a segment that wait for the speed limit's leave."""

    segment: Segment
    blocks: list[int]


class Transfer:
    """One pass over the disks, over as many connections as it takes.

    Attributes:
        scans: how often a segment was asked for.
        changed: (disk, block of the disk) of what comparing has found changed.
        checkpoints: where what is settled becomes durable.
    """

    _client: AgentClient

    def __init__(
        self,
        hashing: Hash,
        store: ImageStore,
        session: Session,
        disks: list[DiskWork],
        controls: Controls,
        progress: Progress,
        link_bps: float | None,
        wire: Callable[[], int],
    ) -> None:
        self._store = store
        self._session = session
        self._disks = {disk.index: disk for disk in disks}
        self._controls = controls
        self._progress = progress
        self._link_bps = link_bps
        self._wire = wire
        self._hash = hashing
        self._bucket = TokenBucket(time.monotonic())
        self.checkpoints = Checkpoints(session, {disk.index: disk.map for disk in disks})
        self.changed: set[tuple[int, int]] = set()
        self._plan: Iterator[Step] = iter(())
        self._more = False
        self._lost: deque[Segment] = deque()
        self._settled = 0
        self.scans = 0
        self._open: dict[tuple[int, int], Segment] = {}
        self._wants: deque[Want] = deque()
        self._waiting: dict[bytes, list[tuple[Segment, int]]] = {}

    def plan(self, steps: Iterable[Step]) -> None:
        """Say what is to be compared next; what was planned before must be done."""
        self._plan, self._more = iter(steps), True

    def go_on(self, client: AgentClient) -> Stop | None:
        """Compare and transfer all that is left; None at the end, or why it stopped.

        Raises:
            SmcError: the source, the link or the destination failed.
        """
        self._client = client
        while self._more or self._open:
            if self._controls.stop is not None:
                return self._controls.stop
            while self._more and len(self._open) < WINDOW:
                self._more = self._scan_next()
            self._ask()
            frame = self._client.read(self._patience())
            if frame is not None:
                self._take(*frame)
            self.checkpoints.look()
            self._report()
        return None

    def link_lost(self) -> None:
        """Take back all that is outstanding; what has come is durable when this returns.

        Raises:
            SmcError: the destination failed.
        """
        self._lost.extend(self._open.values())
        self._more = True
        for outstanding in (self._open, self._wants, self._waiting):
            outstanding.clear()
        for disk in self._disks.values():
            disk.count.needed = disk.count.sent  # the rest will be asked for again
        self.keep()

    def keep(self) -> None:
        """Make everything received durable.

        Raises:
            SmcError: the destination failed.
        """
        self.checkpoints.finish()

    def close(self) -> None:
        """End; what was not made durable stays as a crash would leave it."""
        self.checkpoints.close()

    @property
    def mark(self) -> tuple[int, ...]:
        """What is done and never done again: it has grown if the last link was of any use."""
        return self._progress.sum("compared"), self._settled, self._progress.stored

    # Scanning

    def _scan_next(self) -> bool:
        if self._lost:
            lost = self._lost.popleft()
            self._scan(self._disks[lost.disk], lost.number, lost)
            return True
        step = next(self._plan, None)
        if step is not None:
            self._scan(*step)
        return step is not None

    def _scan(self, disk: DiskWork, number: int, lost: Segment | None = None) -> None:
        record = None if number in disk.suspect else disk.map.get(number)
        zeros = self._hash.zero_chunks
        chunks, known = record or (zeros, None)
        segment = Segment(disk.index, number, known, bytearray(chunks))
        if lost is not None:
            segment.goes_on_from(lost)
        self._open[segment.key] = segment
        self.scans += 1
        if record is None:
            self._client.scan(disk.index, number, protocol.NO_EXPECTATION)
        elif chunks == zeros:
            self._client.scan(disk.index, number, protocol.EXPECT_ZERO)
        else:
            self._client.scan(disk.index, number, protocol.EXPECT_DIGESTS, chunks)

    # Frames

    def _take(self, kind: bytes, body: memoryview) -> None:
        match kind:
            case b"a":
                self._take_answer(protocol.parse_answer(body))
            case b"d":
                self._take_data(protocol.parse_data(body))
            case _:
                raise protocol.malformed(f"a frame of kind {kind!r} in the middle of a run")

    def _take_answer(self, answer: protocol.Answer) -> None:
        segment = self._open.get((answer.disk, answer.segment))
        if segment is None or segment.names:
            raise protocol.malformed(f"an answer that was not asked for: {answer.segment}")
        disk = self._disks[segment.disk]
        if answer.changed and not self._recall(segment):
            self._scan_anew(disk, segment, answer)
            return
        changed: list[tuple[int, bytes]] = []
        if answer.changed:
            found = changed_blocks(segment, answer, self._hash, ZERO_BLOCK, self._stored_block)
            changed = list(found)
            first = segment.number * BLOCKS_PER_SEGMENT
            self.changed.update((segment.disk, first + block) for block, _ in changed)
        self._count(disk, segment, len(changed) * BLOCK)
        if not answer.changed:
            del self._open[segment.key]
            return
        wanted = self._lacking(segment, changed)
        if wanted:
            disk.count.needed += len(wanted) * BLOCK
            self._wants.append(Want(segment, wanted))
        elif answer.keeps:
            self._client.want(segment.disk, segment.number, 0, True, 0)
        if not segment.missing:
            self._settle(segment)

    def _count(self, disk: DiskWork, segment: Segment, changed: int) -> None:
        """Count a comparison once, however often a lost link has it made again."""
        if not segment.compared:
            disk.count.compared += disk.length(segment.number)
        disk.count.changed += changed - segment.changed
        segment.compared, segment.changed = True, changed

    def _recall(self, segment: Segment) -> bool:
        """Fill in the names of the last comparison; False when they are damaged."""
        if segment.known is None:
            segment.start_from(ZERO_NAMES)
            return True
        try:
            segment.start_from(self._store.names_list(segment.known))
        except SmcError as error:
            if error.exit_code is not ExitCode.STORE_DAMAGED:
                raise
            return False
        return True

    def _scan_anew(self, disk: DiskWork, segment: Segment, answer: protocol.Answer) -> None:
        """Compare a segment without expectation: what was known of it is damaged."""
        if answer.keeps:
            self._client.want(segment.disk, segment.number, 0, True, 0)
        disk.suspect.add(segment.number)
        self._scan(disk, segment.number, segment)

    def _stored_block(self, name: bytes) -> bytes:
        """Return an old block; an empty one, equal to nothing, when it is damaged."""
        try:
            return self._store.block(name)
        except SmcError as error:
            if error.exit_code is not ExitCode.STORE_DAMAGED:
                raise
            return b""

    def _lacking(self, segment: Segment, changed: list[tuple[int, bytes]]) -> list[int]:
        """Return the blocks to ask for; note for all others what they wait for."""
        digests = {digest for _, digest in changed if digest}
        stored: set[bytes] = set()
        if self._hash.names_blocks and digests:
            stored = self._session.have(list(digests))
        wanted = []
        for block, digest in changed:
            if not digest or digest in stored:
                continue
            if digest in segment.got:
                segment.rename(block, segment.got[digest])
                continue
            segment.missing += 1
            waiting = self._waiting.setdefault(digest, [])
            if not waiting:
                wanted.append(block)
                segment.coming[block] = digest
            waiting.append((segment, block))
        return wanted

    def _take_data(self, data: protocol.Data) -> None:
        segment = self._open.get((data.disk, data.segment))
        if segment is None:
            raise protocol.malformed(f"data that was not asked for: segment {data.segment}")
        arrived = []
        puts = []
        for block, encoding, payload in data.rows:
            digest = segment.coming.pop(block, None)
            try:
                content = plain(encoding, payload)
            except PayloadError as error:
                raise protocol.malformed(f"block {block}: {error}") from None
            if digest is None or self._hash.block(content) != digest:
                raise protocol.malformed(f"block {block} of segment {data.segment} is not itself")
            name = digest if self._hash.names_blocks else blake3(content).digest()
            puts.append((name, encoding, payload))
            arrived.append((digest, name))
        stored = self._session.put(puts)
        self._progress.stored += stored
        self.checkpoints.stored(stored)
        count = len(arrived) * BLOCK
        self._disks[data.disk].count.sent += count
        wired = sum(len(payload) for _, _, payload in data.rows)
        if self._bucket.rate:
            self._bucket.spend(wired - count)
        for digest, name in arrived:
            self._arrived(digest, name)

    def _arrived(self, digest: bytes, name: bytes) -> None:
        for segment, block in self._waiting.pop(digest):
            segment.rename(block, name)
            if not self._hash.names_blocks:
                segment.got[digest] = name
            segment.missing -= 1
            if not segment.missing:
                self._settle(segment)

    def _settle(self, segment: Segment) -> None:
        del self._open[segment.key]
        self._settled += 1
        self.checkpoints.settle(segment)

    # Asking, within the speed limit

    def _ask(self) -> None:
        if not self._wants:
            return
        limit = self._controls.limit_mbit
        self._bucket.set_limit(limit)
        level = compression_level(
            self._controls.compression, self._link_bps, limit, self._client.zstd
        )
        while self._wants:
            want = self._wants[0]
            count = len(want.blocks)
            if limit:
                count = min(count, self._bucket.room(time.monotonic()) // BLOCK)
                if not count:
                    return
                self._bucket.spend(count * BLOCK)
            now, later = want.blocks[:count], want.blocks[count:]
            segment = want.segment
            self._client.want(segment.disk, segment.number, level, not later, bits_of(now))
            if later:
                self._wants[0] = Want(segment, later)
            else:
                self._wants.popleft()

    def _patience(self) -> float:
        if self._wants and self._bucket.rate:
            return min(_LOOK, self._bucket.wait(BLOCK))
        return _LOOK

    def _report(self) -> None:
        if self._wants:
            self._progress.held_by = "speed limit"
        else:
            self._progress.held_by = "link" if self._waiting else "disk"
        self._progress.wire = self._wire()
        self._progress.tell_when_due()
