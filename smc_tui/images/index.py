"""The index: where every block and list lies, in SQLite, made from the packs.

Nothing here is the only copy of anything: lost or damaged, it is made anew by
reading the packs (``rebuild.py``). Rows are in one of three states:

    GOOD       stored, and proven when it was written
    CONDEMNED  nothing referred to it when the collection looked; whoever needs
               it resurrects it, else the next sweep deletes the row
    BAD        found damaged or missing; counts as not stored, and the next put
               of the same name takes its place

SQLite runs in WAL mode with synchronous=FULL: a commit that has returned is on
the disk. One Index is one connection, used by several threads under its lock.
Write transactions begin IMMEDIATE and are short (at most some thousand rows),
so sessions, readers and the collection wait for each other by milliseconds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from smc_tui.images.files import Files, index_error
from smc_tui.images.packs import HEADER
from smc_tui.model.errors import SmcError

APPLICATION = 0x534D4349  # "SMCI"
VERSION = 1
NAMES_A_STATEMENT = 256
_BUSY_SECONDS = 60
_CACHE_KIB = 16 * 1024

_SCHEMA = """
CREATE TABLE blocks (
    name     BLOB PRIMARY KEY,
    pack     INTEGER NOT NULL,   -- 0: nowhere (a name known to be missing)
    offset   INTEGER NOT NULL,   -- of the record's header
    length   INTEGER NOT NULL,   -- of the payload
    encoding INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    state    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blocks_not_good ON blocks (state) WHERE state <> 0;
CREATE TABLE packs (             -- how far each pack is acknowledged
    pack   INTEGER PRIMARY KEY,
    length INTEGER NOT NULL
);
CREATE TABLE sessions (          -- the open writers; alive as long as their file is flocked
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    token   TEXT NOT NULL UNIQUE,
    owner   TEXT NOT NULL,
    pid     INTEGER NOT NULL,
    started REAL NOT NULL
);
CREATE TABLE barriers (          -- subject may go once all sessions up to this one have ended
    subject TEXT PRIMARY KEY,
    session INTEGER NOT NULL
);
"""

_KEEP_GOOD = """
INSERT INTO blocks (name, pack, offset, length, encoding, kind, state) VALUES (?,?,?,?,?,?,0)
ON CONFLICT (name) DO UPDATE SET pack=excluded.pack, offset=excluded.offset,
    length=excluded.length, encoding=excluded.encoding, kind=excluded.kind, state=0
WHERE blocks.state <> 0
"""

# SQLite uses a partial index only if its condition stands in the query.
_IS_BAD = "state <> 0 AND state = 2"
_IS_CONDEMNED = "state <> 0 AND state = 1"


class State(IntEnum):
    """What the index thinks of a name."""

    GOOD = 0
    CONDEMNED = 1
    BAD = 2


class Row(NamedTuple):
    """Where a record lies, as put into the index."""

    name: bytes
    pack: int
    offset: int
    length: int
    encoding: int
    kind: int


class Place(NamedTuple):
    """Where a record lies, as the index answers."""

    pack: int
    offset: int
    length: int
    encoding: int
    kind: int
    state: int


class Use(NamedTuple):
    """What the index has in a pack: rows, the bytes of their records, how many are bad."""

    rows: int = 0
    bytes: int = 0
    bad: int = 0


def _placeholders(names: Sequence[bytes]) -> tuple[str, list[bytes]]:
    """Return SQL for a list of names, in few distinct forms so that statements are cached."""
    size = 1
    while size < len(names):
        size *= 4
    return ",".join("?" * size), [*names, *[names[-1]] * (size - len(names))]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


class Index:
    """One connection to the index.

    Args:
        path: the database; it must exist (``create`` makes an empty one).
        files: the fault seam.

    Raises:
        SmcError: Store.IndexDamaged, Store.Newer.
    """

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self._files = files
        self._lock = threading.RLock()
        self._identity = _identity(path)
        with self._errors():
            self._db = sqlite3.connect(
                f"{path.as_uri()}?mode=rw",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute("PRAGMA synchronous = FULL")
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION or version < 1:
            raise SmcError("Store.IndexDamaged", f"{self.path} is no index", path=str(self.path))
        if version > VERSION:
            raise SmcError("Store.Newer", f"{self.path} has version {version}, known is {VERSION}")

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty index; the caller makes it durable."""
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.executescript(
                f"PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION};"
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            )
        except sqlite3.Error as error:
            raise index_error(error, path) from error
        finally:
            db.close()

    def close(self) -> None:
        """Close the connection; what was not committed is gone."""
        with self._lock, suppress(sqlite3.Error):
            self._db.close()

    def is_replaced(self) -> bool:
        """Tell whether the database's name now belongs to another one."""
        return self._identity != _identity(self.path)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise index_error(error, self.path) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make of the body one transaction, durable at its end, undone if it raises."""
        with self._lock, self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._files.commit(self._db, self.path)
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.rollback()
                raise

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a statement that has few."""
        with self._lock, self._errors():
            return self._db.execute(sql, arguments).fetchall()

    def execute(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once per row of arguments, inside ``writing``; return rows changed."""
        return self._db.executemany(sql, rows).rowcount

    # Looking up ------------------------------------------------------------

    def states(self, names: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """Return (name, state) of those names that have a row; one statement per 256."""
        found: list[tuple[bytes, int]] = []
        for start in range(0, len(names), NAMES_A_STATEMENT):
            holes, padded = _placeholders(names[start : start + NAMES_A_STATEMENT])
            found += self.query(f"SELECT name, state FROM blocks WHERE name IN ({holes})", padded)
        return found

    def places(self, names: Sequence[bytes]) -> dict[bytes, Place]:
        """Return where those of the names lie that have a row; one statement per 256."""
        found: dict[bytes, Place] = {}
        for start in range(0, len(names), NAMES_A_STATEMENT):
            holes, padded = _placeholders(names[start : start + NAMES_A_STATEMENT])
            for name, *place in self.query(
                "SELECT name, pack, offset, length, encoding, kind, state FROM blocks "
                f"WHERE name IN ({holes})",
                padded,
            ):
                found[name] = Place(*place)
        return found

    def bad(self) -> set[bytes]:
        """Return the names that are damaged or missing."""
        return {name for (name,) in self.query(f"SELECT name FROM blocks WHERE {_IS_BAD}")}

    def any_bad(self) -> bool:
        """Tell whether any name is damaged or missing, at once."""
        return bool(self.query(f"SELECT 1 FROM blocks WHERE {_IS_BAD} LIMIT 1"))

    def has_bad(self, pack: int) -> bool:
        """Tell whether a pack has a record that is damaged or missing."""
        sql = f"SELECT 1 FROM blocks WHERE {_IS_BAD} AND pack = ? LIMIT 1"
        return bool(self.query(sql, [pack]))

    def any_condemned(self) -> bool:
        """Tell whether any name is condemned, at once."""
        return bool(self.query(f"SELECT 1 FROM blocks WHERE {_IS_CONDEMNED} LIMIT 1"))

    def names_in(self, pack: int, kind: int) -> list[bytes]:
        """Return the names of one kind in a pack; reads the whole index."""
        rows = self.query("SELECT name FROM blocks WHERE pack = ? AND kind = ?", [pack, kind])
        return [name for (name,) in rows]

    def usage(self) -> dict[int, Use]:
        """Return what the index has in each pack; reads the whole index."""
        rows = self.query(
            f"SELECT pack, count(*), sum(length + {HEADER}), sum(state = 2) FROM blocks"
            " WHERE pack <> 0 GROUP BY pack"
        )
        return {pack: Use(*numbers) for pack, *numbers in rows}

    def acknowledged_length(self, pack: int) -> int:
        """Return how many bytes of one pack are acknowledged."""
        rows = self.query("SELECT length FROM packs WHERE pack = ?", [pack])
        return int(rows[0][0]) if rows else 0

    def acknowledged(self) -> dict[int, int]:
        """Return for every known pack how many of its bytes are acknowledged."""
        return dict(self.query("SELECT pack, length FROM packs"))

    # Changing --------------------------------------------------------------

    def add(self, rows: Iterable[Row], lengths: Mapping[int, int]) -> None:
        """Enter proven records and how far their packs are acknowledged, in one transaction.

        A name that is good already keeps its place; a condemned or a bad one
        takes the new place and is good.
        """
        with self.writing():
            self.execute(_KEEP_GOOD, rows)
            self.execute(
                "INSERT INTO packs VALUES (?,?) ON CONFLICT (pack) DO UPDATE "
                "SET length = max(length, excluded.length)",
                lengths.items(),
            )

    def resurrect(self, names: Sequence[bytes]) -> set[bytes]:
        """Clear the flag of condemned names; return those of the names good after it.

        A sweep that came first has deleted the row: such a name is not returned.
        """
        with self.writing():
            self.execute(
                "UPDATE blocks SET state = 0 WHERE name = ? AND state = 1",
                [(name,) for name in names],
            )
            return {name for name, state in self.states(names) if state == State.GOOD}

    def quarantine(self, name: bytes, place: Place) -> None:
        """Mark a record found damaged, unless a healed one has taken its place."""
        with self.writing():
            self.execute(
                "UPDATE blocks SET state = 2 WHERE name = ? AND pack = ? AND offset = ?",
                [(name, place.pack, place.offset)],
            )

    def restore(self, name: bytes, place: Place) -> int:
        """Take a quarantined record that proved whole for good again; return how many were."""
        with self.writing():
            return self.execute(
                "UPDATE blocks SET state = 0 WHERE name = ? AND pack = ? AND offset = ?"
                " AND state = 2",
                [(name, place.pack, place.offset)],
            )

    def add_missing(self, names: Iterable[bytes], kind: int) -> None:
        """Note names that something refers to and that are not there."""
        with self.writing():
            self.execute(
                "INSERT OR IGNORE INTO blocks VALUES (?,0,0,0,0,?,2)",
                [(name, kind) for name in names],
            )
