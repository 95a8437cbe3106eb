"""A whole disk of an image, segment by segment, read ahead by a few threads.

Each thread reads a segment's list, looks its names up in one statement, reads
adjacent records in one go and proves them; hashing and decompressing release
the interpreter, so the threads do use the cores. Segments come out in order,
and few are ahead, so memory is the same whatever the disk's size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from smc_tui.images.blocks import ZERO_BLOCK, ZERO_LIST, Bytes, Kind, split
from smc_tui.images.index import Index
from smc_tui.images.manifest import DiskManifest
from smc_tui.images.objects import Harm, Objects
from smc_tui.images.paths import Paths

THREADS = 2


@dataclass
class Segment:
    """What was read of a segment.

    Args:
        number: which one.
        names: of its 256 blocks, in order; none for a segment of zeros or with
            a damaged list.
        stored: how many different blocks were read and proven.
        texts: the plain text of each of them, if wanted.
        harms: what is wrong with names that have no text; the list's digest is
            among them if the list is what is wrong.
    """

    number: int
    names: list[bytes] = field(default_factory=list)
    stored: int = 0
    texts: dict[bytes, Bytes] = field(default_factory=dict)
    harms: dict[bytes, Harm] = field(default_factory=dict)


def stream(
    paths: Paths, index: Callable[[], Index], disk: DiskManifest, *, texts: bool = True
) -> Iterator[Segment]:
    """Yield the segments of a disk in order; those of zeros without names.

    ``index`` is asked again and again, as in Objects. Without ``texts`` only
    what was proven is told, in less memory.

    Raises:
        SmcError: Store.Unreadable, Store.IndexDamaged. Damage is no error here.
    """
    idle: SimpleQueue[Objects] = SimpleQueue()
    every = [Objects(paths, index) for _ in range(THREADS)]
    for objects in every:
        idle.put(objects)

    def read(number: int, digest: bytes) -> Segment:
        objects = idle.get()
        try:
            return _read(number, digest, objects, texts=texts)
        finally:
            idle.put(objects)

    pool = ThreadPoolExecutor(THREADS, "read-image")
    ahead: deque[Segment | Future[Segment]] = deque()
    try:
        for number, digest in enumerate(disk.lists()):
            zeros = digest == ZERO_LIST
            ahead.append(Segment(number) if zeros else pool.submit(read, number, digest))
            if len(ahead) > THREADS + 1:
                yield _result(ahead.popleft())
        while ahead:
            yield _result(ahead.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for objects in every:
            objects.close()


def _result(item: Segment | Future[Segment]) -> Segment:
    return item.result() if isinstance(item, Future) else item


def _read(number: int, digest: bytes, objects: Objects, *, texts: bool) -> Segment:
    lists = objects.fetch([digest], Kind.LIST)
    if lists.harms:
        return Segment(number, harms=lists.harms)
    names = split(bytes(lists.texts[digest]))
    blocks = objects.fetch(set(names) - {ZERO_BLOCK})
    count = len(blocks.texts)
    return Segment(number, names, count, blocks.texts if texts else {}, blocks.harms)
