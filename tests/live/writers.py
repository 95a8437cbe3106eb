"""Starting the writers, and stopping them even where the file system is frozen."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.live.disks import Filesystem
from tests.live.freezing import thaw
from tests.support.disks import MIB

#: Longer than a watchdog lets anything be frozen.
PATIENCE = 5.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Load:
    """What is written to a file system. A rate of 0 leaves that writer out.

    Attributes:
        buffered: MB/s of files that come, grow, change their names and go.
        direct: writes a second of 4 KiB past the page cache.
        mapped: pages a second written through a mapping.
        trims: discards of all free space a second.
        rows: rows a second, at most: each is committed and synced.
    """

    buffered: float = 24.0
    direct: float = 4000.0
    mapped: float = 2000.0
    trims: float = 1.0
    rows: float = 100.0

    def rates(self) -> dict[str, float]:
        """Return each kind's rate in what it counts: bytes, discards or rows a second."""
        every = {
            "buffered": self.buffered * 1e6,
            "direct": self.direct * 4096,
            "mapped": self.mapped * 4096,
            "trimmed": self.trims,
            "database": self.rows,
        }
        return {kind: rate for kind, rate in every.items() if rate}

    @property
    def megabytes(self) -> float:
        """MB a second of all but the database, which adds a little."""
        return self.buffered + (self.direct + self.mapped) * 4096 / 1e6

    def times(self, factor: float) -> Load:
        """Return this load, so many times as much of it; the discards stay."""
        scaled = (rate * factor for rate in (self.buffered, self.direct, self.mapped))
        return Load(*scaled, self.trims, self.rows * factor)


#: Shares of a file system that each may fill; the database bounds itself.
_ROOM = {"buffered": 0.25, "direct": 0.2, "mapped": 0.1, "trimmed": 0.0, "database": 0.0}


class Writer:
    """One process that writes."""

    def __init__(self, kind: str, place: Filesystem, rate: float, log: Path) -> None:
        self.kind = kind
        room = int(place.size * _ROOM[kind]) // MIB * MIB
        words = (kind, place.folder, rate, room, log)
        self._said = (log.parent / f"{log.stem}-{kind}.err").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.writing", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=_ROOT,
        )

    def await_first(self) -> None:
        """Return when its first write is done.

        Raises:
            AssertionError: it ended before.
        """
        if self._pipe(self.process.stdout).readline() != "writing\n":
            self.process.wait()
            raise AssertionError(f"{self.kind}: ended before it wrote: {self.error()}")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def error(self) -> str:
        """Return what it said on standard error."""
        self._said.seek(0)
        return self._said.read()

    def close(self) -> None:
        """Let go of its pipes."""
        self._pipe(self.process.stdin).close()
        self._pipe(self.process.stdout).close()
        self._said.close()


class Writers:
    """All that write to one file system."""

    def __init__(self, place: Filesystem, log: Path) -> None:
        self.place = place
        self.log = log
        self.writers: list[Writer] = []

    def start(self, load: Load) -> None:
        """Start them; returns when every one of them has written.

        Raises:
            AssertionError: one ended before.
        """
        for kind, rate in load.rates().items():
            self.writers.append(Writer(kind, self.place, rate, self.log))
        for writer in self.writers:
            writer.await_first()

    def must_live(self) -> None:
        """See that nobody has given up.

        Raises:
            AssertionError: with what that one said.
        """
        for writer in self.writers:
            status = writer.process.poll()
            assert status is None, f"{writer.kind} ended, status {status}: {writer.error()}"

    def stop(self, patience: float = PATIENCE) -> bool:
        """Kill them all, then see them gone.

        A process that waits for a frozen file system dies only when that is thawed,
        and a thread that holds the mapping's lock keeps others from being seen dead.
        So all are killed first; then, if somebody who freezes has not thawed within
        the patience (seconds), it is thawed from here.

        Returns:
            Whether it had to be thawed.
        """
        for writer in self.writers:
            writer.process.send_signal(signal.SIGKILL)
        forced = False
        if not self._gone(patience):
            forced = thaw(self.place.folder)
            assert self._gone(60), "killed and thawed, and still there"
        for writer in self.writers:
            writer.process.wait()
            writer.close()
        self.writers.clear()
        return forced

    def _gone(self, seconds: float) -> bool:
        """Wait until all are dead, by their process file descriptors."""
        with contextlib.ExitStack() as held:
            poll = select.poll()
            waiting = set()
            for writer in self.writers:
                if writer.process.returncode is None:
                    fd = os.pidfd_open(writer.process.pid)
                    held.callback(os.close, fd)
                    poll.register(fd, select.POLLIN)
                    waiting.add(fd)
            while waiting:
                ended = poll.poll(seconds * 1000)
                if not ended:
                    return False
                for fd, _ in ended:
                    poll.unregister(fd)
                    waiting.discard(fd)
        return True


@contextmanager
def writing(place: Filesystem, log: Path, load: Load | None = None) -> Iterator[Writers]:
    """Have a file system written to for the time of a block.

    Args:
        place: where.
        log: a file on another disk that takes what the database has committed.
        load: how much of what.
    """
    writers = Writers(place, log)
    try:
        writers.start(load or Load())
        yield writers
    finally:
        writers.stop()
