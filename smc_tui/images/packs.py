"""Packs: append-only files of self-describing records.

A pack is nothing but records, one after the other:

    offset  size
    0       4     magic ``SMC1``
    4       1     kind: 0 block, 1 list
    5       1     encoding: 0 raw, 1 zstd, 2 zlib
    6       2     zero
    8       4     length of the payload
    12      32    name: blake3 of the plain text
    44      4     crc32 of the 44 bytes before
    48      …     payload

So the index can be made anew from the packs alone, a record that was torn or
has rotted is told by its digest, and a damaged header costs one record: the
scan finds the next by its magic. A writer holds the flock of its pack, so a
pack whose flock is free has no writer any more.

Packs are read as hostile: a length is bounded before it is believed, and the
plain text must hash to the name.
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from smc_tui.images.blocks import MAX_STORED, NAME, Bytes, Kind, PayloadError, name_of, plain
from smc_tui.images.files import Files
from smc_tui.model.geometry import Encoding
from smc_tui.model.units import MIB

PACK_MAX = 512 * MIB
RECORDS_MAX = 1 << 17
"""Records of a pack: whoever goes through a pack may note each, in some tens of MB."""

MAGIC = b"SMC1"
_FIELDS = struct.Struct(">4sBBHI32s")
_CRC = struct.Struct(">I")
HEADER = _FIELDS.size + _CRC.size
RECORDS_A_BATCH = 256
_WINDOW = 4 * MIB
_SECTOR = 4096


class Header(NamedTuple):
    """What a record says of itself."""

    kind: int
    encoding: int
    length: int
    name: bytes


class Found(NamedTuple):
    """A record met on a scan: its header is sound, its payload unproven."""

    offset: int
    header: Header
    payload: memoryview


def encode_header(kind: int, encoding: int, length: int, name: bytes) -> bytes:
    """Return the 48 bytes before a payload."""
    fields = _FIELDS.pack(MAGIC, kind, encoding, 0, length, name)
    return fields + _CRC.pack(zlib.crc32(fields))


def decode_header(data: Bytes) -> Header | None:
    """Return the header in the first 48 bytes, or None where there is none."""
    if len(data) < HEADER or data[:4] != MAGIC:
        return None
    _magic, kind, encoding, zero, length, name = _FIELDS.unpack_from(data)
    if _CRC.unpack_from(data, _FIELDS.size)[0] != zlib.crc32(data[: _FIELDS.size]):
        return None
    if zero or kind > Kind.LIST or encoding > Encoding.ZLIB or length > MAX_STORED:
        return None
    return Header(kind, encoding, length, bytes(name))


def prove(header: Header, payload: Bytes) -> Bytes | None:
    """Return the plain text if it hashes to the record's name, else None."""
    try:
        text = plain(header.encoding, payload, Kind(header.kind).size)
    except PayloadError:
        return None
    return text if name_of(text) == header.name else None


def pack_path(folder: Path, pack: int) -> Path:
    """Return the file of a pack."""
    return folder / f"{pack:016x}.pack"


def pack_ids(folder: Path) -> list[int]:
    """Return the packs in the folder, in order."""
    found = []
    for path in folder.glob("*.pack"):
        if len(path.stem) == 16 and set(path.stem) <= set("0123456789abcdef"):
            found.append(int(path.stem, 16))
    return sorted(found)


@dataclass
class PackWriter:
    """A pack being written, its flock held until close."""

    files: Files
    id: int
    path: Path
    fd: int
    position: int = 0
    records: int = 0

    @classmethod
    def create(cls, files: Files, folder: Path) -> PackWriter:
        """Begin a new pack. Its folder entry is durable after the folder's fsync."""
        pack = secrets.randbits(63) or 1  # SQLite's integers are signed; 0 means nowhere
        path = pack_path(folder, pack)
        return cls(files, pack, path, files.create_locked(path))

    def append(self, buffers: Sequence[Bytes], size: int) -> None:
        """Append headers and payloads, ``size`` bytes in all.

        Raises:
            SmcError: some of it may be in the file, beyond ``position``.
        """
        self.files.write(self.fd, buffers, self.position, self.path)
        self.position += size
        self.records += len(buffers) // 2

    def has_room(self, size: int) -> bool:
        """Tell whether ``size`` bytes more are to go into this pack."""
        return self.position + size <= PACK_MAX and self.records < RECORDS_MAX

    def leave_cache(self, length: int) -> None:
        """Let go of the page cache's copy of what is on disk by now.

        It is rarely read again soon, and a migration must not push out what
        this host works with; writing is the quicker for it, since the kernel
        uses the same few pages again.
        """
        os.posix_fadvise(self.fd, 0, length, os.POSIX_FADV_DONTNEED)

    def close(self) -> None:
        """Let go of the pack and its flock."""
        os.close(self.fd)


def _read(fd: int, length: int, offset: int) -> bytes:
    """Read up to ``length`` bytes; what the disk cannot read is zeros, and so proves nothing."""
    try:
        return os.pread(fd, length, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        if length <= _SECTOR:
            return bytes(length)
    parts = [_read(fd, min(_SECTOR, length - at), offset + at) for at in range(0, length, _SECTOR)]
    return b"".join(parts)


def scan(fd: int, start: int, end: int) -> Iterator[Found]:
    """Yield every record with a sound header between two offsets of a pack.

    Where no header is, the scan goes on at the next magic; what was skipped
    shows as a gap between the records. A payload cut off by ``end`` is no record.

    Raises:
        OSError: not for bad sectors, which only spoil the records that lie in them.
    """
    base = start
    window = b""
    at = start
    while at + HEADER <= end:
        if at + HEADER + MAX_STORED > base + len(window) and base + len(window) < end:
            base = at
            window = _read(fd, min(_WINDOW, end - base), base)
            if len(window) < HEADER:
                return
        view = memoryview(window)[at - base :]
        header = decode_header(view)
        if header is not None and HEADER + header.length <= len(view):
            yield Found(at, header, view[HEADER : HEADER + header.length])
            at += HEADER + header.length
            continue
        # A magic cut in two by the window's end lies in the last three bytes.
        next_magic = window.find(MAGIC, at - base + 1)
        at = base + next_magic if next_magic >= 0 else max(at + 1, base + len(window) - 3)


def batches(found: Iterator[Found]) -> Iterator[list[Found]]:
    """Yield records some at a time, as many as one statement of the index looks up."""
    while batch := list(islice(found, RECORDS_A_BATCH)):
        yield batch


def proven(fd: int, start: int, end: int) -> Iterator[Found]:
    """Yield the records of ``scan`` whose plain text hashes to their name."""
    for found in scan(fd, start, end):
        if prove(found.header, found.payload) is not None:
            yield found


def record_size(length: int) -> int:
    """Return the bytes that a payload of ``length`` takes in a pack."""
    return HEADER + length


assert _FIELDS.size == 44
assert NAME == 32
