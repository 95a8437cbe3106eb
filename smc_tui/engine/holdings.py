"""The intermediate resources on the books: held, given back, found, lost.

A resource is on the books before its folder is on the disk, and stays there until the
folder is gone; see the ledger for the whole of the argument. Here is only what happens
to it beside a run's life.
"""

from __future__ import annotations

from dataclasses import replace

from smc_tui.engine.answers import WORK
from smc_tui.engine.ledger import ENGINE, Ledger
from smc_tui.jobstore.requests import Request
from smc_tui.model.errors import SmcError
from smc_tui.model.ids import Kind, new_id
from smc_tui.model.lifecycle import Status
from smc_tui.model.things import INTERMEDIATE, Job, Resource, ResourceState


class Holdings:
    """What jobs hold at the destination, as the ledger's other book.

    The methods expect things just read, with no await in between.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def release(self, job: Job, resource: Resource | None, request: Request) -> None:
        """Write down that a stopped job's resource is about to be released on request.

        A paused run ends with it: what it would have gone on from is gone, and a start
        that called itself a continuation would be none.
        """
        with self._store.transaction():
            self._start_again(job)
            if resource is not None:
                self._store.put_resource(replace(resource, state=ResourceState.RELEASING))
            self._ledger.event(request.actor, request.verb, "started", job)
            self._ledger.accept(request, {"job": job.id}, WORK)

    def lost(self, job: Job, resource: Resource) -> None:
        """Write down that a job's staging area is gone without anyone having released it."""
        gone = replace(resource, state=ResourceState.RELEASED, released=self._ledger.clock.now())
        with self._store.transaction():
            self._start_again(job)
            self._store.put_resource(gone)
            self._ledger.event(ENGINE, "resource lost", resource.name, job)

    def adopt(self, job: Job) -> None:
        """Take a staging area on the books that no resource tells of."""
        resource = Resource(
            new_id(Kind.RESOURCE),
            INTERMEDIATE,
            job.id,
            ResourceState.HELD,
            self._ledger.clock.now(),
        )
        with self._store.transaction():
            self._store.put_resource(resource)
            self._ledger.event(ENGINE, "resource adopted", resource.name, job)

    def _start_again(self, job: Job) -> None:
        """Let a stopped job's next run be a new one."""
        self._ledger.end_paused(
            job, SmcError("ReplicationJob.Released", f"{job.name} holds nothing any more")
        )
        if job.run_id or job.status is Status.IN_ERROR:
            self._store.put_job(replace(job, run_id=None, progress=0.0, live={}))

    def releasing(self, resource: Resource) -> None:
        """Write down that a resource is about to be released."""
        with self._store.transaction():
            self._store.put_resource(replace(resource, state=ResourceState.RELEASING))

    def released(self, resource: Resource) -> None:
        """Write down that a resource is gone."""
        now = self._ledger.clock.now()
        gone = replace(resource, state=ResourceState.RELEASED, released=now)
        with self._store.transaction():
            self._store.put_resource(gone)
            self._ledger.event(ENGINE, "resource released", resource.name, job_id=resource.job_id)
