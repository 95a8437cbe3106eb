"""What the tests of virtual machines share: the tree, the disks built of it, times taken."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.sshd import keygen
from tests.vm.disk import MBR, FileSystem, build
from tests.vm.guest import QEMU, Guest, overlay
from tests.vm.tree import make_tree

PROGRAMS = ("debootstrap", QEMU, "qemu-img", "extlinux", "parted", "mkfs.ext4", "mkfs.xfs", "ssh")


def lacking() -> str | None:
    """Say why no guest can be made on this machine, None when one can."""
    if os.getuid() != 0:
        return "a guest's disk is made by root alone"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    missing += [] if MBR.exists() else [str(MBR)]
    return f"not on this machine: {', '.join(missing)}" if missing else None


@dataclass
class Laps:
    """How long each part took, in seconds, in the order they ended."""

    taken: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Take the time of what is done within."""
        begun = time.monotonic()
        yield
        self.taken.append((name, time.monotonic() - begun))


@dataclass
class Rig:
    """Makes guests.

    Attributes:
        folder: for what the session makes once.
        cache: where the tree lies, perhaps for longer than the session.
    """

    folder: Path
    cache: Path
    laps: Laps
    _disks: dict[FileSystem, Path] = field(default_factory=dict)
    _key: Path | None = None
    _tree: Path | None = None

    @property
    def tree(self) -> Path:
        """The tree, made when it is first asked for."""
        if self._tree is None:
            with self.laps.lap("debootstrap, or its tree found"):
                self._tree = make_tree(self.cache)
        return self._tree

    @property
    def key(self) -> Path:
        """The private key that guests let root in by."""
        if self._key is None:
            self._key = keygen(self.folder / "key")
        return self._key

    def disk(self, file_system: FileSystem = "ext4") -> Path:
        """Return the disk of a file system that guests' own disks begin as."""
        if file_system not in self._disks:
            tree, key = self.tree, self.key.with_suffix(".pub")
            with self.laps.lap(f"disk built, {file_system}"):
                self._disks[file_system] = build(self.folder, tree, key, file_system)
        return self._disks[file_system]

    @contextmanager
    def booted(self, folder: Path, base: Path, name: str) -> Iterator[Guest]:
        """Yield a guest that runs on a fresh disk over a base, in a folder of the test."""
        disk = overlay(base, folder / f"{name}.qcow2")
        with Guest(folder, disk, self.key, self.tree, name) as guest:
            self.laps.taken.append((f"{name} booted", guest.boot_seconds))
            yield guest
