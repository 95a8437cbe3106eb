"""The programs that write: ``python -m tests.live.writing KIND FOLDER RATE BYTES [LOG]``.

Each says ``writing`` on standard output once its first write has reached the disk,
and then writes until it is killed or its standard input ends (so that none
outlives a test that was killed). BYTES is how much room it may take.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import mmap
import os
import random
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.live.freezing import FITRIM
from tests.live.patterns import CHUNK, PAGE, chunk, order, page

#: Rows that the database keeps: older ones are deleted, so that it has an end.
KEPT_ROWS = 10_000


class Pace:
    """Lets so much through a second; what was missed is caught up for a moment only.

    Args:
        rate: units a second, 0 for as many as there are.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._due = time.monotonic()

    def spend(self, units: float) -> None:
        """Wait until these units may be spent."""
        if not self._rate:
            return
        self._due = max(self._due, time.monotonic() - 0.2) + units / self._rate
        if (ahead := self._due - time.monotonic()) > 0.002:
            time.sleep(ahead)


def say_writing() -> None:
    """Tell the test that the first write is done."""
    print("writing", flush=True)


def buffered(folder: Path, room: int) -> Iterator[int]:
    """Create, append to, rename and delete files, and fsync now and then."""
    chance = random.Random()
    folder.mkdir()
    for number in range(7):
        (folder / f"dir{number}").mkdir()
    names = (folder / f"dir{number % 7}" / f"file{number}" for number in itertools.count())
    files: dict[Path, list[int]] = {}  # each file's number and its chunks
    total = 0
    for turn in itertools.count(1):
        act = chance.random()
        while total > room // CHUNK or len(files) > 400:
            total -= _delete(files, chance)
        if not files or act < 0.4:
            path = next(names)
            files[path] = [turn, 0]
        elif act < 0.75:
            path = chance.choice(list(files))
        elif act < 0.9:
            old, new = chance.choice(list(files)), next(names)
            old.rename(new)
            files[new] = files.pop(old)
            continue
        else:
            total -= _delete(files, chance)
            continue
        added = chance.randrange(1, 48)
        _append(path, files[path], added, durable=turn % 8 == 0)
        total += added
        yield added * CHUNK


def _append(path: Path, known: list[int], added: int, durable: bool) -> None:
    number, length = known
    with path.open("ab") as file:
        file.write(b"".join(chunk(number, length + more) for more in range(added)))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    known[1] += added


def _delete(files: dict[Path, list[int]], chance: random.Random) -> int:
    path = chance.choice(list(files))
    path.unlink()
    return files.pop(path)[1]


def _reserve(path: Path, room: int) -> int:
    """Make a file of unwritten extents and return it open: the first writes convert them."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(fd, 0, room)
    return fd


def direct(folder: Path, room: int) -> Iterator[int]:
    """Write the pages of a big file past the page cache."""
    os.close(_reserve(folder, room))
    fd = os.open(folder, os.O_RDWR | os.O_DIRECT)
    buffer = mmap.mmap(-1, PAGE)
    for turn, place in enumerate(order(room // PAGE), 1):
        buffer[:] = page(turn)
        os.pwrite(fd, buffer, place * PAGE)
        yield PAGE


def mapped(folder: Path, room: int) -> Iterator[int]:
    """Write the pages of a mapped file; some are written back by msync, others when they may."""
    memory = mmap.mmap(_reserve(folder, room), room)
    for turn, place in enumerate(order(room // PAGE), 1):
        memory[place * PAGE : (place + 1) * PAGE] = page(turn)
        if turn % 64 == 0:
            memory.flush(place * PAGE, PAGE)
        yield PAGE


def trimmed(folder: Path, room: int) -> Iterator[int]:
    """Discard the free space of the file system: what ``fstrim`` does."""
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    while True:
        fcntl.ioctl(fd, FITRIM, struct.pack("<QQQ", 0, (1 << 64) - 1, 0))
        yield 1


def database(folder: Path, room: int) -> Iterator[int]:
    """Commit one row after another, and note outside of the disk what was committed when.

    A line of the log: the row, the monotonic instants when its transaction began
    and when its commit had returned.
    """
    log = os.open(sys.argv[5], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    folder.mkdir()
    base = sqlite3.connect(folder / "rows.db", isolation_level=None, timeout=60)
    base.execute("pragma journal_mode=wal")
    base.execute("pragma synchronous=full")
    base.execute(
        "create table rows (id integer primary key, mono real, wall real, payload blob, sum text)"
    )
    for row in itertools.count(1):
        payload = os.urandom(random.randrange(50, 900))
        digest = hashlib.blake2b(payload, digest_size=16).hexdigest()
        begun = time.monotonic()
        base.execute("begin immediate")
        values = (row, begun, time.time(), payload, digest)
        base.execute("insert into rows values (?, ?, ?, ?, ?)", values)
        base.execute("delete from rows where id <= ?", (row - KEPT_ROWS,))
        base.execute("commit")
        os.write(log, f"{row} {begun:.9f} {time.monotonic():.9f}\n".encode())
        yield 1


KINDS: dict[str, Callable[[Path, int], Iterator[int]]] = {
    "buffered": buffered,
    "direct": direct,
    "mapped": mapped,
    "trimmed": trimmed,
    "database": database,
}


def _end_with_the_test() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Write until the end; rates are bytes, discards or rows a second."""
    kind, folder, rate, room = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    threading.Thread(target=_end_with_the_test, daemon=True).start()
    pace = Pace(rate)
    writes = KINDS[kind](folder / kind, room)
    pace.spend(next(writes))
    os.sync()
    say_writing()
    for units in writes:
        pace.spend(units)


if __name__ == "__main__":
    main()
