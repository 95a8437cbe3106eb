"""The job store's public face: read what is, submit what is wanted, wait for it.

Opened by the command line and the consoles; ``JobWriter`` adds what the engine may
do. Reading is plain sqlite3 with no library above it, because a command's start-up
is most of its run time.

Not safe to share between threads; opening one takes under a millisecond.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smc_tui.jobstore import requests, rows
from smc_tui.jobstore.connection import check_version, connect, translated
from smc_tui.jobstore.home import Home
from smc_tui.jobstore.presence import present, wake
from smc_tui.jobstore.requests import Request, RequestState
from smc_tui.model.documents import (
    Document,
    event_document,
    image_document,
    instant,
    job_document,
    job_summary,
    source_document,
)
from smc_tui.model.errors import SmcError
from smc_tui.model.report import DELETED, LAST, Known
from smc_tui.model.things import Event, Image, Job, Resource, Run, Source

_IMAGES = (
    "SELECT images.*, (SELECT json_group_array(holder) FROM"
    " (SELECT holder FROM holds WHERE image_id = images.id ORDER BY holder)) AS holds FROM images"
)

#: How often a waiting client looks: at once for what the engine answers in
#: milliseconds, then easier on a machine that is busy copying.
LOOK_FIRST = 0.01
LOOK_LATER = 0.03


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


class JobStore:
    """One home's job store.

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
        row = self._one(
            "SELECT * FROM events WHERE action = 'engine started' ORDER BY id DESC LIMIT 1"
        )
        found = rows.event_of(row).facts.get("config") if row is not None else None
        return found if isinstance(found, dict) else {}

    # Documents

    def source_document(self, ref: str) -> Document:
        """Return ``source show``."""
        with self.snapshot():
            source = self.source(ref)
            return source_document(source, self.unfinished_job(source.id))

    def source_documents(self) -> list[Document]:
        """Return ``source list``."""
        with self.snapshot():
            return [source_document(each, self.unfinished_job(each.id)) for each in self.sources()]

    def job_document(self, ref: str) -> Document:
        """Return ``job show``."""
        with self.snapshot():
            job = self.job(ref)
            return job_document(job, self.runs(job.id), self.images(job.id), self.resource(job.id))

    def job_documents(self) -> list[Document]:
        """Return ``job list``."""
        return [job_summary(job) for job in self.jobs()]

    def image_document(self, ref: str) -> Document:
        """Return ``image show``."""
        return image_document(self.image(ref))

    def image_documents(self) -> list[Document]:
        """Return ``image list``."""
        return [image_document(image) for image in self.images()]

    def event_documents(self, job_id: str | None = None) -> list[Document]:
        """Return the history of a job, or all of it."""
        return [event_document(event) for event in self.events(job_id)]

    def engine_document(self) -> Document:
        """Return ``engine status``."""
        row, alive = self.engine(), self.engine_alive()
        clean = row is not None and row.stopped is not None
        return {
            "status": "running" if alive else "stopped" if clean or row is None else "died",
            "pid": row.pid if row and alive else None,
            "version": row.version if row else None,
            "started": instant(row.started) if row else None,
            "stopped": instant(row.stopped) if row and not alive else None,
            "time_lapse": row.time_lapse if row else None,
            "home": str(self.home.path),
        }

    # Asking

    def engine_alive(self) -> bool:
        """Return whether an engine serves this home and is ready."""
        return present(self.home)

    def submit(
        self,
        verb: str,
        target: str = "",
        args: dict[str, Any] | None = None,
        *,
        actor: str = "",
        token: str | None = None,
    ) -> str:
        """Write a request and wake the engine.

        Args:
            verb: for example ``job.sync``.
            target: id or name of what it is about.
            args: JSON values.
            actor: who asks; the user at the command line when empty.
            token: makes a repeated submission the same request.

        Returns:
            The request's id.
        """
        who = actor or f"command line ({os.environ.get('USER') or os.getuid()})"
        with translated():
            request_id = requests.insert(self._connection, verb, target, args or {}, who, token)
        wake(self.home)
        return request_id

    def request(self, request_id: str) -> Request:
        """Return a request.

        Raises:
            SmcError: Request.NotFound.
        """
        with translated():
            return requests.find(self._connection, request_id)

    def withdraw(self, request_id: str) -> bool:
        """Take a request back unless an engine has seen it; return whether it was."""
        with translated():
            return requests.withdraw(self._connection, request_id)

    def wait(
        self,
        request_id: str,
        *,
        ended: bool = False,
        timeout: float | None = None,
        look: Callable[[Request], None] | None = None,
    ) -> Request:
        """Wait until a request is accepted or refused, or until it has ended.

        An engine that is gone ends the waiting: a request it has not seen is
        withdrawn, so that nothing is done later that a person was told had failed.

        Args:
            request_id: what ``submit`` returned.
            ended: wait for the end, not only for the answer.
            timeout: seconds; None waits for ever.
            look: called with the request each time round, for a progress bar.

        Raises:
            SmcError: Engine.NotReachable, Request.TimedOut.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        pause = LOOK_FIRST
        while True:
            request = self.request(request_id)
            if look is not None:
                look(request)
            if request.state.ended or (not ended and request.state is not RequestState.NEW):
                return request
            if limit is not None and time.monotonic() >= limit:
                raise SmcError("Request.TimedOut", f"{request.verb} {request.target}".strip())
            if pause >= LOOK_LATER and not self.engine_alive():
                return self._deserted(request_id)
            time.sleep(pause if limit is None else max(0.0, min(pause, limit - time.monotonic())))
            pause = min(LOOK_LATER, pause * 1.5)

    def _deserted(self, request_id: str) -> Request:
        self.withdraw(request_id)
        request = self.request(request_id)
        if request.state.ended and request.state is not RequestState.WITHDRAWN:
            return request  # it was answered with the engine's last breath
        if request.state is RequestState.WITHDRAWN:
            raise SmcError("Engine.NotReachable", "the engine ended before it saw the request")
        raise SmcError("Engine.NotReachable", "the engine ended; its successor will finish this")

    # Plain SQL, in one place

    def _all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with translated():
            return self._connection.execute(sql, values).fetchall()

    def _one(self, sql: str, *values: Any) -> Any:
        with translated():
            return self._connection.execute(sql, values).fetchone()
