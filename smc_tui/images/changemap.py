"""Change maps: what each disk of a job was when last looked at.

One file a disk, ``staging/<job>/disk<N>.map``: a header of 64 bytes, then one
record a segment, so that a record is read and written in place:

    header  magic ``SMCMAP01`` | algorithm, 16 bytes | disk size, 8 | zeros | crc32
    record  16 chunk digests of 32 | digest of the segment's list of names, 32 | crc32

A change map is a hint. A record that is torn, never written or damaged is
None: the segment is then looked at without an expectation, which costs time and
nothing else. What must never happen is a record whose blocks are not stored,
hence the order, which ``take`` makes easy to keep beside a running pipeline:

    batch = changemap.take()      # what was set so far
    session.checkpoint()          # all that was put before is durable now
    changemap.flush(batch)        # so these records name nothing that a crash can take away

Change maps are roots of the collection, so flush while the session is open.
Flush holds the file's flock against a collector that reads the lists meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smc_tui.images.blocks import NAME
from smc_tui.images.files import Files, reading, writing
from smc_tui.model.geometry import CHUNKS_PER_SEGMENT, SEGMENT, segments_of

MAGIC = b"SMCMAP01"
CHUNKS = CHUNKS_PER_SEGMENT * NAME
NO_CHUNKS = bytes(CHUNKS)
"""Chunk digests that match nothing: the list is known, the comparison digests are not."""

RECORD = CHUNKS + NAME + 4
_HEADER = struct.Struct(">8s16sQ28x")
_CRC = struct.Struct(">I")
_RECORDS_A_READ = 1024
_ALGORITHM_SIZE = 16

Records = dict[int, bytes]
"""Encoded records by segment."""


def _encode_header(algorithm: str, size: int) -> bytes:
    fields = _HEADER.pack(MAGIC, algorithm.encode("ascii"), size)
    return fields + _CRC.pack(zlib.crc32(fields))


HEADER = _HEADER.size + _CRC.size


def _decode_header(data: bytes) -> tuple[str, int] | None:
    """Return (algorithm, disk size), or None where there is no sound header."""
    if len(data) < HEADER or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[:-4]):
        return None
    magic, algorithm, size = _HEADER.unpack_from(data)
    if magic != MAGIC:
        return None
    return algorithm.rstrip(b"\0").decode("ascii", "replace"), size


def _encode_record(chunks: bytes, names: bytes) -> bytes:
    fields = chunks + names
    return fields + _CRC.pack(zlib.crc32(fields))


def _decode_record(data: bytes) -> tuple[bytes, bytes] | None:
    if len(data) != RECORD or _CRC.unpack_from(data, CHUNKS + NAME)[0] != zlib.crc32(data[:-4]):
        return None
    return data[:CHUNKS], data[CHUNKS : CHUNKS + NAME]


@contextmanager
def _flock(fd: int, kind: int) -> Iterator[None]:
    fcntl.flock(fd, kind)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def read_lists(path: Path) -> Iterator[bytes]:
    """Yield the list digests in a map file that another process may be writing.

    A file without a sound header, or that is not there, has none.

    Raises:
        SmcError: Store.Unreadable.
    """
    with suppress(FileNotFoundError), reading(path), path.open("rb", buffering=0) as file:
        header = _decode_header(file.read(HEADER))
        if header is not None:
            yield from _lists(file.fileno(), segments_of(header[1]))


def map_health(path: Path) -> str:
    """Return what is wrong with a map file in a few words, "" if nothing.

    Nothing that is wrong with it does harm: what it does not tell is compared anew.
    """
    with suppress(OSError), path.open("rb") as file:
        header = _decode_header(file.read(HEADER))
        if header is None:
            return "its header is damaged; the next run compares the whole disk"
        damaged = 0
        while data := file.read(_RECORDS_A_READ * RECORD):
            for at in range(0, len(data), RECORD):
                record = data[at : at + RECORD]
                damaged += any(record) and _decode_record(record) is None
        if damaged:
            return f"{damaged} records are damaged; the next run compares their segments"
    return ""


def _lists(fd: int, segments: int) -> Iterator[bytes]:
    for first in range(0, segments, _RECORDS_A_READ):
        with _flock(fd, fcntl.LOCK_SH):
            data = os.pread(fd, _RECORDS_A_READ * RECORD, HEADER + first * RECORD)
        if not data:
            return  # the rest was never written
        for at in range(0, len(data), RECORD):
            record = _decode_record(data[at : at + RECORD])
            if record is not None:
                yield record[1]


class ChangeMap:
    """The change map of one disk; one process writes it, threads may share it."""

    def __init__(self, path: Path, fd: int, size: int, files: Files) -> None:
        self.path = path
        self.size = size
        self.segments = segments_of(size)
        self._fd = fd
        self._files = files
        self._lock = threading.Lock()
        self._set: Records = {}
        self._taken: list[Records] = []

    @classmethod
    def open(cls, path: Path, size: int, algorithm: str, files: Files | None = None) -> ChangeMap:
        """Open the map of a disk of ``size`` bytes, making or converting it as need be.

        With another algorithm the lists are kept and the chunk digests are
        NO_CHUNKS; a shrunk disk starts empty; a grown one keeps what it knows
        but for the chunk digests of a last segment that was not whole.

        Raises:
            SmcError: Destination.Full, Destination.IoError.
        """
        files = files or Files()
        if len(algorithm) > _ALGORITHM_SIZE:
            raise ValueError(f"algorithm {algorithm!r} is too long a name")
        old = _peek(path)
        if old is None or old[1] > size:
            files.mkdir(path.parent)
            files.replace(path, [_encode_header(algorithm, size)])
        elif old[0] != algorithm:
            files.replace(path, _converted(path, algorithm, size))
        with writing(path):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        opened = cls(path, fd, size, files)
        if old is not None and old[0] == algorithm and old[1] < size:
            try:
                opened._grow(algorithm, old[1])
            except BaseException:
                opened.close()
                raise
        return opened

    def _grow(self, algorithm: str, old_size: int) -> None:
        """Take a larger size; the digests of a last, partial segment no longer mean the same.

        The record goes first: a crash between leaves the old size and a hint less.
        """
        last = old_size // SEGMENT
        record = self.get(last) if old_size % SEGMENT else None
        if record is not None:
            self.set(last, NO_CHUNKS, record[1])
            self.flush()
        with _flock(self._fd, fcntl.LOCK_EX):
            self._files.write(self._fd, [_encode_header(algorithm, self.size)], 0, self.path)
        self._files.fsync(self._fd, self.path)

    def __enter__(self) -> ChangeMap:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was set and not flushed is forgotten."""
        os.close(self._fd)

    @property
    def waiting(self) -> int:
        """How many records are set and not yet flushed: flush before they are many thousands."""
        with self._lock:
            return len(self._set) + sum(map(len, self._taken))

    def get(self, segment: int) -> tuple[bytes, bytes] | None:
        """Return (chunk digests, 512 bytes; list digest) of a segment, or None if unknown."""
        self._check(segment)
        with self._lock:
            for records in (self._set, *reversed(self._taken)):
                if segment in records:
                    return _decode_record(records[segment])
        try:
            return _decode_record(os.pread(self._fd, RECORD, HEADER + segment * RECORD))
        except OSError:
            return None

    def set(self, segment: int, chunks: bytes, names: bytes) -> None:
        """Remember what a segment is: its chunk digests and the digest of its list of names."""
        self._check(segment)
        if len(chunks) != CHUNKS or len(names) != NAME:
            raise ValueError("a record has 512 bytes of chunk digests and 32 of the list's")
        record = _encode_record(chunks, names)
        with self._lock:
            self._set[segment] = record

    def _check(self, segment: int) -> None:
        if not 0 <= segment < self.segments:
            raise ValueError(f"segment {segment} of {self.segments}")

    def take(self) -> Records:
        """Return what was set since the last take, to be flushed after the next checkpoint."""
        with self._lock:
            records, self._set = self._set, {}
            self._taken.append(records)
        return records

    def flush(self, records: Records | None = None) -> None:
        """Write records and make them durable.

        Args:
            records: what ``take`` returned before the last checkpoint. Without
                it all that is set is written: right only when nothing was set
                since that checkpoint began.

        Raises:
            SmcError: Destination.Full, Destination.IoError.
        """
        if records is None:
            records = self.take()
        if records:
            with _flock(self._fd, fcntl.LOCK_EX):
                for first, run in _runs(records):
                    self._files.write(self._fd, run, HEADER + first * RECORD, self.path)
            self._files.fsync(self._fd, self.path)
        with self._lock:
            self._taken = [taken for taken in self._taken if taken is not records]

    def lists(self) -> Iterator[bytes]:
        """Yield the list digest of every known segment, flushed ones only."""
        yield from _lists(self._fd, self.segments)


def _runs(records: Records) -> Iterator[tuple[int, list[bytes]]]:
    """Yield adjacent records together: (first segment, records)."""
    run: list[bytes] = []
    first = -1
    for segment in sorted(records):
        if run and segment != first + len(run):
            yield first, run
            run = []
        if not run:
            first = segment
        run.append(records[segment])
    if run:
        yield first, run


def _peek(path: Path) -> tuple[str, int] | None:
    try:
        with path.open("rb") as file:
            return _decode_header(file.read(HEADER))
    except OSError:
        return None


def _converted(path: Path, algorithm: str, size: int) -> Iterator[bytes]:
    """Yield the map with its lists kept and its chunk digests void, a piece at a time."""
    yield _encode_header(algorithm, size)
    with path.open("rb") as file:
        file.seek(HEADER)
        while data := file.read(_RECORDS_A_READ * RECORD):
            piece = []
            for at in range(0, len(data), RECORD):
                record = _decode_record(data[at : at + RECORD])
                piece.append(_encode_record(NO_CHUNKS, record[1]) if record else bytes(RECORD))
            yield b"".join(piece)
