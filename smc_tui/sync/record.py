"""What a job remembers of its source between runs: ``staging/<job>/record.json``.

It says which image the change maps describe, what the disks' states were at that
image's instant, and under which name the source's kernel has been recording writes
since. Two conclusions are drawn from it:

- a disk whose state is the same now was not written to since (``recognition``), so it
  need not be read at all;
- while the record is *whole*, a page without a mark in it was not written to since.

Marks leave the kernel when they are taken. Should a run end between that and its image,
they are nowhere any more; so ``whole`` is put out, durably, before the first of them is
taken, and set again only with the image that accounts for all of them, or, after a visit
between two runs (``visit``), with the pages themselves. A crash at any
point leaves a file that says less than is true, never more. A file that is damaged, or
of another version, says nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from smc_tui.images.files import Files
from smc_tui.source.client import OpenDisk
from smc_tui.source.liveclient import Marks

_FILE = "record.json"
_VERSION = 1
#: Pairs that are kept a disk: some megabytes of text.
_MOST = 200_000
_NAME = re.compile(r"[a-z0-9-]{1,80}")


@dataclass(frozen=True, slots=True)
class Record:
    """What is known since the last image.

    Attributes:
        image: the image that the change maps describe; empty: none does.
        consistency: that image's.
        states: of the disks at its instant, by index.
        name: the kernel's record of writes since then; empty: there is none.
        whole: no mark of it was taken that is not accounted for by the image, or here.
        written: pages that visits were told were written since the image, by disk index,
            as sorted pairs (first, end).
        loose: pages that were discarded and not read since, likewise. Nothing is lost if
            they are never read; they only cannot be held against the record.
    """

    image: str = ""
    consistency: str = ""
    states: dict[str, list[Any]] = field(default_factory=dict)
    name: str = ""
    whole: bool = False
    written: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    loose: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def load(cls, staging: Path) -> Record:
        """Return what the job's staging area remembers, an empty record where nothing."""
        try:
            said = json.loads((staging / _FILE).read_bytes())
            if said.pop("version") != _VERSION or not isinstance(said["states"], dict):
                return cls()
            written, loose = _marks(said.pop("written")), _marks(said.pop("loose"))
            found = cls(**said, written=written, loose=loose)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls()
        return found if not found.name or _NAME.fullmatch(found.name) else cls()

    def save(self, staging: Path, files: Files | None = None) -> None:
        """Write it down; durable when this returns.

        Raises:
            SmcError: Destination.Full, Destination.IoError.
        """
        text = json.dumps({"version": _VERSION, **asdict(self)})
        (files or Files()).replace(staging / _FILE, [text.encode()])

    def opened(self, name: str) -> Record:
        """Return it as it must be durable before marks are taken under a name."""
        return replace(self, name=name, whole=False)

    def with_marks(self, written: Marks, loose: Marks) -> Record:
        """Return it with more pages that were written, or discarded; whole again."""
        return replace(
            self,
            written=_more(self.written, written),
            loose=_more(self.loose, loose),
            whole=True,
        )

    def unwritten(self, disk: OpenDisk) -> bool:
        """Tell whether nothing was written to a disk since the image."""
        return bool(self.image) and self.states.get(str(disk.index)) == disk.state

    def doubt(self, disks: list[OpenDisk]) -> str:
        """Return why its marks are not all that was written since the image; empty: they are."""
        if not self.image:
            return "there is no image yet"
        if not self.name:
            return "writes were not recorded since the last image"
        for disk in disks:
            # The last two of a state: the start of the system, and the device (``agent.py``).
            before = self.states.get(str(disk.index), [])
            if before[-2:-1] != disk.state[-2:-1]:
                return "the source was restarted since the last image"
            if before[-2:] != disk.state[-2:]:
                return f"{disk.path} was replaced since the last image"
            if before[:1] != disk.state[:1]:
                return f"{disk.path} has another size than at the last image"
        return "" if self.whole else "an earlier run ended before its image was made"


def _marks(said: dict[str, list[list[int]]]) -> dict[str, list[tuple[int, int]]]:
    return {
        index: [(int(first), int(end)) for first, end in pairs] for index, pairs in said.items()
    }


def _more(
    known: dict[str, list[tuple[int, int]]], marks: Marks
) -> dict[str, list[tuple[int, int]]]:
    grown = dict(known)
    for disk, pairs in marks.items():
        grown[str(disk)] = merged([*grown.get(str(disk), []), *pairs])
    return grown


def merged(pairs: list[tuple[int, int]], most: int = _MOST) -> list[tuple[int, int]]:
    """Return pairs (first, end) sorted and disjoint, no more than ``most`` of them.

    Where there would be more, those that lie near each other become one: pages between
    them are then read without need.
    """
    gap = 0
    while True:
        joined: list[tuple[int, int]] = []
        for first, end in sorted(pairs):
            if joined and first <= joined[-1][1] + gap:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((first, end))
        if len(joined) <= most:
            return joined
        gap = gap * 4 + 4
