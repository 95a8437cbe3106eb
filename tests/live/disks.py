"""Disks in files with mounted file systems on them, gone again whatever happens.

A file system that is left frozen would block whoever touches it, so everything
here thaws before it unmounts. What cannot be unmounted because somebody still
works in it is unmounted lazily, and the test fails with their names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.freezing import thaw
from tests.support.disks import MIB

SECTOR = 512
#: mkfs.xfs refuses anything below 300 MiB; ext4 is quicker to read when it is small.
SIZES = {"ext4": 192 * MIB, "xfs": 320 * MIB}
_TABLE_START = 2048  # sectors: where the first partition begins
_LINUX = 0x83


def call(*words: object) -> str:
    """Run a command that must succeed and return what it printed."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(done.args)}: status {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def lacking(*kinds: str) -> str:
    """Return why such disks cannot be made here, empty when they can."""
    if os.getuid() != 0:
        return "needs root for loop devices and mounts"
    tools = ["losetup", *(f"mkfs.{kind}" for kind in kinds)]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"missing: {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Filesystem:
    """A mounted file system.

    Attributes:
        kind: ext4 or xfs.
        device: the disk or the partition it lies on.
        folder: where it is mounted.
        offset: bytes from the beginning of the disk.
        size: its bytes.
    """

    kind: str
    device: Path
    folder: Path
    offset: int
    size: int


@dataclass(frozen=True)
class LiveDisk:
    """A block device, the file behind it (or itself), and what is mounted from it."""

    device: Path
    file: Path
    size: int
    filesystems: tuple[Filesystem, ...]

    @property
    def folder(self) -> Path:
        """Where its only file system is mounted."""
        (only,) = self.filesystems
        return only.folder


@contextmanager
def loop(file: Path, *options: str) -> Iterator[Path]:
    """Attach a file as a block device."""
    device = Path(call("losetup", "-f", "--show", *options, file))
    try:
        yield device
    finally:
        call("losetup", "-d", device)


@contextmanager
def mounted(device: Path, folder: Path, *options: str) -> Iterator[Path]:
    """Mount a device; at the end it is thawed and unmounted for certain.

    Raises:
        RuntimeError: somebody still worked in it at the end; it has been
            unmounted lazily.
    """
    folder.mkdir(exist_ok=True)
    call("mount", *options, device, folder)
    try:
        yield folder
    finally:
        while thaw(folder):
            pass
        try:
            call("umount", folder)
        except RuntimeError as error:
            users = ", ".join(users_of(folder)) or "nobody that can be seen"
            call("umount", "--lazy", folder)
            raise RuntimeError(f"{error}; in use by {users}") from None


def users_of(folder: Path) -> list[str]:
    """Return the processes that have something open below a folder, as ``pid name``."""
    folder = folder.resolve()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [process / "cwd", process / "root", *(process / "fd").iterdir()]
            if any(_inside(link, folder) for link in links):
                found.append(f"{process.name} {(process / 'comm').read_text().strip()}")
    return found


def _inside(link: Path, folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return link.readlink().is_relative_to(folder)
    return False


def make_filesystem(kind: str, device: Path, *options: str) -> None:
    """Make one with the defaults of its tools and these options."""
    quiet = {"ext4": ("-q", "-F"), "xfs": ("-q", "-f")}[kind]
    call(f"mkfs.{kind}", *quiet, *options, device)


@contextmanager
def live_disk(
    folder: Path, kind: str, size: int = 0, options: tuple[str, ...] = ()
) -> Iterator[LiveDisk]:
    """A disk that is one file system, mounted, without a partition table.

    Args:
        folder: an existing one that takes the sparse file and the mount point.
        kind: ext4 or xfs.
        size: bytes; 0 for the smallest that is good for a test.
        options: of the file system's making.
    """
    size = size or SIZES[kind]
    file = folder / f"{kind}.disk"
    with file.open("xb") as made:
        made.truncate(size)
    with loop(file) as device:
        make_filesystem(kind, device, *options)
        with mounted(device, folder / kind) as place:
            yield LiveDisk(device, file, size, (Filesystem(kind, device, place, 0, size),))


_ZRAM = Path("/sys/class/zram-control")


def lacking_unqueued() -> str:
    """Return why there can be no disk without queues here, empty when there can."""
    if os.getuid() != 0:
        return "needs root for block devices and mounts"
    return "" if (_ZRAM / "hot_add").exists() else "needs zram, for a device without queues"


@contextmanager
def unqueued_disk(folder: Path) -> Iterator[LiveDisk]:
    """An ext4 in memory, on a device without queues of its own, as those of device-mapper are."""
    size = SIZES["ext4"]
    number = (_ZRAM / "hot_add").read_text().strip()
    device, place = Path(f"/dev/zram{number}"), Path(f"/sys/block/zram{number}")
    try:
        (place / "disksize").write_text(str(size))
        make_filesystem("ext4", device)
        with mounted(device, folder / "ext4") as mount:
            yield LiveDisk(device, device, size, (Filesystem("ext4", device, mount, 0, size),))
    finally:
        (place / "reset").write_text("1")
        (_ZRAM / "hot_remove").write_text(number)


@contextmanager
def live_partitions(folder: Path, kinds: tuple[str, ...]) -> Iterator[LiveDisk]:
    """A disk with a partition table and a mounted file system on every partition.

    The table is an MBR. A kernel that reads no tables is told of the partitions
    one by one (BLKPG, by ``partx``), as it is on servers by their early boot.

    Raises:
        RuntimeError: the kernel makes no partitions on loop devices.
    """
    file = folder / "partitioned.disk"
    size = _write_table(file, [SIZES[kind] for kind in kinds])
    with loop(file, "--partscan") as device, contextlib.ExitStack() as held:
        parts = _partitions(device, len(kinds))
        held.callback(call, "partx", "--delete", device)
        filesystems = []
        for number, (kind, (path, offset)) in enumerate(zip(kinds, parts, strict=True)):
            make_filesystem(kind, path)
            place = held.enter_context(mounted(path, folder / f"part{number + 1}-{kind}"))
            filesystems.append(Filesystem(kind, path, place, offset, SIZES[kind]))
        yield LiveDisk(device, file, size, tuple(filesystems))


def _write_table(file: Path, sizes: list[int]) -> int:
    """Write a disk that holds nothing but an MBR; return its bytes."""
    at = _TABLE_START
    entries = b""
    for size in sizes:
        entries += struct.pack("<B3sB3sII", 0, b"\xff" * 3, _LINUX, b"\xff" * 3, at, size // SECTOR)
        at += size // SECTOR
    with file.open("xb") as made:
        made.write(bytes(440) + os.urandom(4) + bytes(2) + entries.ljust(64, b"\0") + b"\x55\xaa")
        made.truncate(at * SECTOR)
    return at * SECTOR


def _partitions(device: Path, count: int) -> list[tuple[Path, int]]:
    """Return each partition with the bytes before it."""
    known = Path("/sys/block") / device.name
    paths = [Path(f"{device}p{number}") for number in range(1, count + 1)]
    if not all((known / path.name).is_dir() for path in paths):
        call("partx", "--add", device)
    if not all(path.is_block_device() for path in paths):
        raise RuntimeError(f"{device}: no partitions on loop devices here")
    return [(path, int((known / path.name / "start").read_text()) * SECTOR) for path in paths]
