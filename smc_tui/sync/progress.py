"""What a run has done so far, and what holds it up, told four times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_INTERVAL = 0.25  # s between two lines to the engine
_SHORTEST = 0.1  # s; a rate over less than this is chance


@dataclass
class DiskCount:
    """Bytes of one disk; changed, needed and sent count uncompressed blocks.

    Attributes:
        needed: what of the changed the image store lacks, whether or not it is here by now.
    """

    index: int
    total: int
    compared: int = 0
    changed: int = 0
    needed: int = 0
    sent: int = 0


@dataclass
class Progress:
    """Counts of a run.

    Attributes:
        wire: bytes that came over the connection, both ways.
        stored: bytes that the image store grew by.
        held_by: ``disk``, ``link``, ``speed limit`` or ``destination``.
        retry: while a lost link is tried to be got back: which attempt, of how many,
            when (RFC 3339), after what; None while there is a link.
    """

    say: Callable[..., None]
    disks: list[DiskCount] = field(default_factory=list)
    phase: str = "Preparing"
    wire: int = 0
    stored: int = 0
    held_by: str = ""
    retry: dict[str, Any] | None = None
    _told: tuple[float, int, int] = (0.0, 0, 0)
    _rates: tuple[float, float] = (0.0, 0.0)

    def sum(self, name: str) -> int:
        """Return a count over all disks."""
        return sum(getattr(disk, name) for disk in self.disks)

    def enter(self, phase: str) -> None:
        """Begin a phase and tell so at once."""
        self.phase = phase
        self.tell(time.monotonic())

    def wait(self, retry: dict[str, Any] | None) -> None:
        """Begin to wait for the link, or end it, and tell so at once."""
        self.retry = retry
        if retry is not None:
            self.held_by, self._rates = "link", (0.0, 0.0)
        self.tell(time.monotonic())

    def tell_when_due(self) -> None:
        """Tell if the last line is old enough."""
        now = time.monotonic()
        if now - self._told[0] >= _INTERVAL:
            self.tell(now)

    def tell(self, now: float) -> None:
        """Write one progress line; rates are over the time since the last one."""
        at, compared, wire = self._told
        took = now - at
        done = self.sum("compared")
        if at == 0.0:
            self._told = (now, done, self.wire)
        elif took >= _SHORTEST and self.retry is None:
            self._rates = ((done - compared) / took, (self.wire - wire) / took)
            self._told = (now, done, self.wire)
        self.say(
            "progress",
            phase=self.phase,
            total=self.sum("total"),
            compared=done,
            changed=self.sum("changed"),
            needed=self.sum("needed"),
            sent=self.sum("sent"),
            wire=self.wire,
            disks=[vars(disk) for disk in self.disks],
            read_bps=self._rates[0],
            wire_bps=self._rates[1],
            held_by=self.held_by,
            **({"retry": self.retry} if self.retry is not None else {}),
        )

    def counts(self) -> dict[str, Any]:
        """Return the counts as the last line of a run names them."""
        return {
            "bytes_total": self.sum("total"),
            "bytes_compared": self.sum("compared"),
            "bytes_changed": self.sum("changed"),
            "bytes_sent": self.sum("sent"),
            "bytes_wire": self.wire,
            "bytes_stored": self.stored,
        }
