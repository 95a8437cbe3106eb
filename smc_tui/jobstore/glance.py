"""A glance at a job store without touching it: for shell completion and ``doctor``.

Opened read-only: nothing is made, nothing is brought up to date, nobody waits, and
whatever is not there or cannot be read is simply nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from smc_tui.jobstore.home import Home
from smc_tui.jobstore.schema import version_of

#: A glance waits no longer than this for another's transaction, seconds.
PATIENCE = 0.2

#: The things that have ids, names and maybe tags, by their table.
THINGS = ("sources", "jobs", "images", "resources")

_MOST = 2000


@dataclass(frozen=True, slots=True)
class Glance:
    """A home's version, and what its last engine wrote about itself."""

    version: int
    engine: dict[str, Any] | None = None


def glance(home: Home) -> Glance | None:
    """Return what a job store tells of itself; None: there is none, or none to be read."""
    try:
        with _opened(home) as connection:
            version = version_of(connection)
            if not version:
                return None
            row = connection.execute("SELECT * FROM engine").fetchone()
            return Glance(version, dict(row) if row else None)
    except (sqlite3.Error, OSError):
        return None


def names(home: Home, table: str) -> list[tuple[str, str]]:
    """Return id and name of every source, job, image or resource, the newest first."""
    assert table in THINGS, "the table is no input"
    try:
        with _opened(home) as connection:
            sql = f"SELECT id, name FROM {table} ORDER BY created DESC LIMIT {_MOST}"
            return [(row[0], row[1]) for row in connection.execute(sql)]
    except (sqlite3.Error, OSError):
        return []


def tags(home: Home) -> list[str]:
    """Return every tag of a source or a job."""
    try:
        with _opened(home) as connection:
            found = connection.execute(
                "SELECT DISTINCT value FROM (SELECT tags FROM sources UNION ALL"
                " SELECT tags FROM jobs), json_each(tags) ORDER BY value"
            )
            return [row[0] for row in found]
    except (sqlite3.Error, OSError):
        return []


@contextmanager
def _opened(home: Home) -> Iterator[sqlite3.Connection]:
    # With no write-ahead log there is nobody to read beside, and even a reader's shared
    # memory need not be made; should an engine begin just now, this glance fails.
    beside = home.jobs_db.with_name(f"{home.jobs_db.name}-wal").exists()
    address = f"{home.jobs_db.as_uri()}?mode=ro{'' if beside else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True, timeout=PATIENCE)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection
