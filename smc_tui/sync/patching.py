"""Pages of a disk laid over the blocks that are stored of it.

A page that was written after its segment was compared comes by itself, not with the
64 KiB around it. The block it lies in is read from the image store, the page put in its
place, and the whole becomes a new block with a name of its own; a segment's list of
names then names it. What a chunk's digest is afterwards is not known without reading
all of the chunk, so it becomes one that nothing matches: the next comparison names that
chunk's blocks one by one, finds them the same and asks for none.

Reading, hashing and compressing are done by a few threads, a segment each, since all
three release the interpreter. What they made is taken over here, in order: they touch
neither the session nor the change map, and no two of them have the same segment.

The caller makes everything durable (``Transfer.keep``) before the first page is laid on
a segment and after the last: then the change map is what the pages lie on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from queue import SimpleQueue

import zstandard
from blake3 import blake3

from smc_tui.images import ZERO_BLOCK, ImageStore, Objects, PayloadError, Session, plain
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import (
    BLOCK,
    BLOCKS_PER_CHUNK,
    BLOCKS_PER_SEGMENT,
    DIGEST,
    PAGE,
    PAGES_PER_BLOCK,
    Encoding,
)
from smc_tui.source import protocol
from smc_tui.source.liveclient import Pages
from smc_tui.sync.checkpoints import Checkpoints
from smc_tui.sync.progress import Progress
from smc_tui.sync.segments import Segment
from smc_tui.sync.work import DiskWork

_UNKNOWN = bytes(DIGEST)
_ZEROS = bytes(BLOCK)
_SMALLER = BLOCK * 15 // 16  # what does not become smaller than this is stored as it is
_THREADS = 2
_MOST_LEVEL = 9  # of zstd's: those above it take longer than the server writes

Bytes = bytes | memoryview

#: Pages of one block, by their place in it.
Laid = dict[int, memoryview]


@dataclass(frozen=True)
class _Group:
    """The pages of one segment.

    Attributes:
        chunks, known: the segment's record in the change map.
        blocks: what is laid, by the block's number on the disk.
    """

    work: DiskWork
    number: int
    chunks: bytes
    known: bytes
    blocks: dict[int, Laid]


@dataclass
class _Patched:
    """A segment as it will be.

    Attributes:
        puts: new blocks as (name, encoding, payload).
        renamed: how many blocks have another name.
    """

    segment: Segment
    puts: list[tuple[bytes, int, Bytes]] = field(default_factory=list)
    renamed: int = 0


class Patcher:
    """Lays pages over blocks.

    Attributes:
        touched: (disk, block of the disk) of every block that pages came for.
        gathered: bytes of pages that came and are not laid yet.
    """

    def __init__(
        self,
        store: ImageStore,
        session: Session,
        works: list[DiskWork],
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        self._store = store
        self._session = session
        self._works = {work.index: work for work in works}
        self._checkpoints = checkpoints
        self._progress = progress
        self._laid: dict[int, dict[int, Laid]] = {}
        self.gathered = 0
        self.touched: set[tuple[int, int]] = set()

    def gather(self, pages: Pages) -> None:
        """Take pages in; a later one takes the place of an earlier one.

        Raises:
            SmcError: Protocol.Malformed.
        """
        try:
            content = memoryview(_plain(pages))
        except PayloadError as error:
            raise protocol.malformed(f"pages: {error}") from None
        blocks = self._laid.setdefault(pages.disk, {})
        at = 0
        for first, length in pages.spans:
            for page in range(first, first + length):
                block, place = divmod(page, PAGES_PER_BLOCK)
                blocks.setdefault(block, {})[place] = content[at : at + PAGE]
                self.touched.add((pages.disk, block))
                at += PAGE
        self.gathered += pages.size
        count = self._works[pages.disk].count
        count.needed += pages.size
        count.sent += pages.size

    def lay(self, level: int) -> None:
        """Lay all pages that were gathered over their blocks.

        Args:
            level: zstd's, at which new blocks are stored; 0: as they are.

        Raises:
            SmcError: Image.BlockDamaged, Store.*, Destination.*.
        """
        with ExitStack() as held:
            hands: SimpleQueue[_Hand] = SimpleQueue()
            for _ in range(_THREADS):
                hand = _Hand(self._store.reader(), level)
                held.callback(hand.objects.close)
                hands.put(hand)

            def work(group: _Group) -> _Patched:
                hand = hands.get()
                try:
                    return hand.patch(group)
                finally:
                    hands.put(hand)

            pool = ThreadPoolExecutor(_THREADS, "patch")
            held.callback(pool.shutdown, wait=True, cancel_futures=True)
            ahead: deque[Future[_Patched]] = deque()
            for group in self._groups():
                ahead.append(pool.submit(work, group))
                if len(ahead) > _THREADS:
                    self._take_over(ahead.popleft().result())
            while ahead:
                self._take_over(ahead.popleft().result())
        self._laid.clear()
        self.gathered = 0

    def _groups(self) -> Iterator[_Group]:
        for disk, blocks in self._laid.items():
            work = self._works[disk]
            for number, group in _by_segment(blocks):
                record = work.map.get(number)
                if record is None:
                    raise SmcError("Store.Damaged", f"the change map forgot segment {number}")
                yield _Group(work, number, *record, group)

    def _take_over(self, patched: _Patched) -> None:
        """Store what is new of a segment, and let it go to the change map."""
        segment = patched.segment
        self._works[segment.disk].count.changed += patched.renamed * BLOCK
        stored = self._session.put(patched.puts) if patched.puts else 0
        self._progress.stored += stored
        self._checkpoints.stored(stored)
        if patched.renamed:
            self._checkpoints.settle(segment)
            self._checkpoints.look()


class _Hand:
    """What one thread has for itself: open packs and a compressor."""

    def __init__(self, objects: Objects, level: int) -> None:
        self.objects = objects
        self._squeeze = zstandard.ZstdCompressor(level=min(level, _MOST_LEVEL)) if level else None

    def patch(self, group: _Group) -> _Patched:
        """Return a segment with its pages laid.

        Raises:
            SmcError: Image.BlockDamaged, Store.*.
        """
        segment = Segment(group.work.index, group.number, group.known, bytearray(group.chunks))
        segment.start_from(self.objects.names_list(group.known))
        patched = _Patched(segment)
        places = {block: block % BLOCKS_PER_SEGMENT for block in group.blocks}
        wanted = {
            segment.name(places[block])
            for block, laid in group.blocks.items()
            if len(laid) < PAGES_PER_BLOCK
        }
        olds = self.objects.proven(wanted - {ZERO_BLOCK})
        olds[ZERO_BLOCK] = _ZEROS
        for block, laid in group.blocks.items():
            place = places[block]
            old = segment.name(place)
            content = _overlaid(olds, old, laid)
            name = ZERO_BLOCK if content == _ZEROS else blake3(content).digest()
            if name == old:
                continue
            patched.renamed += 1
            segment.rename(place, name)
            at = place // BLOCKS_PER_CHUNK * DIGEST
            segment.chunks[at : at + DIGEST] = _UNKNOWN
            if name != ZERO_BLOCK:
                patched.puts.append((name, *self._packed(content)))
        return patched

    def _packed(self, content: bytes) -> tuple[int, bytes]:
        if self._squeeze is not None:
            packed = self._squeeze.compress(content)
            if len(packed) < _SMALLER:
                return Encoding.ZSTD, packed
        return Encoding.RAW, content


def _overlaid(olds: dict[bytes, Bytes], old: bytes, laid: Laid) -> bytes:
    """Return a block with pages in their places; what it was is not asked if all are there."""
    if len(laid) == PAGES_PER_BLOCK:
        return b"".join(laid[place] for place in range(PAGES_PER_BLOCK))
    content = bytearray(olds[old])
    for place, page in laid.items():
        content[place * PAGE : (place + 1) * PAGE] = page
    return bytes(content)


def _plain(pages: Pages) -> bytes | bytearray | memoryview:
    if pages.encoding == protocol.PAGES_OF_ZEROS and not pages.payload:
        return bytes(pages.size)
    return plain(pages.encoding, pages.payload, pages.size)


def _by_segment(blocks: dict[int, Laid]) -> Iterator[tuple[int, dict[int, Laid]]]:
    grouped: dict[int, dict[int, Laid]] = {}
    for block in sorted(blocks):
        grouped.setdefault(block // BLOCKS_PER_SEGMENT, {})[block] = blocks[block]
    yield from grouped.items()
