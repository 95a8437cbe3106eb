"""The demo's server: a sparse disk image in a plain file, and what happens to it.

A quarter text, a quarter random, the rest holes, as a young server's disk is. The
same seed makes the same disk, so two demos have the same receipt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from smc_tui.model.units import KIB, MIB

#: What a file system and the image store alike deal in.
PIECE = 64 * KIB
_SEED = 20260620
# fmt: off
_WORDS = (
    "accepted", "address", "backup", "begin", "cache", "client", "closed", "commit",
    "connection", "daemon", "disk", "error", "failed", "from", "kernel", "login", "memory",
    "mount", "network", "order", "packet", "query", "request", "root", "session", "started",
    "table", "warning",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Change:
    """What one round of a server's day did to its disk.

    Attributes:
        places: how many places were written.
        written: bytes overwritten or new.
        zeroed: bytes of a deleted and trimmed file.
    """

    places: int
    written: int
    zeroed: int


class SampleDisk:
    """A disk image of ``size`` bytes at ``path``; another ``seed`` makes another content."""

    def __init__(self, path: Path, size: int, seed: int = 0) -> None:
        self.path = path
        self.size = size
        self.text = size // 4 // PIECE * PIECE
        self.random = self.text
        self._rng = Random(_SEED + seed)
        self._log = self._lines()
        #: Where the next new file goes: into the holes, from their beginning.
        self._free = self.text + self.random

    def make(self) -> None:
        """Write it: text, then random, then a hole to the end."""
        with self.path.open("wb") as file:
            for _ in range(self.text // PIECE):
                file.write(self._text(PIECE))
            for _ in range(self.random // PIECE):
                file.write(self._rng.randbytes(PIECE))
            file.truncate(self.size)

    def change(self) -> Change:
        """Let the server work: records rewritten, a file new, a file deleted."""
        places = max(4, self.size // (16 * MIB))
        fresh = max(PIECE, self.size // 256 // PIECE * PIECE)
        written = zeroed = 0
        with self.path.open("r+b") as file:
            for _ in range(places):
                length = self._rng.choice((4 * KIB, 16 * KIB, 60 * KIB))
                file.seek(self._rng.randrange(0, self.text + self.random - length, 4 * KIB))
                written += file.write(self._text(length))
            if self._free + fresh <= self.size:
                file.seek(self._free)
                written += file.write(self._rng.randbytes(fresh // 2) + self._text(fresh // 2))
                self._free += fresh
            file.seek(self._rng.randrange(0, self.text, PIECE))
            zeroed += file.write(bytes(PIECE))
            file.flush()
            os.fsync(file.fileno())
        return Change(places + 1, written, zeroed)

    def _lines(self) -> bytes:
        """Return a stretch of log lines, twice a piece long at least."""
        made: list[str] = []
        length = 0
        while length < 16 * PIECE:
            words = " ".join(self._rng.choices(_WORDS, k=8))
            made.append(f"{self._rng.getrandbits(24):08x} {words}\n")
            length += len(made[-1])
        return "".join(made).encode()

    def _text(self, length: int) -> bytes:
        """Return text that has not been there before: a stretch of the log, numbered."""
        number = b"%016x " % self._rng.getrandbits(64)
        start = self._rng.randrange(len(self._log) - length)
        return number + self._log[start : start + length - len(number)]


def first_difference(left: Path, right: Path) -> int | None:
    """Compare two files byte for byte; return the first offset that differs.

    A file that ends early differs where it ends.
    """
    offset = 0
    with left.open("rb") as one, right.open("rb") as other:
        while True:
            a, b = one.read(MIB), other.read(MIB)
            if a != b:
                shorter = min(len(a), len(b))
                pairs = (at for at in range(shorter) if a[at] != b[at])
                return offset + next(pairs, shorter)
            if not a:
                return None
            offset += len(a)
