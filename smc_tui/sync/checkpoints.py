"""When what was received becomes durable.

A segment is *settled* when every block it names has been handed to the image
store. Settled segments wait here for a checkpoint:

1. their lists of names are put, many in one write;
2. the session makes all blocks and lists put so far durable and indexed;
3. only then the change map learns the segments' new digests and lists.

A crash before 2 leaves blocks in a pack's tail, which the next session finds
and keeps; a crash between 2 and 3 leaves blocks that nothing names yet, which
the next run finds stored when it compares the segment again. So the change map
never names a block that is not on disk, and nothing received is sent twice.

Checkpoints run in one thread beside the pipeline, so that waiting for the disk
and waiting for the link overlap; the pipeline waits for it only when a lot is
at stake. A failure there surfaces at the pipeline's next look.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

from smc_tui.images import ChangeMap, Session
from smc_tui.sync.segments import Segment

_EVERY_BYTES = 64 << 20
_EVERY_SECONDS = 2.0
_EVERY_SEGMENTS = 512  # 4 MiB of lists waiting here
_MOST_AT_STAKE = 384 << 20  # bytes put but not durable, beyond which the pipeline waits


class Checkpoints:
    """Settled segments on their way to the change maps."""

    def __init__(self, session: Session, maps: dict[int, ChangeMap]) -> None:
        self._session = session
        self._maps = maps
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._running: Future[None] | None = None
        self._settled: list[Segment] = []
        self._bytes = 0
        self._at = time.monotonic()

    def stored(self, count: int) -> None:
        """Count bytes that were put into the store."""
        self._bytes += count

    def settle(self, segment: Segment) -> None:
        """Take a segment whose blocks have all been put."""
        self._settled.append(segment)

    def look(self) -> None:
        """Start a checkpoint when one is due; wait when too much is at stake."""
        if self._running is not None:
            if not self._running.done() and self._bytes < _MOST_AT_STAKE:
                return
            self._running.result()
            self._running = None
        now = time.monotonic()
        due = (
            self._bytes >= _EVERY_BYTES
            or len(self._settled) >= _EVERY_SEGMENTS
            or now - self._at >= _EVERY_SECONDS
        )
        if due and (self._bytes or self._settled):
            self._start(now)

    def finish(self) -> None:
        """Make everything durable; returns when it is."""
        if self._running is not None:
            self._running.result()
        self._start(time.monotonic())
        assert self._running is not None
        self._running.result()
        self._running = None

    def close(self) -> None:
        """End the thread; what was not finished stays as a crash would leave it."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _start(self, now: float) -> None:
        settled, self._settled = self._settled, []
        self._bytes, self._at = 0, now
        lists = [(bytes(segment.names), segment.standing) for segment in settled]
        digests = self._session.put_lists(lists)
        batch = list(zip(settled, digests, strict=True))
        self._running = self._thread.submit(self._make_durable, batch)

    def _make_durable(self, batch: list[tuple[Segment, bytes]]) -> None:
        self._session.checkpoint()
        for segment, digest in batch:
            self._maps[segment.disk].set(segment.number, bytes(segment.chunks), digest)
        for index in {segment.disk for segment, _ in batch}:
            self._maps[index].flush()
