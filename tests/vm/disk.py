"""A bootable disk out of a tree: MBR, one partition or two, extlinux, a serial console."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smc_tui.model.units import GIB, MIB
from tests.vm.tree import kernel_of

FileSystem = Literal["ext4", "xfs"]

SIZE = 3 * GIB
#: Its first 440 bytes are a disk's boot code.
MBR = Path("/usr/lib/EXTLINUX/mbr.bin")


@dataclass(frozen=True)
class Part:
    """A partition: where it lies in bytes, what is on it and where that is mounted."""

    start: int
    size: int
    file_system: FileSystem
    label: str
    mount_point: str


#: extlinux of Debian 12 reads no xfs of today: there, /boot has a partition of its own.
LAYOUTS: dict[FileSystem, tuple[Part, ...]] = {
    "ext4": (Part(MIB, SIZE - MIB, "ext4", "rootfs", "/"),),
    "xfs": (
        Part(257 * MIB, SIZE - 257 * MIB, "xfs", "rootfs", "/"),
        Part(MIB, 256 * MIB, "ext4", "boot", "/boot"),
    ),
}

_EXTLINUX = """\
DEFAULT linux
TIMEOUT 1
PROMPT 0
LABEL linux
 LINUX {folder}/vmlinuz-{kernel}
 INITRD {folder}/initrd.img-{kernel}
 APPEND root=LABEL=rootfs ro console=ttyS0 net.ifnames=0 quiet
"""


def build(folder: Path, tree: Path, key: Path, file_system: FileSystem = "ext4") -> Path:
    """Make a raw, sparse disk that boots as a server which lets root in by a key.

    Args:
        folder: Where the disk is written.
        tree: What is on it, as ``make_tree`` made it.
        key: The public key that root is let in by.
        file_system: That of ``/``.

    Returns:
        The disk's path. Whatever happens, nothing stays mounted and no loop device is held.
    """
    disk = folder / f"{file_system}.raw"
    parts = LAYOUTS[file_system]
    try:
        with disk.open("wb") as file:
            file.truncate(SIZE)
        _partition(disk, parts)
        with ExitStack() as stack:
            root = Path(tempfile.mkdtemp(prefix="smc-tui-guest-", dir=folder))
            stack.callback(root.rmdir)
            for part in parts:
                device = stack.enter_context(loop_device(disk, part))
                _make_file_system(part, device)
                stack.enter_context(_mounted(device, root / part.mount_point[1:]))
            _call("cp", "-a", "--reflink=never", f"{tree}/.", root)
            _fit(root, tree, key, parts)
            _call("extlinux", "--install", root / "boot/extlinux")
        with disk.open("r+b") as file:
            file.write(MBR.read_bytes()[:440])
    except BaseException:
        disk.unlink(missing_ok=True)
        raise
    return disk


@contextmanager
def loop_device(disk: Path, part: Part) -> Iterator[Path]:
    """Yield a loop device over a partition; it is freed at the end."""
    place = ("--offset", str(part.start), "--sizelimit", str(part.size))
    device = Path(_call("losetup", "--find", "--show", *place, disk))
    try:
        yield device
    finally:
        _call("losetup", "--detach", device)


@contextmanager
def _mounted(device: Path, at: Path) -> Iterator[None]:
    at.mkdir(exist_ok=True)
    _call("mount", device, at)
    try:
        yield
    finally:
        _call("umount", at)


def _partition(disk: Path, parts: tuple[Part, ...]) -> None:
    words = ["mklabel", "msdos"]
    for part in sorted(parts, key=lambda part: part.start):
        end = part.start + part.size - 1
        words += ["mkpart", "primary", part.file_system, f"{part.start}B", f"{end}B"]
    _call("parted", "--script", disk, *words, "set", "1", "boot", "on")


def _make_file_system(part: Part, device: Path) -> None:
    if part.file_system == "xfs":
        _call("mkfs.xfs", "-q", "-f", "-L", part.label, device)
        return
    # Written whole at once: a guest would go on with it for minutes. No 64bit for extlinux.
    options = ("-O", "^64bit", "-E", "lazy_itable_init=0,lazy_journal_init=0")
    _call("mkfs.ext4", "-q", "-F", "-L", part.label, *options, device)


def _fit(root: Path, tree: Path, key: Path, parts: tuple[Part, ...]) -> None:
    """Write what differs between disks of one tree: who is let in, what is mounted, the boot."""
    ssh = root / "root/.ssh"
    ssh.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(key, ssh / "authorized_keys")
    (root / "etc/fstab").write_text(
        "".join(
            f"LABEL={part.label} {part.mount_point} {part.file_system} defaults 0 {number}\n"
            for number, part in enumerate(parts, 1)
        )
    )
    folder = "" if len(parts) > 1 else "/boot"
    config = root / "boot/extlinux/extlinux.conf"
    config.parent.mkdir(exist_ok=True)
    config.write_text(_EXTLINUX.format(folder=folder, kernel=kernel_of(tree)))


def _call(*command: str | Path) -> str:
    """Run a command, which must succeed; return what it says."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()
