"""Reading a disk of an image: any bytes of it, each block proven when it is read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from smc_tui.images.blocks import NAME, ZERO_BLOCK, ZERO_LIST, ZERO_NAMES, Bytes, Kind
from smc_tui.images.manifest import DiskManifest
from smc_tui.images.objects import Harm, Objects
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, BLOCKS_PER_SEGMENT, SEGMENT, segments_of

_KEPT_BLOCKS = 64  # 4 MiB
_KEPT_LISTS = 16


@dataclass(frozen=True)
class Extent:
    """Adjacent bytes of one sort.

    Args:
        offset: where they begin on the disk.
        length: how many.
        zero: whether they are known to be zeros; else they are stored bytes.
    """

    offset: int
    length: int
    zero: bool


def damage(image: str, disk: DiskManifest, offset: int, name: str, harm: Harm) -> SmcError:
    """Return the error that names a block, or a list, of an image and what is wrong with it."""
    code = "Store.IndexDamaged" if harm is Harm.MISPLACED else "Image.BlockDamaged"
    return SmcError(
        code,
        f"{image}: disk {disk.index} at byte {offset}: {name} is {harm.value}",
        image=image,
        disk=disk.index,
        offset=offset,
        name=name,
        harm=harm.value,
    )


class DiskReader:
    """Random access to one disk of an image; threads may share it.

    Args:
        image: the image's id, for messages.
        disk: its manifest.
        objects: where the bytes come from; closed with the reader.
    """

    def __init__(self, image: str, disk: DiskManifest, objects: Objects) -> None:
        self.image = image
        self.disk = disk
        self.size = disk.size
        self._objects = objects
        self._lock = threading.Lock()
        self._blocks: OrderedDict[bytes, Bytes] = OrderedDict()
        self._lists: OrderedDict[bytes, bytes] = OrderedDict()

    def __enter__(self) -> DiskReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            self._objects.close()

    def names(self, segment: int) -> bytes:
        """Return the 256 names, 8192 bytes, of a segment's blocks.

        Raises:
            SmcError: Image.BlockDamaged, Store.IndexDamaged, Store.Unreadable.
        """
        if not 0 <= segment < segments_of(self.size):
            raise ValueError(f"segment {segment} of {segments_of(self.size)}")
        with self._lock:
            return self._names(segment)

    def _names(self, segment: int) -> bytes:
        digest = self.disk.segments[segment * NAME : (segment + 1) * NAME]
        if digest == ZERO_LIST:
            return ZERO_NAMES
        names = self._lists.get(digest)
        if names is None:
            fetched = self._objects.fetch([digest], Kind.LIST)
            if digest in fetched.harms:
                raise damage(
                    self.image, self.disk, segment * SEGMENT, digest.hex(), fetched.harms[digest]
                )
            names = self._lists[digest] = bytes(fetched.texts[digest])
            if len(self._lists) > _KEPT_LISTS:
                self._lists.popitem(last=False)
        return names

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset``, fewer only at the end of the disk.

        Raises:
            SmcError: Image.BlockDamaged (quarantined, so that the next sync of
                a source that has it heals it), Store.IndexDamaged, Store.Unreadable.
        """
        if offset < 0 or length < 0:
            raise ValueError("offset and length are not negative")
        length = max(0, min(length, self.size - offset))
        parts: list[Bytes] = []
        with self._lock:
            at = offset
            while at < offset + length:
                end = min(offset + length, (at // SEGMENT + 1) * SEGMENT)
                parts += self._within_segment(at, end)
                at = end
        return b"".join(parts)

    def _within_segment(self, start: int, end: int) -> Iterator[Bytes]:
        segment = start // SEGMENT
        base = segment * SEGMENT
        first, last = (start - base) // BLOCK, (end - 1 - base) // BLOCK
        names = self._names(segment)[first * NAME : (last + 1) * NAME]
        wanted = [names[at : at + NAME] for at in range(0, len(names), NAME)]
        texts = self._texts(wanted, base + first * BLOCK)
        for number, name in enumerate(wanted, first):
            at = base + number * BLOCK
            yield memoryview(texts[name])[max(start - at, 0) : min(end - at, BLOCK)]

    def _texts(self, wanted: list[bytes], offset: int) -> dict[bytes, Bytes]:
        texts: dict[bytes, Bytes] = {ZERO_BLOCK: _ZEROS}
        for name in wanted:
            if name in self._blocks:
                self._blocks.move_to_end(name)
                texts[name] = self._blocks[name]
        fetched = self._objects.fetch(set(wanted) - texts.keys())
        if fetched.harms:
            number = next(at for at, name in enumerate(wanted) if name in fetched.harms)
            name = wanted[number]
            place = offset + number * BLOCK
            raise damage(self.image, self.disk, place, name.hex(), fetched.harms[name])
        self._blocks.update((name, bytes(text)) for name, text in fetched.texts.items())
        while len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)
        return texts | fetched.texts

    def extents(self) -> Iterator[Extent]:
        """Yield the whole disk as stored and zero stretches, in order, as long as they come.

        Raises:
            SmcError: as ``names``.
        """
        start = at = 0
        zero: bool | None = None
        for segment in range(segments_of(self.size)):
            names = self.names(segment)
            for number in range(BLOCKS_PER_SEGMENT):
                if at >= self.size:
                    break
                here = names[number * NAME : (number + 1) * NAME] == ZERO_BLOCK
                if zero is not None and here != zero:
                    yield Extent(start, at - start, zero)
                    start = at
                zero = here
                at = min(at + BLOCK, self.size)
        if zero is not None:
            yield Extent(start, at - start, zero)


_ZEROS = bytes(BLOCK)
