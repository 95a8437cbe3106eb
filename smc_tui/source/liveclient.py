"""This side of the conversation about disks in use: the requests of ``live/``.

The part is sent when a conversation about it begins, so a source whose disks nothing
writes to never gets it. Everything it answers is checked here: pages lie on the disk,
counts are counts, words are cut short and made printable.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from smc_tui.model.geometry import PAGE
from smc_tui.model.units import printable
from smc_tui.source import live
from smc_tui.source.client import AgentClient, OpenDisk
from smc_tui.source.protocol import FREE_IN_FRAME, LOOSE, PAGES_IN_FRAME, malformed, parse_json

#: The kernel's buffer for a source's record, all processors together.
BUFFER_KB = 64 << 10
#: Pages that a freeze may leave to be read: 64 MiB are read in well under a second.
LAST_MOST = 16 << 10
#: Seconds that the flush before a freeze may take; the one within it takes no longer.
FLUSH_MOST = 1.0
#: Seconds that the source may be silent: hooks, a flush and a freeze may come together.
SILENCE = 180.0

_PAGES = struct.Struct("<HBH")
_ROW = struct.Struct("<QI")
_FREE = struct.Struct("<H")
_FREE_ROW = struct.Struct("<QQ")
_WORDS = 300


#: Pages as (first, end), by disk index.
Marks = dict[int, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages of one disk as they were read.

    Attributes:
        spans: (first page, how many).
        payload: their bytes one after the other, encoded as blocks are.
    """

    disk: int
    spans: list[tuple[int, int]]
    encoding: int
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes of the plain pages."""
        return sum(length for _, length in self.spans) * PAGE


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system that is mounted for writing from a disk."""

    path: str
    kind: str
    freezable: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in use on a source, and what can be done about it.

    Attributes:
        mounted: by disk index.
    """

    root: bool
    tracing: bool
    mounted: dict[int, list[Mount]]


@dataclass(frozen=True, slots=True)
class Frozen:
    """How a freeze went.

    Attributes:
        frozen: all pages were read while everything stood still.
        again: another try may succeed.
        reason: why not.
        seconds: how long the file systems stood still.
        states: of the disks at the instant, by index; see ``recognition``.
        loose: pages that were discarded and not read since.
    """

    frozen: bool
    again: bool
    reason: str
    seconds: float
    pages: int
    states: dict[int, list[Any]]
    loose: Marks


class Doubtful(Exception):
    """The source cannot, or can no longer, say what was written; the words say why."""


Take = Callable[[Pages], None]


class LiveClient:
    """Requests about disks in use, one at a time, on an agent that answers nothing else.

    Attributes:
        events: how many writes the source has seen since the record was opened.
        fill: how full the kernel's buffer was when it was opened, 0 to 1.
    """

    def __init__(self, client: AgentClient, disks: list[OpenDisk]) -> None:
        """Send the part along; the disks are those that the agent has open."""
        self._client = client
        self._sizes = {disk.index: -(-disk.size // PAGE) for disk in disks}
        self.events = 0
        self.fill = 0.0
        for part in live.PARTS:
            client.send_part(f"{live.__name__}.{part}", zlib.compress(live.text_of(part), 9))

    def survey(self) -> Survey:
        """Return what is in use."""
        said = self._ask({"do": "survey"})
        mounted = {}
        found = said.get("mounted")
        for index in self._sizes:
            rows = found.get(str(index), []) if isinstance(found, dict) else []
            mounted[index] = [Mount(_word(row[0]), _word(row[1]), bool(row[2])) for row in rows]
        return Survey(bool(said.get("root")), bool(said.get("tracing")), mounted)

    def record(self, name: str, family: str, *, go_on: bool) -> bool:
        """Begin to record writes, or go on with what was recorded since the last time.

        Args:
            name: the record's; letters, digits and dashes.
            family: what the names of this job's records begin with; others are removed.
            go_on: an existing record of this name is continued.

        Returns:
            Whether there was one, and it is whole.

        Raises:
            Doubtful: writes cannot be recorded, or some have been lost.
        """
        asked = {"name": name, "family": family, "go_on": go_on, "buffer_kb": BUFFER_KB}
        said = self._ask({"do": "trace", **asked})
        self.fill = min(1.0, max(0.0, float(said.get("fill") or 0.0)))
        return bool(said.get("found"))

    def free(self, disk: int) -> list[tuple[int, int]]:
        """Return the pages, as (first, end), that no mounted file system of a disk uses."""
        return self._pairs({"do": "free", "disk": disk})[0].get(disk, [])

    def mark(self, disk: int, pairs: list[tuple[int, int]], *, loose: bool = False) -> None:
        """Have pages marked that were written, or discarded (``loose``), before."""
        for at in range(0, len(pairs), FREE_IN_FRAME):
            some = pairs[at : at + FREE_IN_FRAME]
            self._ask({"do": "mark", "disk": disk, "pairs": some, "loose": loose})

    def hand_over(self) -> tuple[Marks, Marks]:
        """Return the pages that were written, and those discarded; the source forgets them.

        Raises:
            Doubtful: the record is no longer whole.
        """
        return self._pairs({"do": "hand_over"})

    def loose(self) -> Marks:
        """Return the pages that were discarded and not read since."""
        return self._pairs({"do": "loose"})[1]

    def _pairs(self, request: dict[str, Any]) -> tuple[Marks, Marks]:
        found: tuple[Marks, Marks] = ({}, {})
        self._ask(request, free=self._taker(found))
        return found

    def _taker(self, found: tuple[Marks, Marks]) -> Callable[[memoryview], None]:
        """Return what takes frames of runs of pages into (firmly, loosely marked ones)."""

        def take(body: memoryview) -> None:
            if len(body) < _FREE.size or (len(body) - _FREE.size) % _FREE_ROW.size:
                raise malformed("runs of pages cut short")
            (number,) = _FREE.unpack_from(body)
            disk, loose = number & ~LOOSE, bool(number & LOOSE)
            if disk not in self._sizes:
                raise malformed(f"pages of disk {disk}")
            for first, end in _FREE_ROW.iter_unpack(body[_FREE.size :]):
                if not 0 <= first < end <= self._sizes[disk]:
                    raise malformed("pages past the end of the disk")
                found[loose].setdefault(disk, []).append((first, end))

        return take

    def take(self, hand: Take, *, most: int, level: int, flush: bool = False) -> tuple[int, int]:
        """Have pages read that were written since they were last read.

        Args:
            hand: called with each frame of them.
            most: pages at the most.
            level: of compression, 0 for none.
            flush: have what only lies in memory written out first.

        Returns:
            (pages that came, pages that are marked by now).

        Raises:
            Doubtful: the record is no longer whole.
        """
        said = self._ask(
            {"do": "take", "most": most, "level": level, "flush": flush},
            lambda body: hand(self._pages(body)),
        )
        return _count(said, "taken"), _count(said, "marked")

    def freeze(
        self,
        hand: Take,
        *,
        level: int,
        before: list[str] | None = None,
        after: list[str] | None = None,
        timeout: float = 10.0,
    ) -> Frozen:
        """Have the last pages read while every file system stands still.

        Args:
            hand: called with each frame of pages, when nothing is frozen any more.
            level: of compression, 0 for none.
            before: a command before the freeze.
            after: the one that undoes it; runs in any case.
            timeout: seconds for each of them.

        Raises:
            Doubtful: the record is not whole, or a hook failed.
        """
        asked: dict[str, Any] = {"do": "freeze", "most": LAST_MOST, "level": level}
        asked.update(before=before, after=after, timeout=timeout, flush_most=FLUSH_MOST)
        found: tuple[Marks, Marks] = ({}, {})
        said = self._ask(asked, lambda body: hand(self._pages(body)), self._taker(found))
        states = said.get("states")
        return Frozen(
            frozen=said.get("frozen") is True,
            again=said.get("again") is True,
            reason=_word(said.get("reason")),
            seconds=min(1e6, float(said.get("seconds") or 0.0)),
            pages=_count(said, "pages"),
            states={int(k): v for k, v in states.items()} if isinstance(states, dict) else {},
            loose=found[True],
        )

    def settle(self, *, keep: bool) -> None:
        """Leave the record in the source's kernel for the next time, or end it."""
        self._ask({"do": "settle", "keep": keep})

    def forget(self, family: str) -> None:
        """End all records whose names begin so."""
        self._ask({"do": "forget", "family": family})

    # The conversation

    def _ask(
        self,
        request: dict[str, Any],
        pages: Callable[[memoryview], None] | None = None,
        free: Callable[[memoryview], None] | None = None,
    ) -> dict[str, Any]:
        self._client.send_json(b"L", request)
        takers = {b"g": pages, b"m": free}
        while True:
            kind, body = self._client.frame(SILENCE)
            if kind == b"l":
                return self._answer(parse_json(body))
            taker = takers.get(kind)
            if taker is None:
                raise malformed(f"a frame of kind {kind!r} while {request['do']} was due")
            taker(body)

    def _answer(self, said: dict[str, Any]) -> dict[str, Any]:
        if said.get("doubt"):
            raise Doubtful(_word(said["doubt"]))
        if "events" in said:
            self.events = _count(said, "events")
        return said

    def _pages(self, body: memoryview) -> Pages:
        """Return the pages of a frame.

        Raises:
            SmcError: Protocol.Malformed.
        """
        if len(body) < _PAGES.size:
            raise malformed("pages cut short")
        disk, encoding, count = _PAGES.unpack_from(body)
        at = _PAGES.size + count * _ROW.size
        if disk not in self._sizes or not 0 < count <= PAGES_IN_FRAME or len(body) < at:
            raise malformed(f"{count} runs of pages of disk {disk}")
        spans = list(_ROW.iter_unpack(body[_PAGES.size : at]))
        total = sum(length for _, length in spans)
        last = self._sizes[disk]
        if total > PAGES_IN_FRAME or not all(
            length and first + length <= last for first, length in spans
        ):
            raise malformed("pages past the end of the disk")
        return Pages(disk, spans, encoding, bytes(body[at:]))


def _word(said: Any) -> str:
    return printable(str(said or ""))[:_WORDS]


def _count(said: dict[str, Any], name: str) -> int:
    count = said.get(name)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < 1 << 62:
        raise malformed(f"{name} that is no count")
    return count
