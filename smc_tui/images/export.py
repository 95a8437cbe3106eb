"""Handing a disk of an image out as a file: raw or qcow2, sparse in either.

The file appears under its name whole and synced, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from smc_tui.images.blocks import ZERO_BLOCK, Bytes
from smc_tui.images.files import Files
from smc_tui.images.index import Index
from smc_tui.images.manifest import DiskManifest
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress
from smc_tui.images.qcow2 import Qcow2Writer
from smc_tui.images.reader import damage
from smc_tui.images.stream import Segment, stream
from smc_tui.images.verify import damages
from smc_tui.model.errors import SmcError
from smc_tui.model.geometry import BLOCK, SEGMENT


class Format(StrEnum):
    """What an image can be exported as."""

    RAW = "raw"
    QCOW2 = "qcow2"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        path: the file.
        format: its format.
        bytes: of the disk.
        stored: of them, those that are no zeros.
    """

    path: str
    format: Format
    bytes: int
    stored: int


class _Writer(Protocol):
    def write(self, offset: int, blocks: list[Bytes]) -> None: ...
    def finish(self) -> None: ...


@dataclass
class _RawWriter:
    """Writes blocks where they belong; the rest are holes."""

    files: Files
    fd: int
    path: Path
    size: int

    def write(self, offset: int, blocks: list[Bytes]) -> None:
        self.files.write(self.fd, blocks, offset, self.path)

    def finish(self) -> None:
        # Cuts off the zeros that fill the last block, and extends over zeros at the end.
        self.files.truncate(self.fd, self.size, self.path)


@dataclass(frozen=True)
class Source:
    """What to export: a disk of an image, and where it is kept."""

    paths: Paths
    index: Callable[[], Index]
    image: str
    disk: DiskManifest


def export(
    source: Source,
    files: Files,
    target: Path,
    format: Format,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Exported:
    """Write a disk of an image to a file.

    Raises:
        SmcError: Export.TargetExists; Image.BlockDamaged (what is damaged is
            never handed out as if it were whole); Store.IndexDamaged,
            Store.Unreadable, Destination.Full, Destination.IoError.
    """
    target, size = target.absolute(), source.disk.size
    _refuse_existing(target, overwrite=overwrite)
    temporary = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    fd = files.create_locked(temporary)
    try:
        kind = _RawWriter if format is Format.RAW else Qcow2Writer
        writer: _Writer = kind(files, fd, temporary, size)
        stored = _copy(source, writer, progress)
        writer.finish()
        files.fsync(fd, temporary)
        _refuse_existing(target, overwrite=overwrite)  # made by somebody meanwhile
        files.rename(temporary, target)
        files.fsync_dir(target.parent)
    except BaseException:
        with suppress(SmcError):
            files.unlink(temporary)
        raise
    finally:
        os.close(fd)
    return Exported(str(target), format, size, stored)


def _refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Let nothing be replaced by accident, and what is no plain file (a disk!) never."""
    if os.path.lexists(target) and not (overwrite and target.is_file()):
        raise SmcError("Export.TargetExists", f"{target} exists", path=str(target))


def _copy(source: Source, writer: _Writer, progress: Progress) -> int:
    """Write all blocks that are no zeros; return their bytes."""
    stored = 0
    size = source.disk.size
    for segment in stream(source.paths, source.index, source.disk):
        for harm in damages(source.image, source.disk, segment):
            raise damage(source.image, source.disk, harm.offset, harm.name, harm.harm)
        for offset, blocks in _runs(segment):
            writer.write(offset, blocks)
            stored += len(blocks) * BLOCK
        progress("exporting", min((segment.number + 1) * SEGMENT, size), size)
    return stored


def _runs(segment: Segment) -> Iterator[tuple[int, list[Bytes]]]:
    """Yield adjacent blocks that are no zeros: (offset on the disk, blocks)."""
    run: list[Bytes] = []
    start = segment.number * SEGMENT
    for number, name in enumerate(segment.names):
        if name == ZERO_BLOCK:
            if run:
                yield start + (number - len(run)) * BLOCK, run
            run = []
        else:
            run.append(segment.texts[name])
    if run:
        yield start + (len(segment.names) - len(run)) * BLOCK, run
