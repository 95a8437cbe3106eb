"""What an answer means for one segment.

A segment under way holds the names of its 256 blocks as they will be: those of
the last comparison, overwritten chunk by chunk with what the source answered.
Where the source hashes with blake3 its digests *are* the names. Where it has
only blake2b, a digest is turned into a name when the block arrives and is
hashed here; blocks that did not change are recognised by hashing the old ones,
which are at hand, the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from smc_tui.model.geometry import (
    BLOCK,
    BLOCKS_PER_CHUNK,
    BLOCKS_PER_SEGMENT,
    CHUNKS_PER_SEGMENT,
    DIGEST,
)
from smc_tui.source.protocol import Answer

NamesOfChunk = Callable[[bytes], bytes]


class Hash:
    """The hash that the source uses, with its digests of zeros.

    Attributes:
        names_blocks: whether its digests of blocks are the store's names.
        map_algorithm: what the change map is labelled with.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.names_blocks = name == "blake3"
        self.map_algorithm = f"{name}-1m"
        self.zero_block = self.block(bytes(BLOCK))
        if self.names_blocks:
            self.zero_chunk = blake3(bytes(BLOCK * BLOCKS_PER_CHUNK)).digest()
        else:
            self.zero_chunk = self.block(self.zero_block * BLOCKS_PER_CHUNK)
        self.zero_chunks = self.zero_chunk * CHUNKS_PER_SEGMENT

    def block(self, plain: bytes | memoryview) -> bytes:
        """Return the digest of a block."""
        if self.names_blocks:
            return blake3(plain).digest()
        return hashlib.blake2b(plain, digest_size=DIGEST).digest()


@dataclass(eq=False)
class Segment:
    """One segment between the request to scan it and its place in the change map.

    Attributes:
        known: the list digest of the last comparison, None when there is none.
        chunks: the 16 chunk digests, as last known and then as answered.
        standing: the 256 names of the last comparison (8192 bytes), from the answer on.
        names: the same as they will be.
        coming: digest by block number of the blocks asked for and not yet here.
        missing: blocks whose content is on its way, for this segment or another.
        got: names by digest of the blocks that came, where the two are not the same.
        compared: whether its comparison has been counted.
        changed: bytes that have been counted as changed.
    """

    disk: int
    number: int
    known: bytes | None
    chunks: bytearray
    standing: bytes = b""
    names: bytearray = field(default_factory=bytearray)
    coming: dict[int, bytes] = field(default_factory=dict)
    missing: int = 0
    got: dict[bytes, bytes] = field(default_factory=dict)
    compared: bool = False
    changed: int = 0

    def goes_on_from(self, lost: Segment) -> None:
        """Take over what stays true of a segment that was lost with its link.

        Its names do not: the disk may have changed back since, and the new answer says
        what differs from the last comparison, not from the lost one.
        """
        self.got, self.compared, self.changed = lost.got, lost.compared, lost.changed

    def start_from(self, names: bytes) -> None:
        """Begin with the names of the last comparison."""
        self.standing, self.names = names, bytearray(names)

    @property
    def key(self) -> tuple[int, int]:
        """What frames call it: (disk, segment)."""
        return self.disk, self.number

    def name(self, block: int) -> bytes:
        """Return the name of one block."""
        return bytes(self.names[block * DIGEST : (block + 1) * DIGEST])

    def rename(self, block: int, name: bytes) -> None:
        """Give one block another name."""
        self.names[block * DIGEST : (block + 1) * DIGEST] = name


def changed_blocks(
    segment: Segment, answer: Answer, hashing: Hash, zero_name: bytes, read: NamesOfChunk
) -> Iterator[tuple[int, bytes]]:
    """Take an answer into the segment and yield (block, digest) of what changed.

    Chunk digests are taken over, blocks that became zeros are named at once and
    yielded with an empty digest: they count as changed and nothing is sent.

    Args:
        segment: its ``names`` hold the last comparison's names.
        answer: what the source said.
        hashing: the hash of the answer's digests.
        zero_name: the store's name of a block of zeros.
        read: returns a stored block by name (only called for other hashes).
    """
    for chunk, digest, blocks in answer.chunks():
        at = chunk * DIGEST
        segment.chunks[at : at + DIGEST] = digest or hashing.zero_chunk
        first = chunk * BLOCKS_PER_CHUNK
        for step in range(BLOCKS_PER_CHUNK):
            block = first + step
            old = segment.name(block)
            new = hashing.zero_block if blocks is None else blocks[step * DIGEST :][:DIGEST]
            if new == hashing.zero_block:
                if old != zero_name:
                    segment.rename(block, zero_name)
                    yield block, b""
            elif hashing.names_blocks:
                if old != new:
                    segment.rename(block, new)
                    yield block, new
            elif old == zero_name or hashing.block(read(old)) != new:
                yield block, new


def bits_of(blocks: list[int]) -> int:
    """Return block numbers as the bits of a request."""
    bits = 0
    for block in blocks:
        if not 0 <= block < BLOCKS_PER_SEGMENT:
            raise ValueError(f"no block {block} in a segment")
        bits |= 1 << block
    return bits
