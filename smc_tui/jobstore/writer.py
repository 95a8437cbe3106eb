"""What only the engine may do to the job store.

Everything that changes a job is a transaction here: the job's row, its run, its
image, its event and the answers to the requests concerned are committed together
or not at all. A process killed at any instant therefore leaves a state that the
lifecycle knows, with the event that led to it, and no request half answered.

Progress is the one thing written without waiting for the disk (``durable=False``):
losing the last seconds of a bar in a power cut loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from smc_tui.jobstore import requests, rows
from smc_tui.jobstore.connection import connect, translated
from smc_tui.jobstore.home import Home
from smc_tui.jobstore.requests import Request, RequestState
from smc_tui.jobstore.store import JobStore
from smc_tui.model.errors import SmcError
from smc_tui.model.things import Event, Image, Job, Resource, Run, Source
from smc_tui.model.window import HOUR, KEPT, Count, between

if TYPE_CHECKING:
    from sqlite_utils import Database

#: Ended requests kept for a person to look back at.
KEPT_REQUESTS = 1000


class JobWriter(JobStore):
    """The engine's job store. One a home: the engine's lock is held around it."""

    _database: Database

    @classmethod
    def open(cls, home: Home | Path | str | None = None) -> Self:
        """Open a home's job store for the engine, bringing it up to date if need be.

        Raises:
            SmcError: Home.Unusable, Home.Newer, JobStore.*.
        """
        from sqlite_utils import Database

        found = home if isinstance(home, Home) else Home.find(home)
        writer = cls(found, connect(found, upgrade=True))
        writer._database = Database(writer._connection, execute_plugins=False)
        return writer

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Commit everything inside together, or nothing.

        Args:
            durable: wait until it is on the disk.

        Raises:
            SmcError: JobStore.*; nothing inside has happened then.
        """
        with translated():
            if not durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._connection.execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            finally:
                if not durable:
                    self._connection.execute("PRAGMA synchronous = FULL")

    # Things

    def put_source(self, source: Source) -> None:
        """Insert or replace a source."""
        self._put("sources", rows.source_row(source))

    def delete_source(self, source_id: str) -> None:
        """Forget a source and its hours."""
        self._connection.execute("DELETE FROM sources WHERE id = ?", (source_id,))
        for table in ("counts", "hours"):
            self._connection.execute(f"DELETE FROM {table} WHERE source_id = ?", (source_id,))

    def put_count(self, source_id: str, disk: str, now: Count) -> None:
        """Note how much a disk was written to; hours that are too old go."""
        row = self._one(
            "SELECT at, written, epoch FROM counts WHERE source_id = ? AND disk = ?",
            source_id,
            disk,
        )
        hours = between(Count(*row), now) if row else ()
        self._connection.executemany(
            "INSERT INTO hours VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " written = written + excluded.written, seconds = seconds + excluded.seconds",
            [(source_id, disk, hour.number, hour.written, hour.seconds) for hour in hours],
        )
        self._connection.execute(
            "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?)",
            (source_id, disk, now.at, now.written, now.epoch),
        )
        oldest = int((now.at - KEPT) // HOUR)
        self._connection.execute(
            "DELETE FROM hours WHERE source_id = ? AND number < ?", (source_id, oldest)
        )

    def put_job(self, job: Job) -> None:
        """Insert or replace a job."""
        self._put("jobs", rows.job_row(job))

    def delete_job(self, job_id: str) -> None:
        """Take a job off the table; its runs, images and events stay."""
        self._connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    def put_run(self, run: Run) -> None:
        """Insert or replace a run."""
        self._put("runs", rows.run_row(run))

    def open_runs(self) -> list[Run]:
        """Return every run that has not ended."""
        return [rows.run_of(row) for row in self._all("SELECT * FROM runs WHERE ended IS NULL")]

    def put_image(self, image: Image) -> None:
        """Insert or replace an image."""
        self._put("images", rows.image_row(image))

    def delete_image(self, image_id: str) -> None:
        """Forget an image and who held it."""
        self._connection.execute("DELETE FROM holds WHERE image_id = ?", (image_id,))
        self._connection.execute("DELETE FROM images WHERE id = ?", (image_id,))

    def name_taken(self, name: str) -> bool:
        """Tell whether an image has this name, or is promised it by a run under way."""
        found = self._one(
            "SELECT 1 FROM images WHERE name = ?1 UNION ALL"
            " SELECT 1 FROM runs WHERE image_name = ?1 AND ended IS NULL LIMIT 1",
            name,
        )
        return found is not None

    def hold(self, image_id: str, holder: str) -> None:
        """Note that an image is used."""
        self._connection.execute("INSERT OR IGNORE INTO holds VALUES (?, ?)", (image_id, holder))

    def release(self, image_id: str, holder: str) -> None:
        """Note that a use of an image has ended."""
        self._connection.execute(
            "DELETE FROM holds WHERE image_id = ? AND holder = ?", (image_id, holder)
        )

    def release_all_but(self, holder: str) -> None:
        """Drop every hold but one holder's: those of an engine that is no more."""
        self._connection.execute("DELETE FROM holds WHERE holder != ?", (holder,))

    def put_resource(self, resource: Resource) -> None:
        """Insert or replace an intermediate resource."""
        self._put("resources", rows.resource_row(resource))

    def write_event(
        self,
        at: float,
        actor: str,
        action: str,
        result: str,
        *,
        source_id: str = "",
        job_id: str = "",
        run_id: str = "",
        image_id: str = "",
        **facts: Any,
    ) -> None:
        """Add a line to the history."""
        self._connection.execute(
            "INSERT INTO events (at, actor, action, result, source_id, job_id, run_id, image_id,"
            " facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, actor, action, result, source_id, job_id, run_id, image_id, rows.dump(facts)),
        )

    def newest_event(
        self, action: str, result: str | None = None, *, before: int | None = None
    ) -> Event | None:
        """Return the newest line of the history of a kind, before an event's number."""
        row = self._one(
            "SELECT * FROM events WHERE action = ?1 AND (?2 IS NULL OR result = ?2)"
            " AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT 1",
            action,
            result,
            before,
        )
        return None if row is None else rows.event_of(row)

    def count_events(
        self, action: str, *, after: int = 0, by: str | None = None, not_by: str | None = None
    ) -> int:
        """Return how many lines of a kind the history has from after an event's number."""
        row = self._one(
            "SELECT count(*) FROM events WHERE id > ?2 AND action = ?1"
            " AND (?3 IS NULL OR actor = ?3) AND (?4 IS NULL OR actor <> ?4)",
            action,
            after,
            by,
            not_by,
        )
        return int(row[0])

    def oldest_instant(self) -> float:
        """Return when the history begins, 0 for an empty one."""
        row = self._one("SELECT at FROM events ORDER BY id LIMIT 1")
        return float(row["at"]) if row else 0.0

    def write_live(self, job: Job) -> None:
        """Update what a job's worker last said, and nothing else of the job."""
        self._connection.execute(
            "UPDATE jobs SET live = ? WHERE id = ?", (rows.dump(job.live), job.id)
        )

    def write_progress(self, job: Job, run: Run) -> None:
        """Update a running job's bar and its run's counters, and nothing else of them."""
        job_row, run_row = rows.job_row(job), rows.run_row(run)
        self._connection.execute(
            "UPDATE jobs SET progress = ?, live = ? WHERE id = ?",
            (job.progress, job_row["live"], job.id),
        )
        self._connection.execute(
            "UPDATE runs SET counters = ?, seconds = ? WHERE id = ?",
            (run_row["counters"], run.seconds, run.id),
        )

    # Requests

    def new_requests(self) -> list[Request]:
        """Return the requests that nobody has answered, in the order in which they came."""
        with translated():
            return requests.in_state(self._connection, RequestState.NEW)

    def accepted_requests(self) -> list[Request]:
        """Return the requests that are accepted and have not ended."""
        with translated():
            return requests.in_state(self._connection, RequestState.ACCEPTED)

    def accept(self, request: Request, at: float, result: dict[str, Any], awaits: str) -> bool:
        """Accept a new request; return False when its writer has withdrawn it."""
        return self._answer(
            "UPDATE requests SET state = 'accepted', accepted = ?, result = ?, awaits = ?"
            " WHERE id = ? AND state = 'new'",
            (at, rows.dump(result), awaits, request.id),
        )

    def refuse(self, request: Request, at: float, error: SmcError) -> bool:
        """Refuse a new request; return False when its writer has withdrawn it."""
        return self._answer(
            "UPDATE requests SET state = 'refused', ended = ?, code = ?, detail = ?, facts = ?"
            " WHERE id = ? AND state = 'new'",
            (at, error.code, error.detail, rows.dump(error.facts), request.id),
        )

    def finish(self, request: Request, at: float, result: dict[str, Any]) -> bool:
        """End an accepted request well, adding to the result it was accepted with."""
        return self._answer(
            "UPDATE requests SET state = 'done', ended = ?, result = ?"
            " WHERE id = ? AND state = 'accepted'",
            (at, rows.dump({**request.result, **result}), request.id),
        )

    def fail(self, request: Request, at: float, error: SmcError) -> bool:
        """End an accepted request badly."""
        return self._answer(
            "UPDATE requests SET state = 'failed', ended = ?, code = ?, detail = ?, facts = ?"
            " WHERE id = ? AND state = 'accepted'",
            (at, error.code, error.detail, rows.dump(error.facts), request.id),
        )

    def awaiting(self, *awaits: str) -> list[Request]:
        """Return the accepted requests that wait for one of these."""
        return [request for request in self.accepted_requests() if request.awaits in awaits]

    def hand_on(self, request: Request, result: dict[str, Any], awaits: str) -> bool:
        """Have an accepted request wait for something else, adding to its result."""
        return self._answer(
            "UPDATE requests SET result = ?, awaits = ? WHERE id = ? AND state = 'accepted'",
            (rows.dump({**request.result, **result}), awaits, request.id),
        )

    def write_request_progress(self, request_id: str, progress: dict[str, Any]) -> None:
        """Show how far an accepted request is."""
        self._connection.execute(
            "UPDATE requests SET progress = ? WHERE id = ?", (rows.dump(progress), request_id)
        )

    def prune_requests(self) -> None:
        """Forget ended requests beyond the newest ones."""
        self._connection.execute(
            "DELETE FROM requests WHERE state NOT IN ('new', 'accepted') AND seq <="
            " (SELECT max(seq) FROM requests) - ?",
            (KEPT_REQUESTS,),
        )

    # The engine itself

    def engine_started(self, version: str, now: float, offset: float, time_lapse: float) -> None:
        """Write down which engine serves this home."""
        self._put(
            "engine",
            {
                "id": 1,
                "pid": os.getpid(),
                "version": version,
                "started": now,
                "stopped": None,
                "time_lapse": time_lapse,
                "clock_now": now,
                "clock_offset": offset,
            },
        )

    def save_clock(self, now: float, offset: float) -> None:
        """Write down where the engine's clock is."""
        self._connection.execute("UPDATE engine SET clock_now = ?, clock_offset = ?", (now, offset))

    def engine_stopped(self, now: float) -> None:
        """Write down that the engine ended in good order."""
        self._connection.execute("UPDATE engine SET stopped = ?", (now,))

    def newest_instant(self) -> float:
        """Return the newest instant that the history knows, 0 for an empty one."""
        row = self._one(
            "SELECT max((SELECT coalesce(max(at), 0) FROM events),"
            " (SELECT coalesce(max(clock_now), 0) FROM engine)) AS at"
        )
        return float(row["at"])

    def _put(self, table: str, row: rows.Row) -> None:
        self._database.table(table).upsert(row, pk="id")

    def _answer(self, sql: str, values: tuple[Any, ...]) -> bool:
        return self._connection.execute(sql, values).rowcount == 1
