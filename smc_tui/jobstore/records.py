"""What the job store remembers, read as the model's things.

Reading is plain sqlite3 with no library above it, because a command's start-up is most
of its run time.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smc_tui.jobstore import rows
from smc_tui.jobstore.connection import check_version, connect, translated
from smc_tui.jobstore.home import Home
from smc_tui.model.actions import Ability
from smc_tui.model.errors import SmcError
from smc_tui.model.report import DELETED, LAST, Known
from smc_tui.model.things import Event, Image, Job, Resource, Run, Source
from smc_tui.model.window import Hour

_IMAGES = (
    "SELECT images.*, (SELECT json_group_array(holder) FROM"
    " (SELECT holder FROM holds WHERE image_id = images.id ORDER BY holder)) AS holds FROM images"
)


@dataclass(frozen=True, slots=True)
class EngineRow:
    """What the last engine wrote about itself; whether it lives is ``engine_alive``."""

    pid: int
    version: str
    started: float
    stopped: float | None
    time_lapse: float
    clock_now: float
    clock_offset: float


class Records:
    """One home's job store, open for reading.

    Use as a context manager, or close it.
    """

    def __init__(self, home: Home, connection: sqlite3.Connection) -> None:
        self.home = home
        self._connection = connection
        found = home.jobs_db.stat()
        self._place = (found.st_dev, found.st_ino)

    @classmethod
    def open(cls, home: Home | Path | str | None = None) -> Self:
        """Open a home's job store; a new home gets an empty one.

        Raises:
            SmcError: Home.Unusable, Home.Newer, Home.Older, JobStore.*.
        """
        found = home if isinstance(home, Home) else Home.find(home)
        return cls(found, connect(found))

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Reading

    def be_patient(self, seconds: float) -> None:
        """Wait at most so long for another's lock, then raise JobStore.Busy."""
        self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def check_place(self) -> None:
        """See that the home still holds the job store that this one has open.

        Raises:
            SmcError: Home.Unusable where it is gone, Home.Newer after an update, JobStore.*.
        """
        try:
            found = self.home.jobs_db.stat()
        except OSError as error:
            raise SmcError("Home.Unusable", f"{self.home.jobs_db}: {error.strerror}") from error
        if (found.st_dev, found.st_ino) != self._place:
            raise SmcError("Home.Unusable", f"{self.home.jobs_db} is another one now: open it anew")
        with translated():
            check_version(self._connection, self.home)

    def data_version(self) -> int:
        """Return a number that changes when another process has changed something."""
        return int(self._one("PRAGMA data_version")[0])

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reading inside see one moment."""
        with translated():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def sources(self) -> list[Source]:
        """Return all sources, oldest first."""
        return [rows.source_of(row) for row in self._all("SELECT * FROM sources ORDER BY created")]

    def source(self, ref: str) -> Source:
        """Return a source by id or name.

        Raises:
            SmcError: SourceServer.NotFound.
        """
        row = self._one("SELECT * FROM sources WHERE id = ?1 OR name = ?1", ref)
        if row is None:
            raise SmcError("SourceServer.NotFound", f"there is no source {ref}")
        return rows.source_of(row)

    def jobs(self) -> list[Job]:
        """Return all jobs, oldest first."""
        return [rows.job_of(row) for row in self._all("SELECT * FROM jobs ORDER BY created, id")]

    def job_rows(self) -> list[sqlite3.Row]:
        """Return all jobs, oldest first, as the table holds them: for who compares."""
        return self._all("SELECT * FROM jobs ORDER BY created, id")

    def job(self, ref: str) -> Job:
        """Return a job by id or name.

        Raises:
            SmcError: ReplicationJob.NotFound.
        """
        row = self._one("SELECT * FROM jobs WHERE id = ?1 OR name = ?1", ref)
        if row is None:
            raise SmcError("ReplicationJob.NotFound", f"there is no job {ref}")
        return rows.job_of(row)

    def unfinished_job(self, source_id: str) -> Job | None:
        """Return the one unfinished job of a source."""
        row = self._one(
            "SELECT * FROM jobs WHERE source_id = ? AND status NOT IN ('Finished', 'Deleting')",
            source_id,
        )
        return None if row is None else rows.job_of(row)

    def runs(self, job_id: str) -> list[Run]:
        """Return a job's runs, oldest first."""
        found = self._all("SELECT * FROM runs WHERE job_id = ? ORDER BY started, rowid", job_id)
        return [rows.run_of(row) for row in found]

    def last_run(self, job_id: str) -> Run | None:
        """Return a job's newest run."""
        row = self._one(
            "SELECT * FROM runs WHERE job_id = ? ORDER BY started DESC, rowid DESC LIMIT 1", job_id
        )
        return None if row is None else rows.run_of(row)

    def run(self, run_id: str) -> Run | None:
        """Return a run by id."""
        row = self._one("SELECT * FROM runs WHERE id = ?", run_id)
        return None if row is None else rows.run_of(row)

    def images(self, job_id: str | None = None) -> list[Image]:
        """Return the images of a job, or all, oldest first."""
        order = "ORDER BY created, rowid"
        if job_id is None:
            found = self._all(f"{_IMAGES} {order}")
        else:
            found = self._all(f"{_IMAGES} WHERE job_id = ? {order}", job_id)
        return [rows.image_of(row) for row in found]

    def image(self, ref: str) -> Image:
        """Return an image by id or name.

        Raises:
            SmcError: Image.NotFound.
        """
        row = self._one(f"{_IMAGES} WHERE id = ?1 OR name = ?1", ref)
        if row is None:
            raise SmcError("Image.NotFound", f"there is no image {ref}")
        return rows.image_of(row)

    def resource(self, job_id: str) -> Resource | None:
        """Return what a job holds at the destination, or is releasing; else None."""
        row = self._one(
            "SELECT * FROM resources WHERE job_id = ? AND state != 'Released'"
            " ORDER BY state = 'Held' DESC, created DESC LIMIT 1",
            job_id,
        )
        return None if row is None else rows.resource_of(row)

    def resources_held(self) -> list[Resource]:
        """Return everything that is held or being released, oldest first."""
        found = self._all("SELECT * FROM resources WHERE state != 'Released' ORDER BY created, id")
        return [rows.resource_of(row) for row in found]

    def hours(self, source_id: str) -> list[Hour]:
        """Return what is known of the hours of a source's disks, oldest first."""
        found = self._all(
            "SELECT number, written, seconds FROM hours WHERE source_id = ? ORDER BY number",
            source_id,
        )
        return [Hour(*row) for row in found]

    def known_job(self, ref: str) -> Known:
        """Return a job by id or name with its history, also one that is gone by now.

        Raises:
            SmcError: ReplicationJob.NotFound.
        """
        with self.snapshot():
            row = self._one("SELECT * FROM jobs WHERE id = ?1 OR name = ?1", ref)
            if row is not None:
                job = rows.job_of(row)
                return Known(job.id, job.name, job, events=self.events(job.id))
            row = self._one(
                "SELECT * FROM events WHERE action = ?2 AND (job_id = ?1 OR result = ?1)"
                " ORDER BY id DESC LIMIT 1",
                ref,
                DELETED,
            )
            if row is None:
                raise SmcError("ReplicationJob.NotFound", f"there is and was no job {ref}")
            gone = rows.event_of(row)
            last = gone.facts.get(LAST, {})
            return Known(gone.job_id, gone.result, None, last, self.events(gone.job_id))

    def events(self, job_id: str | None = None, *, after: int = 0) -> list[Event]:
        """Return the history of a job, or all of it, from after an event's number."""
        if job_id is None:
            found = self._all("SELECT * FROM events WHERE id > ? ORDER BY id", after)
        else:
            found = self._all(
                "SELECT * FROM events WHERE job_id = ? AND id > ? ORDER BY id", job_id, after
            )
        return [rows.event_of(row) for row in found]

    def recent_events(self, most: int, *, after: int = 0) -> list[Event]:
        """Return the newest lines of all history, oldest first, from after an event's number."""
        found = self._all(
            "SELECT * FROM (SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?)"
            " ORDER BY id",
            after,
            most,
        )
        return [rows.event_of(row) for row in found]

    def now(self) -> float:
        """Return about what the engine's clock says: to the second, but for a time lapse."""
        row = self.engine()
        if row is None:
            return time.time()
        return max(time.time() + max(0.0, row.clock_offset), row.clock_now)

    def engine(self) -> EngineRow | None:
        """Return what the last engine wrote about itself."""
        row = self._one(
            "SELECT pid, version, started, stopped, time_lapse, clock_now, clock_offset FROM engine"
        )
        return None if row is None else EngineRow(*row)

    def engine_config(self) -> dict[str, Any]:
        """Return what the last engine was configured with: values by key, without defaults."""
        found = self._engine_started().get("config")
        return found if isinstance(found, dict) else {}

    def engine_abilities(self) -> frozenset[Ability]:
        """Return what the last engine said that it is able to."""
        found = self._engine_started().get("abilities")
        told = found if isinstance(found, list) else []
        return frozenset(ability for ability in Ability if ability in told)

    def _engine_started(self) -> dict[str, Any]:
        row = self._one(
            "SELECT * FROM events WHERE action = 'engine started' ORDER BY id DESC LIMIT 1"
        )
        return {} if row is None else rows.event_of(row).facts

    # Plain SQL, in one place

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with translated():
            return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        with translated():
            return self._connection.execute(sql, values).fetchone()
