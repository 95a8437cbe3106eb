"""How a disk is cut up: one table for the store, the protocol and the runs.

A block (64 KiB) is what is named, stored and sent: the size at which hashing in
Python costs little more than the hash, and a scattered change little more than
itself. A chunk (1 MiB) is what a source compares: hashed whole it is a third
faster than block by block. A segment (16 MiB) is what one request speaks of and
one list of names describes. The agent, which runs alone, repeats these numbers;
a test holds the two together.
"""

from __future__ import annotations

from enum import IntEnum

from smc_tui.model.units import KIB, MIB

PAGE = 4 * KIB
"""What a file system writes at the least, and what the record of writes counts in."""

BLOCK = 64 * KIB
CHUNK = MIB
SEGMENT = 16 * MIB

PAGES_PER_BLOCK = BLOCK // PAGE
BLOCKS_PER_CHUNK = CHUNK // BLOCK
BLOCKS_PER_SEGMENT = SEGMENT // BLOCK
CHUNKS_PER_SEGMENT = SEGMENT // CHUNK

DIGEST = 32
"""Bytes of a digest, blake3's or blake2b's."""

STORE_NAME = "smc-tui images"
STORE_VERSION = 1
"""The one line of an image store's FORMAT: what it is, and of which version."""


class Encoding(IntEnum):
    """How a block travels, and is stored: as it came over the wire."""

    RAW = 0
    ZSTD = 1
    ZLIB = 2


def segments_of(size: int) -> int:
    """Return how many segments a disk of so many bytes has, the last perhaps in part."""
    return -(-size // SEGMENT)
