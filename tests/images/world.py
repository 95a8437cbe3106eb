"""A small source and the store that keeps it: what the tests of this room play with.

A Disk is a sparse table of blocks, so that disks of many segments cost nothing.
``World.synchronise`` does what a run does, in the order a run does it.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import zstandard

from smc_tui.images import (
    BLOCK,
    BLOCKS_PER_SEGMENT,
    NAME,
    NO_CHUNKS,
    SEGMENT,
    ZERO_BLOCK,
    ZERO_LIST,
    ZERO_NAMES,
    ChangeMap,
    DiskManifest,
    Encoding,
    ImageManifest,
    ImageStore,
    Session,
    name_of,
)
from smc_tui.images.blocks import Bytes, split
from smc_tui.images.files import Files

ALGORITHM = "blake3-1m"
Disk = dict[int, bytes]
"""Blocks that are no zeros, by their number."""


def block(seed: int) -> bytes:
    """Return 64 KiB that only this seed gives; one in three can be compressed."""
    if seed % 3 == 0:
        return (b"block %08d " % seed).ljust(64, b".") * (BLOCK // 64)
    return random.Random(seed).randbytes(BLOCK)


def packed(text: bytes, encoding: int) -> bytes:
    """Return a block's payload in an encoding."""
    if encoding == Encoding.ZSTD:
        return zstandard.ZstdCompressor(level=1).compress(text)
    return zlib.compress(text, 1) if encoding == Encoding.ZLIB else text


def put(session: Session, texts: Sequence[bytes]) -> None:
    """Put blocks, each in the encoding that its first byte picks and that makes it smaller."""
    rows: list[tuple[bytes, int, Bytes]] = []
    for text in texts:
        encoding = Encoding(text[0] % 3)
        payload = packed(text, encoding)
        if len(payload) >= BLOCK:
            encoding, payload = Encoding.RAW, text
        rows.append((name_of(text), encoding, memoryview(payload)))
    session.put(rows)


def names_of(disk: Disk, segment: int) -> bytes:
    """Return the list of names of a segment."""
    first = segment * BLOCKS_PER_SEGMENT
    if not any(first <= number < first + BLOCKS_PER_SEGMENT for number in disk):
        return ZERO_NAMES
    return b"".join(
        name_of(disk[number]) if number in disk else ZERO_BLOCK
        for number in range(first, first + BLOCKS_PER_SEGMENT)
    )


def size_of(segments: int) -> int:
    """Return the size of a disk that ends in the middle of a segment and of a block."""
    return (segments - 1) * SEGMENT + 64 * BLOCK - 5 * BLOCK // 2


def image_of(image: str, sizes_and_lists: Sequence[tuple[int, bytes]]) -> ImageManifest:
    """Return a manifest of disks given by size and root list."""
    disks = tuple(
        DiskManifest(
            index, f"/dev/vd{'abc'[index]}", size, 512, "data" if index else "system", lists
        )
        for index, (size, lists) in enumerate(sizes_and_lists)
    )
    return ImageManifest(
        id=image,
        name=f"image {image}",
        job_id="j-00000001",
        run_id="r-00000001",
        source_id="s-00000001",
        created="2024-02-29T12:00:00Z",
        consistency="stopped",
        provenance={"kernel": "6.1", "é": ["\N{SNOWMAN}"]},
        disks=disks,
    )


class World:
    """One job of one source, with its store."""

    def __init__(self, home: Path, files: Files | None = None, segments: int = 2) -> None:
        self.home = home
        self.segments = segments
        self.size = size_of(segments)
        self.map_path = home / "staging" / "j-00000001" / "disk0.map"
        self.files = files or Files()
        self.store = ImageStore.open(home / "images", home / "staging", files=self.files)

    def close(self) -> None:
        self.store.close()

    @contextmanager
    def map(self) -> Iterator[ChangeMap]:
        with ChangeMap.open(self.map_path, self.size, ALGORITHM, self.files) as known:
            yield known

    def transfer(self, session: Session, known: ChangeMap, disk: Disk) -> bytes:
        """Bring the store up to a disk as a run does; return the disk's root list."""
        heal = self.store.segments_to_heal(known)
        lists = []
        for segment in range(self.segments):
            names = names_of(disk, segment)
            digest = ZERO_LIST if names is ZERO_NAMES else name_of(names)
            record = None if segment in heal else known.get(segment)
            if record is None or record[1] != digest:
                self._transfer_segment(session, disk, names)
                assert session.put_list(names) == digest
                known.set(segment, NO_CHUNKS, digest)
            lists.append(digest)
        batch = known.take()
        session.checkpoint()
        known.flush(batch)
        return b"".join(lists)

    def _transfer_segment(self, session: Session, disk: Disk, names: bytes) -> None:
        wanted = {names[at : at + NAME] for at in range(0, len(names), NAME)}
        lacking = wanted - session.have(list(wanted))
        texts = {name_of(text): text for text in disk.values()}
        coming = [texts[name] for name in sorted(lacking)]
        for at in range(0, len(coming), 8):
            put(session, coming[at : at + 8])

    def synchronise(self, image: str, disk: Disk) -> ImageManifest:
        """Do a whole run: open, transfer, publish."""
        with self.store.session("r-00000001") as session, self.map() as known:
            manifest = image_of(image, [(self.size, self.transfer(session, known, disk))])
            session.publish(manifest)
        return manifest

    def forget_map(self) -> None:
        """Release the job's staging, as its end does."""
        self.map_path.unlink(missing_ok=True)

    def read(self, image: str) -> Disk:
        """Read an image back through the reader: every name, every byte that is no zero."""
        found: Disk = {}
        with self.store.disk(image, 0) as reader:
            assert reader.size == self.size
            for segment in range(self.segments):
                if reader.disk.segments[segment * NAME : (segment + 1) * NAME] == ZERO_LIST:
                    continue
                for number, name in enumerate(split(reader.names(segment))):
                    if name != ZERO_BLOCK:
                        number += segment * BLOCKS_PER_SEGMENT
                        found[number] = reader.read(number * BLOCK, BLOCK).ljust(BLOCK, b"\0")
        return found

    def bytes_of(self, disk: Disk) -> bytes:
        """Return a disk as its raw bytes."""
        whole = bytearray(self.size + BLOCK)
        for number, text in disk.items():
            whole[number * BLOCK : (number + 1) * BLOCK] = text
        return bytes(whole[: self.size])

    def blocks_on(self, *disks: Disk) -> int:
        """Return how many different blocks some disks have."""
        return len({name_of(text) for disk in disks for text in disk.values()})


def sample(segments: int, *seeds: int) -> Disk:
    """Return a disk with one block from each seed, spread over its segments."""
    room = size_of(segments) // BLOCK
    return {(seed * 97) % room: block(seed) for seed in seeds}
