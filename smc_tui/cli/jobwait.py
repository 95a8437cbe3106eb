"""``job wait``: until a job is what someone waits for, or cannot become it by itself.

Waiting looks at the job store's version, which changes with every write of the
engine, and at the engine itself: when that is gone nothing will come, and saying
so beats waiting for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from smc_tui.cli.frames import Follower
from smc_tui.cli.progress import RunWatch, following
from smc_tui.cli.session import Deadline, Detached, Session
from smc_tui.cli.target import Target
from smc_tui.jobstore.presence import wake
from smc_tui.model.actions import status_word
from smc_tui.model.documents import Document, job_summary
from smc_tui.model.errors import SmcError
from smc_tui.model.lifecycle import State, Status
from smc_tui.model.things import Job

Found = TypeVar("Found")

#: How often the job store is looked at; a look costs microseconds.
LOOK = 0.05
#: How often it is asked whether the engine still lives.
ENGINE_LOOK = 1.0

_GONE = State(Status.DELETING)


def wait_for(session: Session, ref: str, target: Target, deadline: Deadline) -> Document:
    """Wait, and return the job as it was found.

    Raises:
        SmcError: ReplicationJob.NotFound (also when it is deleted meanwhile),
            ReplicationJob.NotReached, Request.TimedOut, Engine.NotReachable;
            without a target the job's own error, if it comes to rest in one.
        Detached: a person pressed ^C.
    """
    job = session.store.job(ref)
    if not target.reached(job) and not target.out_of_reach(job):
        session.ready()
        try:
            with following(session.out, RunWatch(session.store, job.id)) as follower:
                job = poll(session, deadline, lambda: _settled(session, job, target), follower)
        except KeyboardInterrupt:
            raise Detached(f"the migration {job.name}") from None
    _check(job, target)
    if job.status is Status.DELETING:
        return {**job_summary(job), "deleted": True}
    return session.store.job_document(job.id)


def poll(
    session: Session,
    deadline: Deadline,
    found: Callable[[], Found | None],
    look: Follower,
) -> Found:
    """Look again and again until something is found.

    Raises:
        SmcError: Request.TimedOut, Engine.NotReachable, and what ``found`` raises.
    """
    asked = time.monotonic()
    while True:
        look()
        if (what := found()) is not None:
            return what
        left = deadline.left(LOOK)
        if not left:
            raise SmcError("Request.TimedOut", "the status waited for has not come")
        if time.monotonic() - asked >= ENGINE_LOOK:
            asked = time.monotonic()
            if not wake(session.home):
                raise SmcError("Engine.NotReachable", "the engine ended meanwhile")
        time.sleep(left)


def _settled(session: Session, job: Job, target: Target) -> Job | None:
    """Return the job if there is nothing more to wait for."""
    try:
        now = session.store.job(job.id)
    except SmcError as error:
        if error.code != "ReplicationJob.NotFound" or _GONE not in target.states:
            raise
        return replace(job, status=Status.DELETING, phase=None)
    return now if target.reached(now) or target.out_of_reach(now) else None


def _check(job: Job, target: Target) -> None:
    """Raise what kept the job from where it was waited for."""
    fault = job.fault
    if fault is not None and job.status is Status.IN_ERROR and job.state not in target.states:
        raise SmcError(fault.code, fault.detail, **{**fault.facts, "job": _brief(job)})
    if not target.reached(job):
        now = status_word(job.state)
        raise SmcError("ReplicationJob.NotReached", f"{job.name} is {now}", job=_brief(job))


def brief(session: Session, job_id: str) -> Document:
    """Return what an error's document says of the job; a job that is gone has no status."""
    found = [job for job in session.store.jobs() if job.id == job_id]
    return _brief(found[0]) if found else {"id": job_id, "name": None, "status": None}


def _brief(job: Job) -> Document:
    return {"id": job.id, "name": job.name, "status": str(job.status)}
