"""The runs' logs: a file a run, none of them endless, so many a job.

A worker's standard error comes through a pipe, never straight into the file: what it
writes is bounded however much it has to say, and a destination without room costs it
its log and nothing else. The beginning of what it said is kept, and its last words:
in what lies between, a program gone wild repeats itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Container
from pathlib import Path

#: What a log keeps of the beginning and of the end, bytes; the latter in memory.
HEAD = 8 << 20
TAIL = 64 << 10

_READ = 64 << 10


class LogPipe:
    """A worker's standard error on its way into a log."""

    def __init__(self, transport: asyncio.ReadTransport, task: asyncio.Task[None]) -> None:
        self._transport = transport
        self._task = task

    @classmethod
    async def open(cls, path: Path) -> tuple[LogPipe, int]:
        """Return a pipe, and the descriptor that its worker writes to; close that one.

        Raises:
            OSError: there are no more descriptors.
        """
        read, write = os.pipe()
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read, "rb", 0)
        )
        return cls(transport, loop.create_task(write_log(stream, path), name=f"log {path}")), write

    async def end(self, patience: float) -> None:
        """Wait for the last words, but not for a child that has outlived its worker.

        Args:
            patience: seconds.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, patience)
        self._transport.close()


async def write_log(stream: asyncio.StreamReader, path: Path, head: int = HEAD) -> None:
    """Write down what a worker says until it says no more.

    Args:
        stream: its standard error.
        path: the log; what earlier attempts of its run said stays, and counts.
        head: bytes after which only the end is kept.
    """
    log = _Log(path, head)
    try:
        while said := await stream.read(_READ):
            log.take(said)
    finally:
        log.end()


class _Log:
    def __init__(self, path: Path, head: int) -> None:
        self._path = path
        self._room = head
        self._tail = bytearray()
        self._dropped = 0
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._room -= path.stat().st_size

    def take(self, said: bytes) -> None:
        now, later = said[: max(0, self._room)], said[max(0, self._room) :]
        self._room -= len(now)
        self._append(now)
        self._tail += later
        if len(self._tail) > TAIL:
            self._dropped += len(self._tail) - TAIL
            del self._tail[:-TAIL]

    def end(self) -> None:
        if self._dropped:
            self._append(b"\n[%d bytes of this log were left out]\n" % self._dropped)
        self._append(self._tail)

    def _append(self, said: bytes | bytearray) -> None:
        if not said:
            return
        # A log that cannot be written must not end the run that it is of.
        with contextlib.suppress(OSError), self._path.open("ab") as log:
            log.write(said)


def make_room(log: Path, keep: int) -> None:
    """Delete the oldest logs beside one that is about to be written: ``keep`` remain."""
    others = [path for path in _oldest_first(log.parent, "*.log") if path != log]
    for path in others[: max(0, len(others) - keep + 1)]:
        with contextlib.suppress(OSError):
            path.unlink()


def forget_gone(folder: Path, jobs: Container[str], keep: int) -> None:
    """Delete the logs of jobs that are gone, all but those of the ``keep`` last ones.

    Args:
        folder: holds a folder a job.
        jobs: the ids of those that there are.
        keep: how many others keep theirs, for whoever asks what became of them.
    """
    gone = [path for path in _oldest_first(folder, "*") if path.name not in jobs]
    for path in gone[: max(0, len(gone) - keep)]:
        shutil.rmtree(path, ignore_errors=True)


def _oldest_first(folder: Path, pattern: str) -> list[Path]:
    found: list[tuple[float, str, Path]] = []
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path.name, path))
    return [path for _, _, path in sorted(found)]
