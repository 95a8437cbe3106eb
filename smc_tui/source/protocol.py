"""Frames between this host and the agent: the table in ``agent.py``, this side.

A frame is its kind (1 byte), the length of its body (4 bytes, little-endian)
and the body. Every length has a bound that is checked before anything is read
or allocated for it; whatever breaks a rule raises ``Protocol.Malformed`` and
ends the run. The source is not trusted to be well.
"""

from __future__ import annotations

import json
import os
import select
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import (
    BLOCK,
    BLOCKS_PER_CHUNK,
    BLOCKS_PER_SEGMENT,
    CHUNKS_PER_SEGMENT,
    DIGEST,
    PAGE,
    Encoding,
)

NO_EXPECTATION, EXPECT_ZERO, EXPECT_DIGESTS = 0, 1, 2

_HEAD = struct.Struct("<cI")
_SCAN = struct.Struct("<HIB")
_WANT = struct.Struct("<HIBB")
_ANSWER = struct.Struct("<HIHH")
_DATA = struct.Struct("<HIH")
_ROW = struct.Struct("<BBI")

PAGES_IN_FRAME = 1024  # pages in one frame of them
PAGES_OF_ZEROS = 3  # their encoding, where all of a frame's are zeros and none is sent
LOOSE = 0x8000  # beside a disk's number: pages that were discarded
FREE_IN_FRAME = 1 << 16  # runs of free pages in one frame
BLOCKS_IN_DATA = 64  # blocks in one data frame, as the agent cuts them
_DIGESTS_OF_CHUNK = 1 + BLOCKS_PER_CHUNK  # the chunk's own, then its blocks'
_JSON_MOST = 1 << 20
_MOST = {
    b"h": _JSON_MOST,
    b"o": _JSON_MOST,
    b"f": _JSON_MOST,
    b"e": _JSON_MOST,
    b"s": _JSON_MOST,
    b"a": _ANSWER.size + CHUNKS_PER_SEGMENT * _DIGESTS_OF_CHUNK * DIGEST,
    b"d": _DATA.size + BLOCKS_IN_DATA * (_ROW.size + BLOCK),
    b"p": 4 << 20,
    b"l": _JSON_MOST,
    b"g": 5 + PAGES_IN_FRAME * (12 + PAGE),
    b"m": 2 + FREE_IN_FRAME * 16,
}


def malformed(what: str) -> SmcError:
    """Return the error for a frame that breaks the protocol."""
    return SmcError("Protocol.Malformed", what)


@dataclass(frozen=True, slots=True)
class Answer:
    """What differs from the expected digests in one segment.

    Attributes:
        changed: bit c is set when chunk c differs.
        zeros: bit c is set when chunk c differs and is all zeros now.
        digests: for each changed chunk that is not zero, in order: its digest,
            then the digests of its 16 blocks (17 x 32 bytes).
    """

    disk: int
    segment: int
    changed: int
    zeros: int
    digests: bytes

    @property
    def keeps(self) -> bool:
        """Whether the source keeps chunks for it, until the last W says they may go."""
        return bool(self.changed & ~self.zeros)

    def chunks(self) -> Iterator[tuple[int, bytes | None, bytes | None]]:
        """Yield (chunk, digest, its blocks' digests in one piece); None, None for zeros."""
        at = 0
        for chunk in range(CHUNKS_PER_SEGMENT):
            if not self.changed >> chunk & 1:
                continue
            if self.zeros >> chunk & 1:
                yield chunk, None, None
                continue
            end = at + _DIGESTS_OF_CHUNK * DIGEST
            yield chunk, self.digests[at : at + DIGEST], self.digests[at + DIGEST : end]
            at = end


@dataclass(frozen=True, slots=True)
class Data:
    """Blocks of one segment: (block number in the segment, encoding, payload).

    The payloads are views of the reader's buffer and die with the next read.
    """

    disk: int
    segment: int
    rows: list[tuple[int, int, memoryview]]


def frame(kind: bytes, *parts: bytes) -> bytes:
    """Return one frame as bytes."""
    body = b"".join(parts)
    return _HEAD.pack(kind, len(body)) + body


def json_frame(kind: bytes, value: Any) -> bytes:
    """Return a frame whose body is JSON."""
    return frame(kind, json.dumps(value).encode())


def scan_frame(disk: int, segment: int, flags: int, expected: bytes = b"") -> bytes:
    """Return the request to compare a segment with 16 expected chunk digests."""
    return frame(b"S", _SCAN.pack(disk, segment, flags), expected)


def want_frame(disk: int, segment: int, level: int, last: bool, blocks: int) -> bytes:
    """Return the request for blocks of an answered segment (bit b: block b)."""
    bits = blocks.to_bytes(BLOCKS_PER_SEGMENT // 8, "little")
    return frame(b"W", _WANT.pack(disk, segment, level, last), bits)


def parse_json(body: memoryview) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        SmcError: Protocol.Malformed.
    """
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise malformed(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise malformed("a JSON value that is no object")
    return value


def parse_answer(body: memoryview) -> Answer:
    """Return the answer to a scan.

    Raises:
        SmcError: Protocol.Malformed.
    """
    if len(body) < _ANSWER.size:
        raise malformed("an answer cut short")
    disk, segment, changed, zeros = _ANSWER.unpack_from(body)
    digests = bytes(body[_ANSWER.size :])
    named = (changed & ~zeros).bit_count()
    if zeros & ~changed or len(digests) != named * _DIGESTS_OF_CHUNK * DIGEST:
        raise malformed("an answer whose digests do not fit its chunks")
    return Answer(disk, segment, changed, zeros, digests)


def parse_data(body: memoryview) -> Data:
    """Return the blocks of a data frame; the payloads stay views of ``body``.

    Raises:
        SmcError: Protocol.Malformed.
    """
    if len(body) < _DATA.size:
        raise malformed("data cut short")
    disk, segment, count = _DATA.unpack_from(body)
    at = _DATA.size + count * _ROW.size
    if not 0 < count <= BLOCKS_IN_DATA or len(body) < at:
        raise malformed(f"data of {count} blocks")
    rows = []
    for block, encoding, length in _ROW.iter_unpack(body[_DATA.size : at]):
        whole = length == BLOCK if encoding == Encoding.RAW else 0 < length < BLOCK
        if encoding > max(Encoding) or not whole or at + length > len(body):
            raise malformed("a block whose length does not fit")
        rows.append((block, encoding, body[at : at + length]))
        at += length
    if at != len(body):
        raise malformed("data with bytes left over")
    return Data(disk, segment, rows)


class FrameReader:
    """Reads frames from a file descriptor into one buffer that is used again.

    Attributes:
        received: bytes read so far, the measure of what the wire carried.
    """

    def __init__(self, handle: int, bell: int | None = None) -> None:
        """Read from a descriptor; a bell is one that becomes readable to end the waiting."""
        self._handle = handle
        self._watched = [handle] if bell is None else [handle, bell]
        self._head = bytearray(_HEAD.size)
        self._buffer = memoryview(bytearray(max(_MOST.values())))
        self.received = 0

    def read(self, timeout: float | None = None) -> tuple[bytes, memoryview] | None:
        """Return (kind, body) of the next frame; None when none began in time or the bell rang.

        The body is a view that the next call overwrites.

        Raises:
            EOFError: the other side is gone.
            SmcError: Protocol.Malformed.
        """
        if timeout is not None:
            ready, _, _ = select.select(self._watched, [], [], timeout)
            if self._handle not in ready:
                return None
        self._fill(memoryview(self._head))
        kind, length = _HEAD.unpack(self._head)
        most = _MOST.get(kind)
        if most is None:
            raise malformed(f"a frame of kind {kind!r}")
        if length > most:
            raise malformed(f"a frame of {length} bytes where {most} is the most")
        body = self._buffer[:length]
        self._fill(body)
        return kind, body

    def _fill(self, view: memoryview) -> None:
        while view:
            count = os.readv(self._handle, [view])
            if not count:
                raise EOFError("the connection ended")
            self.received += count
            view = view[count:]
