"""Power cuts: whatever was not synced may be lost, in part or in whole, in any order.

A life of a store is recorded call by call. Then for every moment of it the
disk is made as a power cut at that moment could leave it: bytes are certain
only up to their file's last fsync, names only up to their folder's; of the rest
nothing, everything, or some part chosen at random is there. The index is
SQLite's: it is as it was at its last commit.

On every such disk the store must open, have every image whose publishing had
returned, list no image that is not whole, check clean, and take the next run.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

from smc_tui.images.blocks import Bytes
from smc_tui.images.files import Files
from tests.images.world import Disk, World, block, image_of, names_of, put, sample

A, B, C, D = "m-0000000a", "m-0000000b", "m-0000000c", "m-0000000d"
FIRST = sample(2, *range(1, 9))
SECOND = FIRST | {0: block(40), 300: block(41)}
THIRD = dict(list(SECOND.items())[::2]) | {5: block(43)}
DISKS: dict[str, Disk] = {A: FIRST, B: SECOND, C: THIRD, D: FIRST | THIRD}


@dataclass
class Inode:
    """A file: what is on the disk for certain, and what was done since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)  # None: cut there

    def content(self, kept: Sequence[bool]) -> bytes:
        data = bytearray(self.durable)
        for (offset, piece), keep in zip(self.pending, kept, strict=True):
            if not keep:
                continue
            if piece is None:
                del data[offset:]
                data.extend(bytes(offset - len(data)))
            else:
                data.extend(bytes(max(0, offset - len(data))))
                data[offset : offset + len(piece)] = piece
        return bytes(data)


@dataclass(frozen=True)
class Entry:
    """A change of names: create (what is an inode's number), rename or unlink."""

    what: int | str
    path: Path
    target: Path | None = None

    def apply(self, names: dict[Path, int]) -> None:
        if isinstance(self.what, int):
            names[self.path] = self.what
        elif self.path in names:
            number = names.pop(self.path)
            if self.target is not None:
                names[self.target] = number

    def is_in(self, folder: Path) -> bool:
        return folder in (self.path.parent, self.target.parent if self.target else None)


@dataclass
class Drive:
    """What a disk holds: names as they are now, and as they certainly are."""

    inodes: list[Inode] = field(default_factory=list)
    names: dict[Path, int] = field(default_factory=dict)
    durable: dict[Path, int] = field(default_factory=dict)
    pending: list[Entry] = field(default_factory=list)
    index: bytes = b""

    def at(self, path: Path) -> Inode:
        return self.inodes[self.names[path]]


class Recorder(Files):
    """Does everything for real and keeps book of what a power cut could take."""

    def __init__(self) -> None:
        self.drive = Drive()
        self.states: list[tuple[Drive, frozenset[str], frozenset[str]]] = []
        self.acknowledged: frozenset[str] = frozenset()
        self.going: frozenset[str] = frozenset()

    def start(self, root: Path) -> None:
        """Take the present state for certain."""
        for path in root.rglob("*"):
            if path.is_file() and not path.name.startswith("index.db"):
                self.drive.names[path] = self.drive.durable[path] = len(self.drive.inodes)
                self.drive.inodes.append(Inode(bytearray(path.read_bytes())))
        with sqlite3.connect(root / "images" / "index.db") as db:
            self.drive.index = db.serialize()
        db.close()

    def snap(self) -> None:
        self.states.append((deepcopy(self.drive), self.acknowledged, self.going))

    def _entry(self, entry: Entry) -> None:
        self.drive.pending.append(entry)
        entry.apply(self.drive.names)
        self.snap()

    def create_locked(self, path: Path) -> int:
        fd = super().create_locked(path)
        self.drive.inodes.append(Inode())
        self._entry(Entry(len(self.drive.inodes) - 1, path))
        return fd

    def write(self, fd: int, buffers: Sequence[Bytes], offset: int, path: Path) -> int:
        # In pieces, as the kernel writes pages: any of them may be lost alone.
        data = b"".join(buffers)
        pieces = [(offset + at, data[at : at + 20_000]) for at in range(0, len(data), 20_000)]
        self.drive.at(path).pending += pieces
        self.snap()
        return super().write(fd, buffers, offset, path)

    def truncate(self, fd: int, length: int, path: Path) -> None:
        self.drive.at(path).pending.append((length, None))
        super().truncate(fd, length, path)
        self.snap()

    def fsync(self, fd: int, path: Path) -> None:
        super().fsync(fd, path)
        inode = self.drive.at(path)
        inode.durable = bytearray(inode.content([True] * len(inode.pending)))
        inode.pending = []
        self.snap()

    def fsync_dir(self, folder: Path) -> None:
        super().fsync_dir(folder)
        for entry in self.drive.pending:
            if entry.is_in(folder):
                entry.apply(self.drive.durable)
        self.drive.pending = [entry for entry in self.drive.pending if not entry.is_in(folder)]
        self.snap()

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._entry(Entry("rename", old, new))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._entry(Entry("unlink", path))

    def commit(self, connection: sqlite3.Connection, path: Path) -> None:
        super().commit(connection, path)
        self.drive.index = connection.serialize()
        self.snap()


def _cut(drive: Drive, mode: str, chance: random.Random, old: Path, new: Path) -> None:
    """Make the disk that a power cut leaves."""
    entries = {"nothing": 0, "everything": len(drive.pending)}.get(mode)
    if entries is None:
        entries = chance.randint(0, len(drive.pending))
    names = dict(drive.durable)
    for entry in drive.pending[:entries]:
        entry.apply(names)
    for path, number in names.items():
        inode = drive.inodes[number]
        kept = [
            mode == "everything" or (mode == "something" and chance.random() < 0.5)
            for _ in inode.pending
        ]
        target = new / path.relative_to(old)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(inode.content(kept))
    (new / "images" / "index.db").write_bytes(drive.index)


def _record(home: Path) -> Recorder:
    World(home).close()
    files = Recorder()
    world = World(home, files)
    files.start(home)
    for image in (A, B):
        world.synchronise(image, DISKS[image])
        files.acknowledged |= {image}
    with world.store.session("one that leaves the checkpoint to publish") as session:
        put(session, list(THIRD.values()))
        lists = b"".join(session.put_list(names_of(THIRD, number)) for number in range(2))
        session.publish(image_of(C, [(world.size, lists)]))
        files.acknowledged |= {C}
    for image in (A, B):
        files.going |= {image}
        world.store.remove(image)
    files.drive.names.pop(world.map_path)
    files.drive.durable.pop(world.map_path)
    world.forget_map()
    assert world.store.collect().packs_rewritten > 0
    files.snap()
    world.close()
    return files


def test_no_power_cut_takes_what_was_acknowledged(home: Path) -> None:
    files = _record(home)
    assert len(files.states) > 70
    chance = random.Random("power")
    cut = home.with_name("cut")
    for drive, acknowledged, going in files.states:
        for mode in ("nothing", "everything", "something", "something"):
            _cut(drive, mode, chance, home, cut)
            _examine(cut, acknowledged, going)
            shutil.rmtree(cut)


def _examine(home: Path, acknowledged: frozenset[str], going: frozenset[str]) -> None:
    world = World(home)
    listed = set(world.store.images())
    assert acknowledged - going <= listed
    for image in listed:
        assert world.read(image) == DISKS[image]
    report = world.store.check()
    assert report.ok, report
    assert not report.index_rebuilt
    world.synchronise(D, DISKS[D])
    world.store.collect()
    for image in (*listed, D):
        assert world.read(image) == DISKS[image]
    world.close()
