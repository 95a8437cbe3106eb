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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smc_tui.images.files import Files, reading, try_lock
from smc_tui.images.index import Index, Row
from smc_tui.images.packs import batches, pack_ids, pack_path, proven, record_size
from smc_tui.images.paths import Paths

_PAGE = 4096


def recover(paths: Paths, files: Files, index: Index) -> None:
    """Enter the tails of all packs without a writer into the index.

    Raises:
        SmcError: Destination.Full, Destination.IoError, Store.IndexDamaged, Store.Unreadable.
    """
    acknowledged = index.acknowledged()
    for pack in pack_ids(paths.packs):
        path = pack_path(paths.packs, pack)
        with suppress(FileNotFoundError), reading(path):
            if path.stat().st_size > acknowledged.get(pack, -1):
                _recover_pack(path, pack, files, index)


def _recover_pack(path: Path, pack: int, files: Files, index: Index) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not try_lock(fd) or not os.fstat(fd).st_nlink:
            return
        # Read again under the flock: the writer may have finished just before.
        start = index.acknowledged_length(pack)
        size = os.fstat(fd).st_size
        if size > start:
            tail = _Tail(fd, path, pack, start, size)
            end = tail.enter(files, index)
            if end < size:
                files.truncate(fd, end, path)
                files.fsync(fd, path)
            size = end
        if size == 0:
            files.unlink(path)
    finally:
        os.close(fd)


@dataclass(frozen=True)
class _Tail:
    """The bytes of a pack that nobody has acknowledged."""

    fd: int
    path: Path
    pack: int
    start: int
    size: int

    def enter(self, files: Files, index: Index) -> int:
        """Index the good records; return where the last of them ends."""
        files.fsync(self.fd, self.path)
        files.fsync_dir(self.path.parent)
        os.posix_fadvise(self.fd, self.start // _PAGE * _PAGE, 0, os.POSIX_FADV_DONTNEED)
        end = self.start
        for batch in batches(proven(self.fd, self.start, self.size)):
            offset, header, _ = batch[-1]
            end = offset + record_size(header.length)
            rows = [Row(h.name, self.pack, at, h.length, h.encoding, h.kind) for at, h, _ in batch]
            index.add(rows, {self.pack: end})
        return end
