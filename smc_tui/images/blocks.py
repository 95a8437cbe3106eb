"""What an image is cut into: blocks, segments, chunks, and how they are named.

A disk is cut into blocks of 64 KiB. A block's name is the blake3 digest of its
plain 64 KiB, so a name is a promise that can be checked at any time and equal
blocks are one block. 256 blocks are a segment; the names of its blocks, one
after the other, are the segment's *list*, which is itself an object under its
digest. The list digests of a disk, one after the other, are its root list.

All-zero blocks and lists of all-zero segments have names but no bytes
anywhere: they are neither sent nor stored.
"""

from __future__ import annotations

import threading
import zlib
from enum import IntEnum

import zstandard
from blake3 import blake3

from smc_tui.model.geometry import (
    BLOCK,
    BLOCKS_PER_SEGMENT,
    DIGEST,
    Encoding,
)
from smc_tui.model.units import KIB, MIB

NAME = DIGEST
LIST = BLOCKS_PER_SEGMENT * NAME
"""Bytes of a segment's list of names; the last segment of a disk is filled with ZERO_BLOCK."""

MAX_STORED = BLOCK + 1 * KIB
"""The longest payload of a record: an incompressible block grows by less than this."""

_MAX_WINDOW = 8 * MIB  # zstd's own up to level 19; its limit of 128 MiB is for hostile frames

Bytes = bytes | memoryview
"""What is taken where bytes come in: the payloads are never copied on the way."""


class Kind(IntEnum):
    """What a record holds."""

    BLOCK = 0
    LIST = 1

    @property
    def size(self) -> int:
        """Bytes of its plain text."""
        return BLOCK if self is Kind.BLOCK else LIST


class PayloadError(ValueError):
    """A payload is not what its encoding and size promise."""


def name_of(plain_text: Bytes) -> bytes:
    """Return the name, 32 bytes, of a block or a list."""
    return blake3(plain_text).digest()


ZERO_BLOCK = name_of(bytes(BLOCK))
ZERO_NAMES = ZERO_BLOCK * BLOCKS_PER_SEGMENT
ZERO_LIST = name_of(ZERO_NAMES)


def split(names: bytes) -> list[bytes]:
    """Return the single names in a list of names."""
    return [names[at : at + NAME] for at in range(0, len(names), NAME)]


_local = threading.local()  # a decompressor is not for two threads at once


def _zstd(payload: Bytes, size: int) -> bytes:
    try:
        promised = zstandard.frame_content_size(payload)
        if promised not in (-1, size):
            raise PayloadError(f"a zstd frame promises {promised} bytes instead of {size}")
        try:
            decompressor: zstandard.ZstdDecompressor = _local.zstd
        except AttributeError:
            decompressor = _local.zstd = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        return decompressor.decompress(payload, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise PayloadError(f"a damaged zstd frame: {error}") from None


def _zlib(payload: Bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        text = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise PayloadError(f"a damaged zlib stream: {error}") from None
    if len(text) <= size and (not stream.eof or stream.unused_data):
        raise PayloadError("a zlib stream with a missing or surplus end")
    return text


def plain(encoding: int, payload: Bytes, size: int = BLOCK) -> Bytes:
    """Return the plain text of a payload, exactly ``size`` bytes.

    The payload may be hostile: never more than ``size`` + 1 bytes are made of
    it. A raw payload is returned as it is, uncopied.

    Raises:
        PayloadError: the encoding is unknown, or the payload is damaged or of
            another size.
    """
    if encoding == Encoding.RAW:
        text = payload
    elif encoding == Encoding.ZSTD:
        text = _zstd(payload, size)
    elif encoding == Encoding.ZLIB:
        text = _zlib(payload, size)
    else:
        raise PayloadError(f"unknown encoding {encoding}")
    if len(text) != size:
        raise PayloadError(f"{len(text)} bytes or more instead of {size}")
    return text
