"""The job store's tables, and the numbered way from each version to the next.

``PRAGMA user_version`` is the version. The migrations that a home lacks run in one
transaction with the new number, so it is of one version or the other, never between. Once
released a migration is not edited; a change is the next number.

sqlite-utils is imported here and in the writer only, inside functions: it costs
80 ms, which the command line, reading through plain sqlite3, does not pay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def _ground_floor(db: Database) -> None:
    db.table("sources").create(
        {
            "id": str,
            "name": str,
            "state": str,
            "ssh": str,
            "disks": str,
            "created": float,
            "checked": float,
            "host_key": str,
            "inventory": str,
            "link_bps": float,
            "description": str,
            "fault": str,
        },
        pk="id",
        not_null={"name", "state", "disks", "created", "checked", "inventory", "description"},
        strict=True,
    ).create_index(["name"], unique=True)
    _jobs(db)
    _runs(db)
    _images(db)
    _resources(db)
    _history(db)


def _jobs(db: Database) -> None:
    jobs = db.table("jobs").create(
        {
            "id": str,
            "name": str,
            "description": str,
            "source_id": str,
            "source_name": str,
            "target": str,
            "image_name": str,
            "interval": int,
            "keep": int,
            "start_at": float,
            "valid_until": float,
            "limit_mbit": int,
            "compression": str,
            "status": str,
            "phase": str,
            "progress": float,
            "created": float,
            "next_run": float,
            "run_id": str,
            "wish": str,
            "completing": int,
            "expired": float,
            "fault": str,
            "live": str,
        },
        pk="id",
        not_null={"name", "source_id", "status", "progress", "created", "wish", "completing"},
        strict=True,
    )
    jobs.create_index(["name"], unique=True)
    # One unfinished job a source, held by the store itself whatever the code does.
    db.execute(
        "CREATE UNIQUE INDEX one_unfinished_job_a_source ON jobs (source_id)"
        " WHERE status NOT IN ('Finished', 'Deleting')"
    )


# Runs, images and events outlive their job, so nothing below refers to jobs by key.


def _runs(db: Database) -> None:
    runs = db.table("runs").create(
        {
            "id": str,
            "job_id": str,
            "kind": str,
            "image_id": str,
            "image_name": str,
            "started": float,
            "ended": float,
            "attempts": int,
            "seconds": float,
            "counters": str,
            "published": int,
            "report": str,
            "fault": str,
        },
        pk="id",
        not_null={"job_id", "kind", "image_id", "started", "attempts", "counters", "published"},
        strict=True,
    )
    runs.create_index(["job_id", "started"])


def _images(db: Database) -> None:
    images = db.table("images").create(
        {
            "id": str,
            "name": str,
            "job_id": str,
            "job_name": str,
            "run_id": str,
            "source_id": str,
            "source_name": str,
            "created": float,
            "state": str,
            "consistency": str,
            "reason": str,
            "root": str,
            "disks": str,
            "verified": float,
            "fault": str,
        },
        pk="id",
        not_null={"name", "job_id", "run_id", "created", "state", "consistency", "root", "disks"},
        strict=True,
    )
    images.create_index(["name"], unique=True)
    images.create_index(["job_id", "created"])
    db.table("holds").create({"image_id": str, "holder": str}, pk=("image_id", "holder"))


def _resources(db: Database) -> None:
    resources = db.table("resources").create(
        {
            "id": str,
            "name": str,
            "job_id": str,
            "state": str,
            "created": float,
            "size": int,
            "released": float,
        },
        pk="id",
        not_null={"name", "job_id", "state", "created", "size"},
        strict=True,
    )
    resources.create_index(["job_id"])


def _history(db: Database) -> None:
    db.execute(
        "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,"
        " actor TEXT NOT NULL, action TEXT NOT NULL, result TEXT NOT NULL,"
        " source_id TEXT NOT NULL, job_id TEXT NOT NULL, run_id TEXT NOT NULL,"
        " image_id TEXT NOT NULL, facts TEXT NOT NULL) STRICT"
    )
    db.table("events").create_index(["job_id", "id"])
    # The number gives the order in which requests came; it is never used twice.
    db.execute(
        "CREATE TABLE requests (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " token TEXT UNIQUE, verb TEXT NOT NULL, target TEXT NOT NULL, args TEXT NOT NULL,"
        " actor TEXT NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL,"
        " facts TEXT NOT NULL, result TEXT NOT NULL, progress TEXT NOT NULL,"
        " awaits TEXT NOT NULL, accepted REAL, ended REAL) STRICT"
    )
    db.table("requests").create_index(["state", "seq"])
    db.table("engine").create(
        {
            "id": int,
            "pid": int,
            "version": str,
            "started": float,
            "stopped": float,
            "time_lapse": float,
            "clock_now": float,
            "clock_offset": float,
        },
        pk="id",
        strict=True,
    )


def _tags_and_drills(db: Database) -> None:
    for name in ("sources", "jobs"):
        db.table(name).add_column("tags", str, not_null_default="[]")
    # A job made before there were drills migrates as it was made to.
    db.table("jobs").add_column("drill", str, not_null_default="off")
    db.table("jobs").add_column("drill_report", str, not_null_default="{}")


def _drills_before_starts(db: Database) -> None:
    db.table("jobs").add_column("starting", int, not_null_default=0)


def _readings(db: Database) -> None:
    db.table("runs").add_column("reading", str, not_null_default="{}")
    # It was said among what is only reported, and in one word alone.
    said, word = "json_extract(report, '$.change_detection')", "full comparison"
    db.execute(
        f"UPDATE runs SET reading = json_object('change_detection', {said}),"
        f" report = json_remove(report, '$.change_detection') WHERE {said} = ?",
        [word],
    )


def _instants(db: Database) -> None:
    jobs = db.table("jobs")
    jobs.add_column("instant", str, not_null_default="auto")
    jobs.add_column("before_freeze", str, not_null_default="[]")
    jobs.add_column("after_thaw", str, not_null_default="[]")
    jobs.add_column("hook_timeout", int, not_null_default=10)


def _cutovers(db: Database) -> None:
    db.table("jobs").add_column("cutover", str, not_null_default="{}")


def _hours(db: Database) -> None:
    # What a disk's counts said last, and what that came to an hour: ``model/window.py``.
    db.table("counts").create(
        {"source_id": str, "disk": str, "at": float, "written": int, "epoch": str},
        pk=("source_id", "disk"),
        not_null={"at", "written", "epoch"},
        strict=True,
    )
    db.table("hours").create(
        {"source_id": str, "disk": str, "number": int, "written": float, "seconds": float},
        pk=("source_id", "disk", "number"),
        not_null={"written", "seconds"},
        strict=True,
    )


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    _ground_floor,
    _tags_and_drills,
    _drills_before_starts,
    _readings,
    _instants,
    _cutovers,
    _hours,
)

VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of a home's tables; 0 is an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this program's version.

    The write lock is taken before the version is looked at, so that two processes
    meeting on an empty home do it once.
    """
    from sqlite_utils import Database

    # No plugins: what others installed for sqlite-utils has no business in here.
    db = Database(connection, execute_plugins=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # All in one transaction: who meets an empty home finds it empty or whole,
        # never of a version that asks for an engine.
        for number in range(version_of(connection), VERSION):
            MIGRATIONS[number](db)
        connection.execute(f"PRAGMA user_version = {max(VERSION, version_of(connection))}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
