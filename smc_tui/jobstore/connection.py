"""A connection to the job store, and SQLite's failures in the catalogue's words.

WAL: readers never wait for the engine and the engine never for readers; a process
killed at any moment leaves a log that the next opener replays or drops whole.
``synchronous=FULL``: a transaction that has returned survives a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from smc_tui.jobstore.home import Home
from smc_tui.jobstore.schema import VERSION, migrate, version_of
from smc_tui.model.errors import SmcError

#: A writer waits this long for another's transaction; the longest takes milliseconds.
BUSY_SECONDS = 10.0

_PRIMARY = 0xFF
_CODES = {
    sqlite3.SQLITE_FULL: "JobStore.Full",
    sqlite3.SQLITE_BUSY: "JobStore.Busy",
    sqlite3.SQLITE_LOCKED: "JobStore.Busy",
    sqlite3.SQLITE_CORRUPT: "JobStore.Damaged",
    sqlite3.SQLITE_NOTADB: "JobStore.Damaged",
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn SQLite's failures inside into SmcErrors of the job store."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        primary = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        if primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE):
            raise  # a mistake of this program, not of the machine
        raise SmcError(_CODES.get(primary, "JobStore.IoError"), str(error)) from error


def connect(home: Home, *, upgrade: bool = False) -> sqlite3.Connection:
    """Open the job store; an empty home gets its tables.

    Args:
        home: the home folder, made if missing.
        upgrade: whether an older home may be brought up to date. Only the holder of
            the engine's lock may: an older engine may be at work on it.

    Raises:
        SmcError: Home.Unusable, Home.Newer, Home.Older, JobStore.*.
    """
    home.prepare()
    with translated():
        connection = sqlite3.connect(home.jobs_db, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _settle(connection, home, upgrade)
        except BaseException:
            connection.close()
            raise
    return connection


def check_version(connection: sqlite3.Connection, home: Home) -> int:
    """Return the job store's version.

    Raises:
        SmcError: Home.Newer, where it is none that this program knows.
    """
    version = version_of(connection)
    if version > VERSION:
        raise SmcError(
            "Home.Newer", f"{home.path} is of version {version}, this program knows {VERSION}"
        )
    return version


def _settle(connection: sqlite3.Connection, home: Home, upgrade: bool) -> None:
    connection.row_factory = sqlite3.Row
    version = check_version(connection, home)
    if version and version < VERSION and not upgrade:
        raise SmcError("Home.Older", f"{home.path} is of version {version}, not {VERSION}")
    if version < VERSION:
        with _one_at_a_time(home):
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    """Hold the home folder's flock.

    Two connections that turn on WAL at the same moment do not wait for each other,
    whatever their timeout: SQLite tells one of them at once that it is busy.
    """
    folder = os.open(home.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
