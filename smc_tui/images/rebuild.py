"""Making the index anew from the packs.

The new database is filled under a name of its own and is complete, closed and
synced before the old one goes. A crash between leaves no index, and a store
without an index is rebuilt when it is next opened. The old journal must be gone
before the new database bears its name, else SQLite would replay it into it.

Nobody may be writing: a session would commit into the replaced file. Hence the
exclusive lock of the store.
"""

from __future__ import annotations

import os
from pathlib import Path

from smc_tui.images.files import Files, reading, writing
from smc_tui.images.index import Index, Row
from smc_tui.images.packs import pack_ids, pack_path, proven
from smc_tui.images.paths import Paths
from smc_tui.images.registry import hold_store

_ROWS_A_BATCH = 8192


def _journals(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def rebuild(paths: Paths, files: Files) -> int:
    """Replace the index by one made from the packs; return its rows.

    Raises:
        SmcError: Store.Busy (a session is open), Destination.Full, Destination.IoError.
    """
    lock = hold_store(paths, exclusive=True)
    try:
        new = paths.index.with_name("index.db.new")
        for left in (new, *_journals(new)):
            files.unlink(left)
        Index.create(new)
        rows = _fill(paths, files, new)
        for old in (paths.index, *_journals(paths.index)):
            files.unlink(old)
        files.fsync_dir(paths.root)
        files.rename(new, paths.index)
        files.fsync_dir(paths.root)
        return rows
    finally:
        os.close(lock)


def _fill(paths: Paths, files: Files, new: Path) -> int:
    index = Index(new, files)
    try:
        for pack in pack_ids(paths.packs):
            _enter_pack(paths, pack, index)
        ((rows,),) = index.query("SELECT count(*) FROM blocks")
    finally:
        index.close()  # the last connection: SQLite folds the journal into the file
    with writing(new):
        fd = os.open(new, os.O_RDWR | os.O_CLOEXEC)
    try:
        files.fsync(fd, new)
    finally:
        os.close(fd)
    return int(rows)


def _enter_pack(paths: Paths, pack: int, index: Index) -> None:
    path = pack_path(paths.packs, pack)
    with reading(path), path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        rows: list[Row] = []
        for offset, header, _ in proven(file.fileno(), 0, size):
            rows.append(Row(header.name, pack, offset, header.length, header.encoding, header.kind))
            if len(rows) == _ROWS_A_BATCH:
                index.add(rows, {})
                rows = []
        # Nothing is cut off here, whatever the end looks like: all is acknowledged.
        index.add(rows, {pack: size})
