"""What is referred to: from manifests and change maps to lists to blocks.

The set of live names is kept in a scratch database beside the index, not in
memory, so that a store of any size is walked in the same few megabytes. It is
attached to the index, so "stored but not live" and "live but not stored" are
one SQL statement each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from smc_tui.images import manifest as manifests
from smc_tui.images.blocks import ZERO_BLOCK, ZERO_LIST, Kind, split
from smc_tui.images.changemap import read_lists
from smc_tui.images.files import index_error
from smc_tui.images.index import NAMES_A_STATEMENT, State
from smc_tui.images.objects import Objects
from smc_tui.images.paths import Paths
from smc_tui.images.progress import Progress, no_progress

NAMES_A_PAGE = 1024
_CACHE_KIB = 32 * 1024


def roots(paths: Paths) -> Iterator[tuple[Path, Iterator[bytes]]]:
    """Yield every root with its list digests: maps, then images, then removed images.

    The order matters (collect.py): what a map names moves into a manifest
    before the map goes, and a manifest moves among the removed, so a root that
    moves during the walk is met where it goes. Each folder is listed when its
    turn comes, and each root is to be read before the next is asked for.

    Raises:
        SmcError: Image.ManifestDamaged, when the digests of an image are asked for.
    """
    for path in paths.maps():
        yield path, read_lists(path)
    for path in map(paths.manifest, paths.images()):
        yield path, _manifest_lists(path)
    for path in map(paths.removed_manifest, paths.removed_images()):
        yield path, _manifest_lists(path)


def _manifest_lists(path: Path) -> Iterator[bytes]:
    with suppress(FileNotFoundError):  # removed or forgotten since it was listed
        for disk in manifests.read(path).disks:
            yield from disk.lists()


class LiveSet:
    """The names that something refers to; a context manager, one at a time.

    Args:
        paths: the store; the caller holds its collection lock.
    """

    def __init__(self, paths: Paths) -> None:
        self._path = paths.root / "live.db"
        self._path.unlink(missing_ok=True)
        try:
            self._db = sqlite3.connect(self._path.as_uri(), uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise index_error(error, self._path) from error
        try:
            self._db.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                f"PRAGMA cache_size = -{_CACHE_KIB};"
                "CREATE TABLE blocks (name BLOB PRIMARY KEY) WITHOUT ROWID;"
                "CREATE TABLE lists (name BLOB PRIMARY KEY) WITHOUT ROWID;"
            )
            self._db.execute("ATTACH ? AS store", [f"{paths.index.as_uri()}?mode=ro"])
        except sqlite3.Error as error:
            self.close()
            raise index_error(error, self._path) from error

    def __enter__(self) -> LiveSet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget it all."""
        self._db.close()
        self._path.unlink(missing_ok=True)

    def _query(self, sql: str, arguments: Sequence[object] = ()) -> list[bytes]:
        try:
            return [name for (name,) in self._db.execute(sql, arguments)]
        except sqlite3.Error as error:
            raise index_error(error, self._path) from error

    def _insert(self, table: str, names: Sequence[bytes]) -> None:
        try:
            self._db.execute("BEGIN")
            self._db.executemany(
                f"INSERT OR IGNORE INTO {table} VALUES (?)", [(name,) for name in sorted(names)]
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise index_error(error, self._path) from error

    # Filling ---------------------------------------------------------------

    def walk(self, paths: Paths, objects: Objects, progress: Progress = no_progress) -> set[bytes]:
        """Add all that the roots refer to; may be called again to add what is new.

        Returns:
            The lists that could not be read: what they name is not in the set.

        Raises:
            SmcError: Image.ManifestDamaged, Store.Unreadable, Store.IndexDamaged.
        """
        total = len(list(paths.maps())) + len(paths.images()) + len(paths.removed_images())
        unreadable: set[bytes] = set()
        for number, (_, digests) in enumerate(roots(paths)):
            progress("reading what is kept", number, max(total, number))
            unreadable |= self.add_root(digests, objects)
        return unreadable

    def add_root(self, digests: Iterator[bytes], objects: Objects) -> set[bytes]:
        """Add what one root refers to; return its lists that could not be read."""
        unreadable: set[bytes] = set()
        while batch := list(islice(digests, NAMES_A_STATEMENT)):
            unreadable |= self.add_lists(batch, objects)
        return unreadable

    def add_lists(self, digests: Sequence[bytes], objects: Objects) -> set[bytes]:
        """Add lists and the blocks that they name; return those that could not be read."""
        new = set(digests) - {ZERO_LIST} - self._known(digests)
        if not new:
            return set()
        self._insert("lists", list(new))
        fetched = objects.fetch(new, Kind.LIST)
        for text in fetched.texts.values():
            self._insert("blocks", list(set(split(bytes(text))) - {ZERO_BLOCK}))
        return set(fetched.harms)

    def _known(self, digests: Sequence[bytes]) -> set[bytes]:
        holes = ",".join("?" * len(digests))
        return set(self._query(f"SELECT name FROM lists WHERE name IN ({holes})", list(digests)))

    # Asking ----------------------------------------------------------------

    def pages(self, state: State, *, live: bool) -> Iterator[list[bytes]]:
        """Yield the stored names in a state that are live, or are not, some at a time.

        No transaction is open between two pages: the caller changes their rows.
        """
        word = "" if live else "NOT"
        # SQLite uses the index of what is not good only if its condition stands here.
        where = f"state <> 0 AND state = {int(state)}" if state else "state = 0"
        yield from self._pages(
            f"SELECT name FROM store.blocks AS stored WHERE {where} AND name > ?"
            f" AND {word} (EXISTS (SELECT 1 FROM main.blocks WHERE name = stored.name)"
            " OR EXISTS (SELECT 1 FROM main.lists WHERE name = stored.name))"
        )

    def missing(self, kind: Kind) -> Iterator[list[bytes]]:
        """Yield the live blocks, or lists, that the index does not know, some at a time."""
        table = "blocks" if kind is Kind.BLOCK else "lists"
        yield from self._pages(
            f"SELECT name FROM main.{table} AS live WHERE name > ?"
            " AND NOT EXISTS (SELECT 1 FROM store.blocks WHERE name = live.name)"
        )

    def _pages(self, sql: str) -> Iterator[list[bytes]]:
        last = b""
        while True:
            page = self._query(f"{sql} ORDER BY name LIMIT {NAMES_A_PAGE}", [last])
            if not page:
                return
            last = page[-1]
            yield page
