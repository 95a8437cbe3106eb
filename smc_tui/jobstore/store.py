"""The job store's public face: read what is, submit what is wanted, wait for it.

Opened by the command line and the consoles; ``records`` reads, ``JobWriter`` adds what the
engine may do.

Not safe to share between threads; opening one takes under a millisecond.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smc_tui.jobstore import requests
from smc_tui.jobstore.connection import translated
from smc_tui.jobstore.presence import present, wake
from smc_tui.jobstore.records import Records
from smc_tui.jobstore.requests import Request, RequestState, user_name
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

#: How often a waiting client looks: at once for what the engine answers in
#: milliseconds, then easier on a machine that is busy copying.
LOOK_FIRST = 0.01
LOOK_LATER = 0.03


class JobStore(Records):
    """One home's job store: what is in it as documents, and what is asked of its engine."""

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
            known = self.runs(job.id), self.images(job.id), self.resource(job.id)
            return job_document(job, *known, self.now())

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
        who = actor or f"command line ({user_name()})"
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
