"""Giving the disk its bytes back: packs with nothing, or little, left in them.

A pack that no row points into is removed. Of a pack with more than a fifth
dead, the records that rows point to are copied into a new pack, proven on the
way. So are small packs once there are many of about one size: every session
begins a pack of its own, and a year of hourly synchronisations whose blocks all
stay would be thousands of files. Packs are of one size class if their fullness
lies between the same powers of an eighth; sixteen of a class make a pack of a
higher one. So there are never more than fifteen a class after a collection, and
a record is copied at most once a class in all its life.

Whatever the reason for copying, the order is

    the new pack and its folder are synced
    one transaction points the rows to the copies and acknowledges the new pack
    the old pack is removed, the folder synced
    its row of acknowledged length is removed

A crash before the transaction leaves a new pack whose records are all known
elsewhere, a crash after it an old pack that no row points into; the next
collection removes either. Readers that looked a place up before and find the
pack gone look again (objects.py). Packs of living writers are flocked and left
alone, and so are packs with a quarantined record: its bytes are evidence, and
perhaps somebody's last hope.
"""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smc_tui.images.blocks import Kind
from smc_tui.images.files import Files, try_lock
from smc_tui.images.index import NAMES_A_STATEMENT, Index, Use
from smc_tui.images.objects import Objects
from smc_tui.images.packs import (
    PACK_MAX,
    RECORDS_MAX,
    Found,
    PackWriter,
    batches,
    encode_header,
    pack_ids,
    pack_path,
    prove,
    record_size,
    scan,
)
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress
from smc_tui.model.errors import SmcError

_DEAD_SHARE = 0.2  # below, copying costs more than the bytes are worth
_CLASS_RATIO = 8
_CLASS_MOST = 16


@dataclass
class Compaction:
    """What was done to the packs.

    Args:
        removed: packs in which nothing was left.
        rewritten: packs whose rest was copied.
        freed: bytes given back, the copies already subtracted.
        held: why a pack could not be rewritten, "" if none was.
    """

    removed: int = 0
    rewritten: int = 0
    freed: int = 0
    held: str = ""


@dataclass(frozen=True)
class _Move:
    """A record's old and new place."""

    name: bytes
    old: int
    new: int


def compact(paths: Paths, files: Files, index: Index, progress: Progress) -> Compaction:
    """Remove the packs that are empty, rewrite those that are emptyish, merge the small.

    Raises:
        SmcError: Destination.Full (not even the index could be written),
            Destination.IoError, Store.IndexDamaged.
    """
    done = Compaction()
    compactor = _Compactor(paths, files, index, done)
    try:
        # Settled packs are found before the rows are counted: rows are never
        # added to a settled pack, so what is counted is all there can be.
        packs = [pack for pack in pack_ids(paths.packs) if _is_settled(paths, index, pack)]
        uses = index.usage()
        # The empty ones first: they give room for the copies of the others.
        packs.sort(key=lambda pack: uses.get(pack, Use()).bytes)
        crowd = crowded({pack: uses[pack] for pack in packs if pack in uses})
        for number, pack in enumerate(packs):
            progress("tidying packs", number, len(packs))
            compactor.look_at(pack, uses.get(pack, Use()), merge=pack in crowd)
    finally:
        compactor.close()
    _forget_packs(paths, index)
    return done


def crowded(uses: Mapping[int, Use]) -> set[int]:
    """Return the packs to merge: those of every size class that has too many of them.

    A pack is as full as its bytes or its records make it: one of very many tiny
    records has no room for more, whatever its size.
    """
    classes: defaultdict[int, list[int]] = defaultdict(list)
    for pack, use in uses.items():
        fullness = max(use.bytes / PACK_MAX, use.rows / RECORDS_MAX)
        if 0 < fullness < 1 / _CLASS_RATIO and not use.bad:
            classes[math.floor(math.log(fullness, _CLASS_RATIO))].append(pack)
    return {pack for members in classes.values() if len(members) >= _CLASS_MOST for pack in members}


def _is_settled(paths: Paths, index: Index, pack: int) -> bool:
    """Tell whether a pack has no writer any more and its whole length is acknowledged."""
    try:
        fd = os.open(pack_path(paths.packs, pack), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return try_lock(fd) and os.fstat(fd).st_size <= index.acknowledged_length(pack)
    finally:
        os.close(fd)


def _forget_packs(paths: Paths, index: Index) -> None:
    """Drop the acknowledged lengths of packs that are gone and that no row points into."""
    gone = set(index.acknowledged()) - set(pack_ids(paths.packs)) - set(index.usage())
    if gone:
        with index.writing():
            index.execute("DELETE FROM packs WHERE pack = ?", [(pack,) for pack in gone])


class _Compactor:
    """Removes and rewrites packs, one new pack after the other."""

    def __init__(self, paths: Paths, files: Files, index: Index, done: Compaction) -> None:
        self.paths = paths
        self.files = files
        self.index = index
        self.done = done
        self.writer: PackWriter | None = None

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def look_at(self, pack: int, use: Use, *, merge: bool) -> None:
        path = pack_path(self.paths.packs, pack)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            if not try_lock(fd):
                return
            size = os.fstat(fd).st_size
            if use.rows == 0:
                self._remove(path, size)
                self.done.removed += 1
            elif (merge or size - use.bytes > _DEAD_SHARE * size) and not use.bad:
                self._rewrite(fd, path, pack, size, use)
        finally:
            os.close(fd)

    def _remove(self, path: Path, size: int) -> None:
        self.files.unlink(path)
        self.files.fsync_dir(self.paths.packs)
        self.done.freed += size

    def _rewrite(self, fd: int, path: Path, pack: int, size: int, use: Use) -> None:
        writer = self._writer_for(use.bytes)
        start = writer.position
        try:
            moves = self._copy(fd, pack, size, writer)
            if len(moves) < use.rows:
                self._give_up(writer, start)
                self._quarantine_unmoved(pack, moves)
                self.done.held = f"{path.name} has damaged records"
                return
            self.files.fsync(writer.fd, writer.path)
            self.files.fsync_dir(self.paths.packs)
        except SmcError as error:
            self._give_up(writer, start)
            if error.code != "Destination.Full":
                raise
            self.done.held = f"no room to rewrite {path.name}"
            return
        self._switch(pack, writer, moves)
        self._remove(path, size)
        self.done.freed -= writer.position - start
        self.done.rewritten += 1

    def _writer_for(self, size: int) -> PackWriter:
        if self.writer is not None and not self.writer.has_room(size):
            self.close()
        if self.writer is None:
            self.writer = PackWriter.create(self.files, self.paths.packs)
        return self.writer

    def _give_up(self, writer: PackWriter, start: int) -> None:
        """Cut back what was copied in vain; it is garbage at worst."""
        with suppress(SmcError):
            self.files.truncate(writer.fd, start, writer.path)
            if start == 0:
                self.files.unlink(writer.path)
        if start == 0:
            self.close()
        writer.position = start

    def _copy(self, fd: int, pack: int, size: int, writer: PackWriter) -> list[_Move]:
        """Copy the records that rows point to; return where they were and are."""
        moves: list[_Move] = []
        for batch in batches(scan(fd, 0, size)):
            moves += self._copy_batch(pack, batch, writer)
        return moves

    def _copy_batch(self, pack: int, batch: Sequence[Found], writer: PackWriter) -> list[_Move]:
        places = self.index.places([found.header.name for found in batch])
        moves: list[_Move] = []
        buffers: list[bytes | memoryview] = []
        position = writer.position
        for offset, header, payload in batch:
            place = places.get(header.name)
            if place is None or (place.pack, place.offset) != (pack, offset):
                continue
            if place[2:5] != (header.length, header.encoding, header.kind):
                continue
            if prove(header, payload) is None:
                self.index.quarantine(header.name, place)
                continue
            moves.append(_Move(header.name, offset, position))
            buffers.append(encode_header(header.kind, header.encoding, header.length, header.name))
            buffers.append(payload)
            position += record_size(header.length)
        if buffers:
            writer.append(buffers, position - writer.position)
        return moves

    def _quarantine_unmoved(self, pack: int, moves: Sequence[_Move]) -> None:
        """Find what is wrong with the rows of a pack whose records were not found in it."""
        moved = {move.name for move in moves}
        objects = Objects(self.paths, lambda: self.index)
        try:
            for kind in Kind:
                names = self.index.names_in(pack, kind)
                for start in range(0, len(names), NAMES_A_STATEMENT):
                    objects.fetch(set(names[start : start + NAMES_A_STATEMENT]) - moved, kind)
        finally:
            objects.close()

    def _switch(self, pack: int, writer: PackWriter, moves: Sequence[_Move]) -> None:
        with self.index.writing():
            self.index.execute(
                "UPDATE blocks SET pack = ?, offset = ? WHERE name = ? AND pack = ? AND offset = ?",
                [(writer.id, move.new, move.name, pack, move.old) for move in moves],
            )
            self.index.execute(
                "INSERT OR REPLACE INTO packs VALUES (?,?)", [(writer.id, writer.position)]
            )
