"""Pages of a disk laid over the blocks that are stored of it.

A page that was written after its segment was compared comes by itself, not with the
64 KiB around it. The block it lies in is read from the image store, the page put in its
place, and the whole becomes a new block with a name of its own; a segment's list of
names then names it. What a chunk's digest is afterwards is not known without reading
all of the chunk, so it becomes one that nothing matches: the next comparison names that
chunk's blocks one by one, finds them the same and asks for none.

The caller makes everything durable (``Transfer.keep``) before the first page is laid on
a segment and after the last: then the change map is what the pages lie on.
"""

from __future__ import annotations

from collections.abc import Iterator

import zstandard
from blake3 import blake3

from smc_tui.images import ZERO_BLOCK, ImageStore, PayloadError, Session, plain
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

Bytes = bytes | bytearray | memoryview

#: Pages of one block, by their place in it.
Laid = dict[int, memoryview]


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
        squeeze = zstandard.ZstdCompressor(level=min(level, 9)) if level else None
        for disk, blocks in self._laid.items():
            for number, group in _by_segment(blocks):
                self._lay_segment(self._works[disk], number, group, squeeze)
        self._laid.clear()
        self.gathered = 0

    def _lay_segment(
        self,
        work: DiskWork,
        number: int,
        blocks: dict[int, Laid],
        squeeze: zstandard.ZstdCompressor | None,
    ) -> None:
        record = work.map.get(number)
        if record is None:
            raise SmcError("Store.Damaged", f"the change map forgot segment {number}")
        chunks, known = record
        segment = Segment(work.index, number, known, bytearray(chunks))
        segment.start_from(self._store.names_list(known))
        puts = []
        for block, laid in blocks.items():
            place = block % BLOCKS_PER_SEGMENT
            old = segment.name(place)
            content = self._content(old, laid)
            name = ZERO_BLOCK if content == _ZEROS else blake3(content).digest()
            if name == old:
                continue
            work.count.changed += BLOCK
            segment.rename(place, name)
            at = place // BLOCKS_PER_CHUNK * DIGEST
            segment.chunks[at : at + DIGEST] = _UNKNOWN
            if name != ZERO_BLOCK:
                puts.append((name, *_packed(content, squeeze)))
        stored = self._session.put(puts) if puts else 0
        self._progress.stored += stored
        self._checkpoints.stored(stored)
        if segment.names != segment.standing:
            self._checkpoints.settle(segment)
            self._checkpoints.look()

    def _content(self, old: bytes, laid: Laid) -> bytes:
        if len(laid) == PAGES_PER_BLOCK:
            return b"".join(laid[place] for place in range(PAGES_PER_BLOCK))
        content = bytearray(_ZEROS if old == ZERO_BLOCK else self._store.block(old))
        for place, page in laid.items():
            content[place * PAGE : (place + 1) * PAGE] = page
        return bytes(content)


def _plain(pages: Pages) -> Bytes:
    if pages.encoding == protocol.PAGES_OF_ZEROS and not pages.payload:
        return bytes(pages.size)
    return plain(pages.encoding, pages.payload, pages.size)


def _by_segment(blocks: dict[int, Laid]) -> Iterator[tuple[int, dict[int, Laid]]]:
    grouped: dict[int, dict[int, Laid]] = {}
    for block in sorted(blocks):
        grouped.setdefault(block // BLOCKS_PER_SEGMENT, {})[block] = blocks[block]
    yield from grouped.items()


def _packed(content: bytes, squeeze: zstandard.ZstdCompressor | None) -> tuple[int, bytes]:
    if squeeze is not None:
        packed = squeeze.compress(content)
        if len(packed) < _SMALLER:
            return Encoding.ZSTD, packed
    return Encoding.RAW, content
