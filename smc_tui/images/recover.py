"""What dead writers left behind: tails of packs that no index knows.

A record in a tail counts if its bytes hash to its name, so nothing that reached
the file is lost and nothing torn is kept; what follows the last such record is
cut off. The pack's flock says that its writer is gone, and holding it keeps out
everybody else who would mend the same pack.

A tail may be what a failed fsync left: pages that the kernel calls clean and
that are not on the disk. So the file is synced and its clean pages are dropped
before it is read: what is proven was read from where it must last.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from smc_tui.images.files import Files, reading, try_lock
from smc_tui.images.index import Index, Row
from smc_tui.images.packs import pack_ids, pack_path, proven, record_size
from smc_tui.images.paths import Paths

_ROWS_A_BATCH = 4096
_PAGE = 4096


@dataclass
class Recovery:
    """What was found.

    Args:
        packs: packs that had a tail.
        records: good records entered into the index.
        cut: torn bytes cut off.
    """

    packs: int = 0
    records: int = 0
    cut: int = 0


def recover(paths: Paths, files: Files, index: Index) -> Recovery:
    """Enter the tails of all packs without a writer into the index.

    Raises:
        SmcError: Destination.Full, Destination.IoError, Store.IndexDamaged.
    """
    recovery = Recovery()
    acknowledged = index.acknowledged()
    for pack in pack_ids(paths.packs):
        path = pack_path(paths.packs, pack)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            continue
        if pack not in acknowledged or size > acknowledged[pack]:
            _recover_pack(path, pack, files, index, recovery)
    return recovery


def _recover_pack(path: Path, pack: int, files: Files, index: Index, recovery: Recovery) -> None:
    try:
        with reading(path):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not try_lock(fd) or not os.fstat(fd).st_nlink:
            return
        # Read again under the flock: the writer may have finished just before.
        start = index.acknowledged_length(pack)
        size = os.fstat(fd).st_size
        if size > start:
            recovery.packs += 1
            with reading(path):
                end = _enter_tail(fd, path, pack, start, size, files, index, recovery)
            if end < size:
                files.truncate(fd, end, path)
                files.fsync(fd, path)
                recovery.cut += size - end
            size = end
        if size == 0:
            files.unlink(path)
    finally:
        os.close(fd)


def _enter_tail(
    fd: int,
    path: Path,
    pack: int,
    start: int,
    size: int,
    files: Files,
    index: Index,
    recovery: Recovery,
) -> int:
    """Index the good records of a tail; return where the last of them ends."""
    files.fsync(fd, path)
    files.fsync_dir(path.parent)
    os.posix_fadvise(fd, start // _PAGE * _PAGE, 0, os.POSIX_FADV_DONTNEED)
    end = start
    rows: list[Row] = []
    for offset, header, _ in proven(fd, start, size):
        end = offset + record_size(header.length)
        rows.append(Row(header.name, pack, offset, header.length, header.encoding, header.kind))
        recovery.records += 1
        if len(rows) == _ROWS_A_BATCH:
            index.add(rows, {pack: end})
            rows = []
    if end > start:
        index.add(rows, {pack: end})
    return end
