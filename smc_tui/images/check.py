"""Proving the whole store: every record, the index against it, every image's every name.

What is damaged is named with the images that use it, and quarantined, so that
the next sync of a source that has it heals it. A quarantined record that proves
whole after all is good again.

Damage to the index alone is no damage to any image. A row that is lost, or that
points at the wrong place, is found bad like a rotten record; then the packs are
gone through once more, and whatever bad name proves whole anywhere in them gets
its row put right. An index that SQLite itself calls damaged is made anew from
the packs (store.py does that, since nobody else may hold the index meanwhile).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from smc_tui.images.blocks import ZERO_BLOCK, ZERO_LIST, Kind, split
from smc_tui.images.changemap import map_health
from smc_tui.images.collect import alone
from smc_tui.images.files import Files, reading
from smc_tui.images.index import NAMES_A_STATEMENT, Index, Place, Row, State, Use
from smc_tui.images.manifest import DiskManifest
from smc_tui.images.manifest import read as read_manifest
from smc_tui.images.objects import Objects
from smc_tui.images.packs import Found, batches, pack_ids, pack_path, prove, scan
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress
from smc_tui.images.recover import recover
from smc_tui.images.roots import LiveSet, roots
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, SEGMENT

NAMED = 1000
"""How many problems are named one by one; beyond, they are counted."""


@dataclass(frozen=True)
class Problem:
    """Something that is damaged.

    Args:
        kind: ``block``, ``list``, ``pack``, ``index`` or ``manifest``.
        name: which one.
        detail: what is wrong with it.
        image: an image that needs it, "" if none does or it is not known.
    """

    kind: str
    name: str
    detail: str
    image: str = ""


@dataclass
class Report:
    """What a check found.

    Args:
        packs, records, bytes: what was read.
        images: images looked at.
        restored: quarantined records that proved whole.
        repaired: rows of the index that were lost or wrong and have been put right.
        found: how many problems there are.
        problems: the first NAMED of them.
        notes: what is worth knowing and hurts nothing.
        index_damaged: whether the index is damaged beyond single rows.
        index_rebuilt: whether it has been made anew since.
    """

    packs: int = 0
    records: int = 0
    bytes: int = 0
    images: int = 0
    restored: int = 0
    repaired: int = 0
    found: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    index_damaged: bool = False
    index_rebuilt: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.found

    def add(self, problem: Problem) -> None:
        """Take in a problem."""
        self.found += 1
        self.index_damaged |= problem.kind == "index"
        if len(self.problems) < NAMED:
            self.problems.append(problem)


def check(paths: Paths, files: Files, progress: Progress = no_progress) -> Report:
    """Prove everything in the store.

    Raises:
        SmcError: Store.Busy (a collection or a check runs), Store.IndexDamaged
            (SQLite cannot read it at all), Store.Unreadable,
            Destination.Full, Destination.IoError.
    """
    with alone(paths, files) as index:
        recover(paths, files, index)
        objects = Objects(paths, lambda: index)
        try:
            with LiveSet(paths) as live:
                return _Checker(paths, index, objects, live, progress).run()
        finally:
            objects.close()


class _Checker:
    """One check under way."""

    def __init__(
        self, paths: Paths, index: Index, objects: Objects, live: LiveSet, progress: Progress
    ) -> None:
        self.paths = paths
        self.index = index
        self.objects = objects
        self.live = live
        self.progress = progress
        self.report = Report()
        self.unread: set[Path] = set()
        self.suspects: dict[int, str] = {}

    def run(self) -> Report:
        for (verdict,) in self.index.query("PRAGMA integrity_check(10)"):
            if verdict != "ok":
                self._problem("index", self.paths.index.name, verdict)
        if not self.report.index_damaged:
            self._check_roots()
            self._check_packs()
            self._note_missing()
            self._repair()
            self._name_packs()
            self._name_damage()
        return self.report

    def _problem(self, kind: str, name: str, detail: str, image: str = "") -> None:
        self.report.add(Problem(kind, name, detail, image))

    # Roots -----------------------------------------------------------------

    def _check_roots(self) -> None:
        for path in self.paths.maps():
            note = map_health(path)
            if note:
                self.report.notes.append(f"{path}: {note}")
        for path, digests in roots(self.paths):
            try:
                self.live.add_root(digests, self.objects)
            except SmcError as error:
                if error.code != "Image.ManifestDamaged":
                    raise
                self.unread.add(path)
                if path.parent == self.paths.manifests:
                    self._problem("manifest", path.stem, error.detail, path.stem)
        self.report.images = len(self.paths.images())

    # Packs -----------------------------------------------------------------

    def _check_packs(self) -> None:
        uses = self.index.usage()
        packs = pack_ids(self.paths.packs)
        total = sum(use.bytes for use in uses.values())
        for pack in packs:
            self._check_pack(pack, uses.pop(pack, Use()), total)
            self.report.packs += 1
        for pack, use in uses.items():
            self._look_into_rows(pack, set())
            self.suspects[pack] = f"it is missing, with {use.rows} records"

    def _check_pack(self, pack: int, use: Use, total: int) -> None:
        path = pack_path(self.paths.packs, pack)
        length = self.index.acknowledged_length(pack)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # an empty one that its writer has thrown away
            return
        confirmed: set[bytes] = set()
        try:
            size = os.fstat(fd).st_size
            # What is proven is to come from the disk, not out of memory.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            with reading(path):
                self._scan_pack(fd, pack, min(size, length), total, confirmed)
        finally:
            os.close(fd)
        if len(confirmed) < use.rows:
            self._look_into_rows(pack, confirmed)
        if size < length:
            self.suspects[pack] = f"it has {size} bytes of {length}"

    def _scan_pack(self, fd: int, pack: int, end: int, total: int, confirmed: set[bytes]) -> None:
        for batch in batches(scan(fd, 0, end)):
            self._check_batch(pack, batch, confirmed)
            self.progress("checking packs", self.report.bytes, max(total, self.report.bytes))

    def _check_batch(self, pack: int, batch: Sequence[Found], confirmed: set[bytes]) -> None:
        places = self.index.places([found.header.name for found in batch])
        for found in batch:
            place = places.get(found.header.name)
            if place is None or (place.pack, place.offset) != (pack, found.offset):
                continue  # a dead copy, or the row is wrong: then the rows will show it
            if self._check_record(found, place):
                confirmed.add(found.header.name)

    def _check_record(self, found: Found, place: Place) -> bool:
        """Prove a record that a row points to; tell whether the row fits it."""
        header = found.header
        if place[2:5] != (header.length, header.encoding, header.kind):
            return False
        self.report.records += 1
        self.report.bytes += len(found.payload)
        if prove(header, found.payload) is None:
            if place.state != State.BAD:
                self.index.quarantine(header.name, place)
        elif place.state == State.BAD:
            self.report.restored += self.index.restore(header.name, place)
        return True

    def _look_into_rows(self, pack: int, confirmed: set[bytes]) -> None:
        """Read what rows point at where the scan met no such record: that quarantines it."""
        for kind in Kind:
            names = [name for name in self.index.names_in(pack, kind) if name not in confirmed]
            for start in range(0, len(names), NAMES_A_STATEMENT):
                self.objects.fetch(names[start : start + NAMES_A_STATEMENT], kind)

    # Names -----------------------------------------------------------------

    def _note_missing(self) -> None:
        for kind in Kind:
            for page in self.live.missing(kind):
                self.index.add_missing(page, kind)

    def _repair(self) -> None:
        """Put right the rows of bad names that prove whole somewhere in the packs."""
        for pack in pack_ids(self.paths.packs) if self.index.any_bad() else ():
            path = pack_path(self.paths.packs, pack)
            length = self.index.acknowledged_length(pack)
            with suppress(FileNotFoundError), reading(path), path.open("rb", buffering=0) as file:
                for batch in batches(scan(file.fileno(), 0, length)):
                    self._repair_batch(pack, batch)
        if self.report.repaired:
            self.report.notes.append(
                f"{self.report.repaired} rows of the index have been put right"
            )

    def _repair_batch(self, pack: int, batch: Sequence[Found]) -> None:
        states = dict(self.index.states([found.header.name for found in batch]))
        rows = {
            header.name: Row(header.name, pack, offset, header.length, header.encoding, header.kind)
            for offset, header, payload in batch
            if states.get(header.name) == State.BAD and prove(header, payload) is not None
        }
        if rows:
            self.index.add(rows.values(), {})
            self.report.repaired += len(rows)

    def _name_packs(self) -> None:
        """Name the packs that are lost in whole or in part, with records that are missed."""
        for pack, detail in self.suspects.items():
            if self.index.has_bad(pack):
                self._problem("pack", pack_path(self.paths.packs, pack).name, detail)

    def _name_damage(self) -> None:
        """Name every bad block and list with the images, disks and places that need it."""
        if not self.index.any_bad():
            return
        for image in self.paths.images():
            path = self.paths.manifest(image)
            with suppress(FileNotFoundError):  # removed meanwhile
                for disk in read_manifest(path).disks if path not in self.unread else ():
                    self._name_damage_of(image, disk)
        unneeded = sum(map(len, self.live.pages(State.BAD, live=False)))
        if unneeded:
            self.report.notes.append(f"{unneeded} damaged records that nothing needs")

    def _name_damage_of(self, image: str, disk: DiskManifest) -> None:
        for segment, digest in enumerate(disk.lists()):
            if digest == ZERO_LIST:
                continue
            start = segment * SEGMENT
            fetched = self.objects.fetch([digest], Kind.LIST)
            if digest in fetched.harms:
                harm = fetched.harms[digest]
                self._problem("list", digest.hex(), f"disk {disk.index} at {start}: {harm}", image)
                continue
            names = split(bytes(fetched.texts[digest]))
            states = dict(self.index.states(list(set(names) - {ZERO_BLOCK})))
            for number, name in enumerate(names):
                if states.get(name) == State.BAD:
                    place = f"disk {disk.index} at {start + number * BLOCK}"
                    self._problem("block", name.hex(), place, image)
