"""Reading blocks and lists out of the packs, each proven against its name.

The collection may move records and remove packs while a reader reads. So what
does not fit what the index said is looked up once more; only if the index says
the same again is it damage. Damage is quarantined where it is found, so that
``have`` denies the block and the next sync of a source that has it heals it.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from smc_tui.images.blocks import ZERO_LIST, ZERO_NAMES, Bytes, Kind
from smc_tui.images.index import Index, Place, State
from smc_tui.images.packs import HEADER, decode_header, pack_path, prove, record_size
from smc_tui.images.paths import Paths
from smc_tui.model.errors import SmcError
from smc_tui.model.units import MIB

_OPEN_PACKS = 32
_READ_AT_ONCE = 4 * MIB
_READ_OVER = 64 * 1024
"""Bytes between two records that are cheaper to read than to skip."""


class Harm(StrEnum):
    """What can be wrong with an object."""

    DAMAGED = "damaged"
    MISSING = "missing"
    MISPLACED = "misplaced"
    """The index points at another record: the index is wrong, not the block."""


@dataclass
class Fetched:
    """Proven plain texts, and what is wrong with the names that have none."""

    texts: dict[bytes, Bytes] = field(default_factory=dict)
    harms: dict[bytes, Harm] = field(default_factory=dict)
    places: dict[bytes, Place] = field(default_factory=dict)


class Objects:
    """Reads objects; for one thread at a time, since it keeps packs open.

    Args:
        paths: the store.
        index: asked at every fetch, since the index may be replaced meanwhile.
    """

    def __init__(self, paths: Paths, index: Callable[[], Index]) -> None:
        self._paths = paths
        self._index = index
        self._packs: OrderedDict[int, int] = OrderedDict()

    def close(self) -> None:
        """Close the packs."""
        while self._packs:
            os.close(self._packs.popitem()[1])

    def fetch(self, names: Iterable[bytes], kind: Kind = Kind.BLOCK) -> Fetched:
        """Return the proven plain text of each of the names; zeros are not asked for.

        Raises:
            SmcError: Store.Unreadable (a pack cannot be read for a reason that
                says nothing about its bytes), Store.IndexDamaged (SQLite's word).
        """
        wanted = set(names)
        fetched = Fetched()
        self._pass(wanted, kind, fetched)
        if fetched.harms:
            first, fetched.harms = dict(fetched.harms), {}
            places = {name: fetched.places.get(name) for name in first}
            self._pass(set(first), kind, fetched)
            for name in fetched.harms:
                self._quarantine(name, kind, places[name], fetched.places.get(name))
        return fetched

    def proven(self, names: Iterable[bytes], kind: Kind = Kind.BLOCK) -> dict[bytes, Bytes]:
        """Return the plain text of each of the names, or fail; zeros are not asked for.

        Raises:
            SmcError: Image.BlockDamaged, Store.IndexDamaged, Store.Unreadable.
        """
        fetched = self.fetch(names, kind)
        for name, harm in fetched.harms.items():
            raise SmcError(
                "Store.IndexDamaged" if harm is Harm.MISPLACED else "Image.BlockDamaged",
                f"{kind.name.lower()} {name.hex()} is {harm.value}",
                name=name.hex(),
                harm=harm.value,
            )
        return fetched.texts

    def names_list(self, digest: bytes) -> bytes:
        """Return a segment's list of names, 8192 bytes, by its digest; errors as ``proven``."""
        if digest == ZERO_LIST:
            return ZERO_NAMES
        return bytes(self.proven([digest], Kind.LIST)[digest])

    def expect(self, names: Sequence[bytes]) -> None:
        """Have the kernel begin to read what will be asked for soon; nothing is waited for."""
        for place in sorted(self._index().places(names).values()):
            with suppress(OSError):
                fd = self._pack(place.pack)
                size = record_size(place.length)
                os.posix_fadvise(fd, place.offset, size, os.POSIX_FADV_WILLNEED)

    def _quarantine(
        self, name: bytes, kind: Kind, before: Place | None, place: Place | None
    ) -> None:
        if place is None:
            self._index().add_missing([name], kind)
        elif place == before and place.state != State.BAD and place.kind == kind:
            self._index().quarantine(name, place)

    def _pass(self, wanted: set[bytes], kind: Kind, fetched: Fetched) -> None:
        fetched.places.update(self._index().places(list(wanted)))
        found: list[tuple[Place, bytes]] = []
        for name in wanted:
            place = fetched.places.get(name)
            if place is None or place.pack == 0:
                fetched.harms[name] = Harm.MISSING
            elif place.state == State.BAD:
                fetched.harms[name] = Harm.DAMAGED
            elif place.kind != kind:
                fetched.harms[name] = Harm.MISPLACED
            else:
                found.append((place, name))
        found.sort()
        for run in _runs(found):
            self._read_run(run, fetched)

    def _read_run(self, run: Sequence[tuple[Place, bytes]], fetched: Fetched) -> None:
        first, last = run[0][0], run[-1][0]
        try:
            fd = self._pack(first.pack)
            data = os.pread(fd, last.offset + record_size(last.length) - first.offset, first.offset)
        except FileNotFoundError:
            fetched.harms.update((name, Harm.MISSING) for _, name in run)
            return
        except OSError as error:
            path = pack_path(self._paths.packs, first.pack)
            if error.errno != errno.EIO:
                raise SmcError("Store.Unreadable", f"{path}: {error.strerror}") from error
            if len(run) == 1:
                fetched.harms[run[0][1]] = Harm.DAMAGED
            else:  # one bad sector spoils one record, not its neighbours
                for one in run:
                    self._read_run([one], fetched)
            return
        view = memoryview(data)
        for place, name in run:
            at = place.offset - first.offset
            harm = _take(view[at : at + record_size(place.length)], place, name, fetched)
            if harm is not None:
                fetched.harms[name] = harm

    def _pack(self, pack: int) -> int:
        fd = self._packs.get(pack)
        if fd is None:
            if len(self._packs) >= _OPEN_PACKS:
                os.close(self._packs.popitem(last=False)[1])
            fd = os.open(pack_path(self._paths.packs, pack), os.O_RDONLY | os.O_CLOEXEC)
            self._packs[pack] = fd
        self._packs.move_to_end(pack)
        return fd


def _take(record: memoryview, place: Place, name: bytes, fetched: Fetched) -> Harm | None:
    """Prove one record; put its text where it belongs or say what is wrong."""
    header = decode_header(record)
    if header is None:
        return Harm.DAMAGED
    if header != (place.kind, place.encoding, place.length, name):
        return Harm.MISPLACED
    text = prove(header, record[HEADER:])
    if text is None:
        return Harm.DAMAGED
    fetched.texts[name] = text
    return None


def _runs(found: Sequence[tuple[Place, bytes]]) -> Iterator[Sequence[tuple[Place, bytes]]]:
    """Yield records that are read in one go: one pack, next to each other, few MiB."""
    start = 0
    for at in range(1, len(found) + 1):
        if at == len(found) or not _together(found[start][0], found[at - 1][0], found[at][0]):
            if start < at:
                yield found[start:at]
            start = at


def _together(first: Place, previous: Place, place: Place) -> bool:
    return (
        place.pack == first.pack
        and place.offset - previous.offset - record_size(previous.length) <= _READ_OVER
        and place.offset + record_size(place.length) - first.offset <= _READ_AT_ONCE
    )
