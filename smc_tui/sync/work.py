"""A disk in a run: its size, what is known of it, what was done with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from smc_tui.images import ChangeMap
from smc_tui.model.geometry import SEGMENT, segments_of
from smc_tui.sync.progress import DiskCount


@dataclass
class DiskWork:
    """A disk in a run.

    Attributes:
        suspect: segments that name damaged blocks; compared without expectation.
    """

    index: int
    size: int
    map: ChangeMap
    count: DiskCount
    suspect: set[int]

    @property
    def segments(self) -> int:
        """How many segments the disk has, the last one perhaps in part."""
        return segments_of(self.size)

    def length(self, segment: int) -> int:
        """Return the bytes of the disk that a segment covers."""
        return min(SEGMENT, self.size - segment * SEGMENT)

    def every(self) -> Iterator[tuple[DiskWork, int]]:
        """Yield each of its segments, to be compared."""
        for number in range(self.segments):
            yield self, number
